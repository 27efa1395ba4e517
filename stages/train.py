"""Stage `train`: one objective and one seed; final weights, and the log while it runs."""

import argparse
import json
import os
import shutil
from contextlib import closing
from pathlib import Path

from infogan.base.files import save_array, write_file
from infogan.base.packed import load_images, load_split
from infogan.datasets import lookup
from infogan.method.runtime import resolve
from infogan.method.weights import save_weights
from infogan.params import load_params
from infogan.train.identity import identify
from infogan.train.locks import sole_writer
from infogan.train.loop import train
from infogan.train.objective import load_objective
from infogan.train.snapshot import Snapshots
from stages import run_stage, stage_parser
from stages.terminal import Terminal, stopping_gracefully


def main(args: argparse.Namespace) -> None:
    """Train, log to files and to the terminal, write weights and environment.

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

    args.out.mkdir(parents=True, exist_ok=True)
    terminal = Terminal(args.out.name, params.num_steps)
    where = ", ".join(f"{key} {value}" for key, value in list(backend.describe().items())[:4])
    terminal.say(f"{params.num_steps} steps: {where}")
    identity = identify(params, objective, args.seed, backend, images, labels)
    # Beside the pipeline, also for an experiment's own copy, unless it is said where.
    beside = Path(os.environ.get("DVC_ROOT", "."), ".resume")
    resume = Path(os.environ.get("INFOGAN_RESUME") or beside)
    with (
        sole_writer(args.out, terminal.say),
        closing(Snapshots(resume, args.out.name, identity, terminal.say)) as snapshots,
    ):
        tables = Log(args.out)

        def log(step: int, means: dict[str, float]) -> None:
            tables.record(step, means)
            terminal.show(step, means, is_news=step > snapshots.resumed_step)

        with stopping_gracefully(snapshots, terminal):
            trained = train(images, params, objective, args.seed, backend, log, snapshots, labels)
        generator, discriminator = trained.generator, trained.discriminator
        save_weights(args.out / "weights.safetensors", generator, discriminator, params)
        save_array(args.out / "film.npy", trained.film.numpy())
        write_file(args.out / "environment.json", json.dumps(backend.describe(), indent=2) + "\n")
        snapshots.discard()


class Log:
    """A table for each quantity that a training measures, and a summary of the latest values.

    As DVC plots and shows them; those of an earlier training go first.
    """

    def __init__(self, folder: Path) -> None:
        self.tables, self.summary = folder / "plots" / "metrics", folder / "metrics.json"
        if self.tables.exists():
            shutil.rmtree(self.tables)
        self.summary.unlink(missing_ok=True)
        self.tables.mkdir(parents=True)

    def record(self, step: int, means: dict[str, float]) -> None:
        """Add a row to each table, and put the means in place of the summary."""
        for name, mean in means.items():
            with (self.tables / f"{name}.tsv").open("a", encoding="utf-8") as table:
                if table.tell() == 0:
                    table.write(f"step\t{name}\n")
                table.write(f"{step}\t{mean}\n")
        # Whole, whenever a reader such as `dvc metrics show` comes.
        write_file(self.summary, json.dumps(means | {"step": step}, indent=4) + "\n")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    return stage_parser(
        "Train G, D and Q with one objective and one seed.",
        objective="file of the objectives stage, such as runs/objectives/infogan.json",
        seed="the run's only random source",
        data="packed data set: data/packed",
        out="folder of weights and log",
    )


if __name__ == "__main__":
    run_stage(main, parser())
