"""Stage `evaluate`: every measurement of one trained run.

With the judge's, the only stage that reads labels or factors, but for a conditional GAN's training.
"""

import argparse
import json

from infogan.base.dataset import SPLITS
from infogan.base.files import write_file
from infogan.base.packed import load_factors, load_split
from infogan.datasets import lookup
from infogan.evaluate.measurements import measure_run
from infogan.evaluate.subject import Subject
from infogan.judge.judge import load_judge
from infogan.method.runtime import resolve
from infogan.method.weights import load_weights
from infogan.params import load_params
from stages import run_stage, stage_parser


def main(args: argparse.Namespace) -> None:
    """Measure, and write measurements.json."""
    params = load_params(args.params)
    data_set = lookup(params.dataset)
    backend = resolve(params.runtime)
    generator, discriminator = load_weights(args.weights, params)
    load = load_factors if data_set.factors else load_split
    train, test = (load(args.data, data_set, split) for split in SPLITS)
    subject = Subject(
        generator.to(backend.device),
        discriminator.to(backend.device),
        load_judge(args.judge, params.dataset).to(backend.device),
        data_set,
        params,
        args.seed,
        backend,
        train,
        test,
        lambda what: print(f"evaluate {args.out.name}  {what} ...", flush=True),
    )
    record = measure_run(subject)
    write_file(args.out / "measurements.json", json.dumps(record, indent=2) + "\n")
    for name, value in record["metrics"].items():
        print(f"evaluate {args.out.name}  {name} = {value:.4f}")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    return stage_parser(
        "Measure one trained run.",
        weights="weights of the train stage",
        judge="weights of the judge",
        data="packed data set: data/packed",
        seed="seed of the run",
        out="folder of the measurements",
    )


if __name__ == "__main__":
    run_stage(main, parser())
