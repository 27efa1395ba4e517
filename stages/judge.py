"""Stage `judge`: the instrument that judges generated images, trained on real ones.

It names classes, such as digits, or reads factors where those are known instead.
"""

import argparse
import json
import time
from pathlib import Path

from infogan.base.dataset import SPLITS
from infogan.base.files import write_file
from infogan.base.images import scale
from infogan.base.packed import load_factors, load_split
from infogan.datasets import lookup
from infogan.judge.frechet import frechet_distance
from infogan.judge.judge import (
    classify,
    load_judge,
    penultimate_features,
    read_factors,
    reading_r2,
    save_judge,
    train_judge,
)
from infogan.method.networks import count_parameters
from infogan.method.runtime import resolve
from infogan.params import load_params
from stages import run_stage, stage_parser


def main(args: argparse.Namespace) -> None:
    """Train on the training images, and measure what it knows on the test images."""
    params = load_params(args.params)
    options, data_set, backend = params.judge, lookup(params.dataset), resolve(params.runtime)
    start = time.monotonic()

    def log(epoch: int, loss: float) -> None:
        left = (time.monotonic() - start) / epoch * (options.num_epochs - epoch)
        done = f"{epoch}/{options.num_epochs} epochs"
        print(f"judge: {done}, loss {loss:.4f}, {left:.0f} s left", flush=True)

    load = load_factors if data_set.factors else load_split
    train, test = (load(args.data, data_set, split) for split in SPLITS)
    if options.weights:
        judge = load_judge(Path(options.weights), params.dataset)
    else:
        judge = train_judge(train.images, train[1], data_set, options, backend, log)
    # The same sizes and training images as when generated images are measured.
    num = params.evaluate.num_samples
    tested, *real = (
        scale(images, data_set.value_range)
        for images in (test.images, test.images[:num], train.images[:num])
    )
    if data_set.factors:
        read = read_factors(judge, data_set.factors, tested)
        metrics = reading_r2(read, test[1], data_set.factors)
    else:
        right = classify(judge, tested) == test[1]
        metrics = {"accuracy_test": right.double().mean().item()}
    for name, value in metrics.items():
        print(f"judge: {name} = {value:.4f} on {len(tested)} test images", flush=True)

    floor = frechet_distance(*(penultimate_features(judge, images) for images in real))
    save_judge(args.out / "weights.safetensors", judge, params.dataset)
    metrics |= {
        "num_test": len(tested),
        "frechet_floor": floor,
        "num_parameters": count_parameters(judge),
    }
    write_file(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser(
        "Train the judge of generated images.", data="folder of the packed splits"
    )
    options.add_argument("--out", type=Path, default=Path("runs/judge"), help="output folder")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
