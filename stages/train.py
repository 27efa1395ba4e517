"""Stage `train`: one objective and one seed; final weights, and the log while it runs."""

import argparse
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvclive import Live

from infogan.base.files import save_array, write_file
from infogan.base.packed import load_images, load_split
from infogan.datasets import lookup
from infogan.method.runtime import resolve
from infogan.method.weights import save_weights
from infogan.params import load_params
from infogan.train.loop import train
from infogan.train.objective import load_objective
from infogan.train.snapshot import Interrupted, Snapshots
from stages import run_stage, stage_parser

SECONDS_PER_LINE = 5.0


def main(args: argparse.Namespace) -> None:
    """Train, log to DVCLive and to the terminal, write weights and environment.

    Goes on from a snapshot that an earlier, interrupted run left.
    """
    params = load_params(args.params)
    objective = load_objective(args.objective)
    data_set = lookup(params.dataset)
    images = load_images(args.data, data_set, "train")
    labels = None
    if objective.labels_given:
        labels = load_split(args.data, data_set, "train").labels.long()
    backend = resolve(params.runtime)
    run = args.out.name

    args.out.mkdir(parents=True, exist_ok=True)
    where = ", ".join(f"{key} {value}" for key, value in list(backend.describe().items())[:4])
    print(f"train {run}  {params.num_steps} steps: {where}", flush=True)
    identity = {
        "parameters": params.model_dump(mode="json", include=DECIDING_PARAMETERS),
        "objective": objective.describe(),
        "seed": args.seed,
        "data": hashlib.sha256(images.numpy().data).hexdigest(),
        "code": digest_of_code(),
        "environment": backend.describe(),
    }
    snapshots = Snapshots(
        resume_folder(), run, identity, lambda text: print(f"train {run}  {text}", flush=True)
    )
    progress = Progress(run, params.num_steps)
    with (
        Log(str(args.out), dvcyaml=False, save_dvc_exp=False) as live,
        stopping_gracefully(snapshots),
    ):

        def log(step: int, means: dict[str, float]) -> None:
            live.step = step
            for name, value in means.items():
                live.log_metric(name, value)
            live.make_summary()
            progress.show(step, means, is_news=step > snapshots.resumed_step)

        trained = train(images, params, objective, args.seed, backend, log, snapshots, labels)
    save_weights(args.out / "weights.safetensors", trained.generator, trained.discriminator, params)
    save_array(args.out / "film.npy", trained.film.numpy())
    write_file(args.out / "environment.json", json.dumps(backend.describe(), indent=2) + "\n")
    snapshots.discard()


class Log(Live):
    """DVCLive's log, whose summary a reader such as `dvc metrics show` never finds half-written."""

    def make_summary(self) -> None:
        """Write the latest value of every metric."""
        self.summary["step"] = self.step
        write_file(Path(self.metrics_file), json.dumps(self.summary, indent=4) + "\n")


# As the stage's `params` in dvc.yaml.
DECIDING_PARAMETERS = {"dataset", "num_steps", "codes", "networks", "training"}


def resume_folder() -> Path:
    """Where unfinished trainings wait: beside the pipeline, also for an experiment's own copy."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".resume"


def digest_of_code() -> str:
    """SHA-256 of the sources of all our modules that are loaded."""
    ours = {
        module.__file__
        for name, module in sys.modules.items()
        if name.split(".")[0] in ("infogan", "stages") and getattr(module, "__file__", None)
    }
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted(str(path) for path in ours):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


@contextmanager
def stopping_gracefully(snapshots: Snapshots) -> Iterator[None]:
    """Let Ctrl-C, `dvc queue kill` and SIGTERM end the training at a snapshot; twice, at once."""

    def request_stop(number: int, frame: object) -> None:
        snapshots.stop_requested = True
        for signal_number, handler in before.items():
            signal.signal(signal_number, handler)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, request_stop) for number in signals}
    try:
        yield
    except Interrupted as stop:
        print(f"train {snapshots.run}  {stop}", file=sys.stderr, flush=True)
        raise SystemExit(130) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Progress:
    """A line of at most 80 columns every few seconds: how far, how fast, how long still; the means.

    D and G are their losses, cat and cont the bounds of the codes, in nats.
    """

    def __init__(self, run: str, num_steps: int) -> None:
        self.run, self.num_steps = run, num_steps
        self.shown = time.monotonic()
        self.shown_step = 0

    def show(self, step: int, means: dict[str, float], *, is_news: bool = True) -> None:
        """Print, unless the last line is recent and this is not the last step."""
        now = time.monotonic()
        if not is_news:
            self.shown, self.shown_step = now, step
            return
        if now - self.shown < SECONDS_PER_LINE and step < self.num_steps:
            return
        speed = (step - self.shown_step) / max(now - self.shown, 1e-9)
        left = (self.num_steps - step) / speed
        values = " ".join(f"{SHORT_NAMES[name]} {value:.2f}" for name, value in means.items())
        clock = f"{int(left) // 60}:{int(left) % 60:02d}"
        print(
            f"{self.run}  {step}/{self.num_steps}  {speed:.1f}/s  {clock} left  {values}",
            flush=True,
        )
        self.shown, self.shown_step = now, step


SHORT_NAMES = {
    "discriminator_loss": "D",
    "generator_loss": "G",
    "bound_cat_nats": "cat",
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
    options.add_argument("--data", type=Path, required=True, help="packed data set: data/packed")
    options.add_argument("--out", type=Path, required=True, help="folder of weights and log")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
