"""Measure how long a training takes until c1 sorts digits with a given accuracy.

    python -m benchmarks.time_to_accuracy --seeds 5

The first 5,000 training images are held out. Every 50 steps, while the clock stands, half of them
give the map from category to digit and the other half the accuracy.
"""

import argparse
import time
from pathlib import Path
from statistics import median

from benchmarks.harness import Training, options, write_page
from infogan.base.images import Split
from infogan.base.packed import load_split
from infogan.datasets import lookup
from infogan.evaluate.sorting import contingency, match_categories
from infogan.params import Params, load_params
from infogan.report import document as doc
from stages import run_stage

HELD_OUT = 5_000
STEPS_BETWEEN_LOOKS = 50


def steps_to(goal: float, params: Params, seed: int, split: Split) -> list[float]:
    """Steps and seconds of training until `goal`, or all steps and infinity."""
    training = Training(params, split.images[HELD_OUT:], seed)
    images, labels, half = split.images[:HELD_OUT], split.labels[:HELD_OUT].numpy(), HELD_OUT // 2
    sizes = (params.codes.categorical[0], lookup(params.dataset).num_classes)
    seconds = 0.0
    for step in range(STEPS_BETWEEN_LOOKS, params.num_steps + 1, STEPS_BETWEEN_LOOKS):
        begin = time.perf_counter()
        for _ in range(STEPS_BETWEEN_LOOKS):
            loss = training.step()
        loss.item()
        seconds += time.perf_counter() - begin
        categories = training.categories(images)
        digits = match_categories(contingency(categories[:half], labels[:half], *sizes))
        reached = (digits[categories[half:]] == labels[half:]).mean()
        print(f"seed {seed}  step {step}  {seconds:.0f} s  accuracy {reached:.3f}", flush=True)
        if reached >= goal:
            return [step, seconds]
    return [params.num_steps, float("inf")]


def main(given: argparse.Namespace) -> None:
    """Train with each seed until the goal, and write what it took."""
    params = load_params(given.params)
    split = load_split(Path("data/packed"), lookup(params.dataset), "train")
    found = [steps_to(given.goal, params, seed, split) for seed in range(given.seeds)]
    found.append([median(values) for values in zip(*found, strict=True)])
    rows = [(f"{seed}", f"{steps:.0f}", f"{s:.0f}") for seed, (steps, s) in enumerate(found)]
    rows[-1] = ("median", *rows[-1][1:])
    write_page(
        given,
        f"Time until c1 sorts {given.goal:.0%} of the images rightly",
        "Accuracy on 2,500 of the first 5,000 training images, held out, looked at every "
        f"{STEPS_BETWEEN_LOOKS} steps; seconds of training alone.",
        doc.Table(("Seed", "steps", "seconds"), rows),
    )


if __name__ == "__main__":
    parser = options("time_to_accuracy", __doc__)
    parser.add_argument("--params", type=Path, help="parameter file (params.yaml)")
    parser.add_argument("--goal", type=float, default=0.95, help="accuracy to reach (0.95)")
    parser.add_argument("--seeds", type=int, default=5, help="trainings (5)")
    run_stage(main, parser)
