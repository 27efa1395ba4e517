"""Measure whether another precision, or a GPU, changes what the default run ends with.

    python -m benchmarks.precision --precision float32 --seeds 5 --jobs 2

Rounding makes another run of every seed, so that runs are compared over seeds: those of the study's
`ours`, on record, with the same seeds trained and measured here. `dvc repro download objectives
classifier` makes what they need. Finished runs are kept in `--scratch`, and an interrupted training
goes on from its snapshot.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from infogan.method.runtime import resolve
from infogan.params import load_params
from infogan.report import document as doc
from infogan.report.claims import Metrics
from infogan.report.tables import number, spread, values_over_seeds
from study.records import load_records

METRICS = (
    "accuracy_matched",
    "nmi",
    "accuracy_generated",
    "bound_cat_nats",
    "slant_spearman",
    "slant_share",
    "width_spearman",
    "width_share",
    "frechet_classifier",
)


def on_record(seeds: range) -> dict[int, Metrics]:
    """The metrics of the study's `ours` by seed."""
    records = load_records(Path("reports/study"))
    return {r.seed: r.metrics for r in records if r.recipe == "ours" and r.seed in seeds}


def measured(params_file: Path, seed: int, data: Path, out: Path) -> Metrics:
    """Train and evaluate one run, unless it is there already."""
    found = out / "evaluate" / "measurements.json"
    weights = out / f"infogan-{seed}" / "weights.safetensors"

    def run(stage: str, **options: Path) -> None:
        given = {"params": params_file, "data": data, "seed": seed, **options}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", stage, *words]
        subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)

    if not found.exists():
        objective = Path("runs/objectives/infogan.json")
        judge = Path("runs/classifier/weights.safetensors")
        run("stages.train", objective=objective, out=weights.parent)
        run("stages.evaluate", weights=weights, classifier=judge, out=found.parent)
    metrics: Metrics = json.loads(found.read_text())["metrics"]
    return metrics


def report(ours: Mapping[int, Metrics], other: Mapping[int, Metrics], told: str) -> str:
    """The page; `told` says where and how the others were computed."""
    seeds = sorted(ours.keys() & other.keys())
    sides = [{seed: runs[seed] for seed in seeds} for runs in (ours, other)]
    rows = [
        (f"`{metric}`", *(spread(values_over_seeds(side, metric)) for side in sides))
        for metric in METRICS
    ]
    each = [
        (f"{seed}", *(number(side[seed]["accuracy_matched"]) for side in sides)) for seed in seeds
    ]
    return doc.markdown(
        [
            "# The default run in another arithmetic",
            f"Made by `python -m benchmarks.precision` on {told}, one thread a training: mean ± "
            "standard deviation over the same seeds, of the study's records (`ours`) and of the "
            "runs trained and measured here.",
            doc.Table(("Metric", "on record", "here"), rows),
            "`accuracy_matched` of every seed:",
            doc.Table(("Seed", "on record", "here"), each),
        ]
    )


def main() -> None:
    """Train and measure what is missing, and write the page."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options.add_argument("--seeds", type=int, default=5, help="trainings (5)")
    options.add_argument("--jobs", type=int, default=1, help="how many at a time (1)")
    options.add_argument("--data", type=Path, default=Path("data/packed"))
    options.add_argument("--scratch", type=Path, default=Path(".dvc/tmp/precision"))
    options.add_argument("--out", type=Path, default=Path("benchmarks/precision.md"))
    given = options.parse_args()

    values = load_params(Path("params.yaml")).model_dump()
    values["runtime"] |= {"precision": given.precision, "device": given.device, "threads": 1}
    folder = given.scratch / f"{given.precision}-{given.device}"
    folder.mkdir(parents=True, exist_ok=True)
    params_file = folder / "params.yaml"
    params_file.write_text(yaml.safe_dump(values))

    def run(seed: int) -> Metrics:
        return measured(params_file, seed, given.data, folder / str(seed))

    seeds = range(given.seeds)
    with ThreadPoolExecutor(given.jobs) as jobs:
        here = dict(zip(seeds, jobs.map(run, seeds), strict=True))
    machine = resolve(load_params(params_file).runtime).describe()
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    given.out.write_text(report(on_record(seeds), here, told))
    print(f"precision: {given.out}")


if __name__ == "__main__":
    main()
