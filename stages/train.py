"""Stage `train`: one objective and one seed; final weights, and the log while it runs."""

import argparse
import json
import time
from pathlib import Path

from dvclive import Live

from infogan.checkpoint import save_weights
from infogan.datasets import load_images
from infogan.objectives import load_objective
from infogan.params import load_params
from infogan.runtime import resolve
from infogan.training import train
from stages import run_stage, stage_parser

SECONDS_PER_LINE = 5.0


def main(args: argparse.Namespace) -> None:
    """Train, log to DVCLive and to the terminal, write weights and environment."""
    params = load_params(args.params)
    objective = load_objective(args.objective)
    images = load_images(args.data, params.dataset, "train")
    backend = resolve(params.runtime)

    args.out.mkdir(parents=True, exist_ok=True)
    progress = Progress(args.out.name, params.num_steps)
    where = ", ".join(f"{key} {value}" for key, value in list(backend.describe().items())[:4])
    print(f"train {args.out.name}  {params.num_steps} steps: {where}", flush=True)
    with Live(str(args.out), dvcyaml=False, save_dvc_exp=False) as live:

        def log(step: int, means: dict[str, float]) -> None:
            live.step = step
            for name, value in means.items():
                live.log_metric(name, value)
            live.make_summary()
            progress.show(step, means)

        generator, discriminator = train(images, params, objective, args.seed, backend, log)
    save_weights(args.out / "weights.safetensors", generator, discriminator, params)
    (args.out / "environment.json").write_text(json.dumps(backend.describe(), indent=2) + "\n")


class Progress:
    """One line every few seconds: where the training is, how fast, and how long it will take."""

    def __init__(self, run: str, num_steps: int) -> None:
        self.run, self.num_steps = run, num_steps
        self.started = self.shown = time.monotonic()
        self.shown_step = 0

    def show(self, step: int, means: dict[str, float]) -> None:
        """Print, unless the last line is recent and this is not the last step."""
        now = time.monotonic()
        if now - self.shown < SECONDS_PER_LINE and step < self.num_steps:
            return
        speed = (step - self.shown_step) / max(now - self.shown, 1e-9)
        left = (self.num_steps - step) * (now - self.started) / step
        values = "  ".join(f"{SHORT_NAMES[name]} {value:.2f}" for name, value in means.items())
        clock = f"{int(left) // 60}:{int(left) % 60:02d}"
        print(
            f"train {self.run}  {step}/{self.num_steps}  {speed:.1f}/s  {clock} left  {values}",
            flush=True,
        )
        self.shown, self.shown_step = now, step


SHORT_NAMES = {
    "discriminator_loss": "D",
    "generator_loss": "G",
    "bound_cat_nats": "L_I cat",
    "bound_cont_nats": "cont",
}


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser("Train G, D and Q with one objective and one seed.")
    options.add_argument(
        "--objective",
        type=Path,
        required=True,
        help="file of the objectives stage, such as runs/objectives/infogan.json",
    )
    options.add_argument("--seed", type=int, required=True, help="the run's only random source")
    options.add_argument("--data", type=Path, required=True, help="packed data set: data/mnist")
    options.add_argument("--out", type=Path, required=True, help="folder of weights and log")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
