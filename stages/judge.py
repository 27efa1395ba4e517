"""Stage `judge`: the instrument that judges generated images, trained on real ones.

It names classes, such as digits, or reads factors where those are known instead.
"""

import argparse
import json
import time
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from infogan.base.dataset import SPLITS, DataSet
from infogan.base.files import write_file
from infogan.base.images import scale
from infogan.base.packed import load_factors, load_split
from infogan.datasets import lookup
from infogan.judge.classifier import classify, train_classifier
from infogan.judge.frechet import frechet_distance
from infogan.judge.judge import Judge, Log, load_judge, penultimate_features, save_judge
from infogan.judge.regressor import read_factors, reading_r2, train_regressor
from infogan.method.networks import count_parameters
from infogan.method.runtime import resolve
from infogan.params import Params, load_params
from stages import run_stage, stage_parser

Images = UInt8[Tensor, "image channel height width"]


def main(args: argparse.Namespace) -> None:
    """Train on the training images, and measure what it knows on the test images."""
    params = load_params(args.params)
    options, data_set = params.judge, lookup(params.dataset)
    start = time.monotonic()

    def log(epoch: int, loss: float) -> None:
        left = (time.monotonic() - start) / epoch * (options.num_epochs - epoch)
        done = f"{epoch}/{options.num_epochs} epochs"
        print(f"judge: {done}, loss {loss:.4f}, {left:.0f} s left", flush=True)

    train = _train_on_factors if data_set.factors else _train_on_classes
    judge, metrics, images = train(args.data, data_set, params, log)
    for name, value in metrics.items():
        print(f"judge: {name} = {value:.4f} on {len(images['test'])} test images", flush=True)

    # The same sizes and training images as when generated images are measured.
    real = [images[split][: params.evaluate.num_samples] for split in ("test", "train")]
    floor = frechet_distance(
        *(penultimate_features(judge, scale(i, data_set.value_range)) for i in real)
    )

    save_judge(args.out / "weights.safetensors", judge, params.dataset)
    metrics |= {
        "num_test": len(images["test"]),
        "frechet_floor": floor,
        "num_parameters": count_parameters(judge),
    }
    write_file(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def _train_on_classes(
    folder: Path, data_set: DataSet, params: Params, log: Log
) -> tuple[Judge, dict[str, float], dict[str, Images]]:
    """A classifier, its accuracy, and the images of both splits."""
    train, test = (load_split(folder, data_set, split) for split in SPLITS)
    backend = resolve(params.runtime)
    judge = _given(params) or train_classifier(*train, data_set, params.judge, backend, log)
    predictions = classify(judge, scale(test.images, data_set.value_range))
    accuracy = (predictions == test.labels).double().mean().item()
    return judge, {"accuracy_test": accuracy}, {"train": train.images, "test": test.images}


def _train_on_factors(
    folder: Path, data_set: DataSet, params: Params, log: Log
) -> tuple[Judge, dict[str, float], dict[str, Images]]:
    """A regressor of factors, its R2 for each, and the images of both splits."""
    train, test = (load_factors(folder, data_set, split) for split in SPLITS)
    backend = resolve(params.runtime)
    judge = _given(params) or train_regressor(*train, data_set, params.judge, backend, log)
    read = read_factors(judge, data_set.factors, scale(test.images, data_set.value_range))
    scores = reading_r2(read, test.factors, data_set.factors)
    metrics = {
        f"{factor.name}_r2": float(score)
        for factor, score in zip(data_set.factors, scores, strict=True)
    }
    return judge, metrics, {"train": train.images, "test": test.images}


def _given(params: Params) -> Judge | None:
    """The judge that the parameters name, in place of training one."""
    weights = params.judge.weights
    return load_judge(Path(weights), params.dataset) if weights else None


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser("Train the judge of generated images.")
    options.add_argument("--data", type=Path, required=True, help="folder of the packed splits")
    options.add_argument("--out", type=Path, default=Path("runs/judge"), help="output folder")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
