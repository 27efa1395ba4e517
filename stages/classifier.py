"""Stage `classifier`: the instrument that names the digits of generated images."""

import argparse
import json
import time
from pathlib import Path

from infogan.classifier import (
    classify,
    penultimate_features,
    save_classifier,
    train_classifier,
)
from infogan.datasets import load_split, lookup, scale
from infogan.frechet import frechet_distance
from infogan.networks import count_parameters
from infogan.params import load_params
from infogan.runtime import resolve
from infogan.writing import write_file
from stages import run_stage, stage_parser


def main(args: argparse.Namespace) -> None:
    """Train on the training images, and measure the accuracy on the test images."""
    params = load_params(args.params)
    options, data_set = params.classifier, lookup(params.dataset)
    train, test = (load_split(args.data, params.dataset, split) for split in ("train", "test"))
    start = time.monotonic()

    def log(epoch: int, measures: dict[str, float]) -> None:
        left = (time.monotonic() - start) / epoch * (options.num_epochs - epoch)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in measures.items())
        print(
            f"classifier: {epoch}/{options.num_epochs} epochs, {shown}, {left:.0f} s left",
            flush=True,
        )

    classifier = train_classifier(
        *train,
        data_set.num_classes,
        data_set.value_range,
        options,
        resolve(params.runtime),
        log,
    )
    predictions = classify(classifier, scale(test.images, data_set.value_range))
    accuracy = (predictions == test.labels).double().mean().item()
    print(f"classifier: {accuracy:.2%} of {len(test.images)} test images correct", flush=True)

    # The same sizes and training images as when generated images are measured.
    real = [split.images[: params.evaluate.num_samples] for split in (test, train)]
    floor = frechet_distance(
        *(penultimate_features(classifier, scale(i, data_set.value_range)) for i in real)
    )

    save_classifier(args.out / "weights.safetensors", classifier, params.dataset)
    metrics = {
        "accuracy_test": accuracy,
        "num_test": len(test.images),
        "frechet_floor": floor,
        "num_parameters": count_parameters(classifier),
    }
    write_file(args.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser("Train the classifier that judges generated images.")
    options.add_argument("--data", type=Path, required=True, help="folder of the packed splits")
    options.add_argument("--out", type=Path, default=Path("runs/classifier"), help="output folder")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
