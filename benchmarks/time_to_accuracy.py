"""Measure how long a training takes until c1 sorts digits with a given accuracy.

    python -m benchmarks.time_to_accuracy --seeds 5 --out docs/measurements/time_to_accuracy.md

The first 5,000 training images are held out. Every 50 steps half of them give the map from
category to digit and the other half the accuracy; neither that nor the rest counts as training
time. Nothing of the test set is read.
"""

import argparse
import statistics
import time
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from infogan.base.images import scale
from infogan.base.packed import load_split
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate.sorting import BATCH_SIZE, contingency, match_categories
from infogan.method.networks import TABLES
from infogan.method.runtime import resolve
from infogan.objectives import OBJECTIVES
from infogan.params import Params, load_params
from infogan.report import document as doc
from infogan.train.loop import shuffled_batches
from infogan.train.players import Players, make_players
from infogan.train.step import Game, train_step

HELD_OUT = 5_000
STEPS_BETWEEN_LOOKS = 50


def seconds_to(goal: float, params: Params, seed: int, data: Path) -> tuple[int, float]:
    """Steps and seconds of training until `goal`, or all steps and infinity."""
    data_set, backend = lookup(params.dataset), resolve(params.runtime)
    split = load_split(data, data_set, "train")
    images, labels = split.images, split.labels
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    players = make_players(TABLES[data_set.networks], params, seed, backend)
    rest = images[HELD_OUT:].to(backend.device)
    batches = shuffled_batches(
        len(rest), params.training.batch_size, random_stream(seed, "batches"), backend.device
    )
    rng = random_stream(seed, "latents", backend.device)
    seconds = 0.0
    for step in range(STEPS_BETWEEN_LOOKS, params.num_steps + 1, STEPS_BETWEEN_LOOKS):
        begin = time.perf_counter()
        for indices in islice(batches, STEPS_BETWEEN_LOOKS):
            train_step(players, game, scale(rest[indices], data_set.value_range), rng)
        seconds += time.perf_counter() - begin
        reached = accuracy(players, game, images[:HELD_OUT], labels[:HELD_OUT])
        print(f"seed {seed}  step {step}  {seconds:.0f} s  accuracy {reached:.3f}", flush=True)
        if reached >= goal:
            return step, seconds
    return params.num_steps, float("inf")


@torch.no_grad()
def accuracy(players: Players, game: Game, images: Tensor, labels: Tensor) -> float:
    """Matched accuracy on the second half of the images, the map fitted on the first."""
    data_set, backend = lookup(game.params.dataset), game.backend
    discriminator = players.discriminator.eval()
    answers = []
    for batch in images.split(BATCH_SIZE):
        scaled = scale(batch.to(backend.device), data_set.value_range).to(backend.precision)
        answers.append(game.recognise(discriminator, discriminator.trunk(scaled)).logits[0])
    discriminator.train()
    categories = torch.cat(answers).argmax(dim=1).cpu().numpy()
    half, names = len(images) // 2, labels.numpy()
    size = game.layout.categorical[0]
    counts = contingency(categories[:half], names[:half], size, data_set.num_classes)
    return float((match_categories(counts)[categories[half:]] == names[half:]).mean())


def report(goal: float, found: dict[int, tuple[int, float]], machine: dict[str, str | int]) -> str:
    """The page; `found` holds the steps and seconds of each seed."""
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    steps, seconds = (statistics.median(values) for values in zip(*found.values(), strict=True))
    rows = [*((f"{seed}", *found[seed]) for seed in sorted(found)), ("median", steps, seconds)]
    return doc.markdown(
        [
            f"# Time until c1 sorts {goal:.0%} of the images rightly",
            f"Made by `python -m benchmarks.time_to_accuracy` on {told}: accuracy on 2,500 of the "
            "first 5,000 training images, held out, looked at every "
            f"{STEPS_BETWEEN_LOOKS} steps; seconds of training alone.",
            doc.Table(
                ("Seed", "steps", "seconds"),
                [(name, f"{steps:.0f}", f"{seconds:.0f}") for name, steps, seconds in rows],
            ),
        ]
    )


def main() -> None:
    """Train with each seed until the goal, and write what it took."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_accuracy", description=__doc__
    )
    options.add_argument("--params", type=Path, default=Path("params.yaml"))
    options.add_argument("--data", type=Path, default=Path("data/mnist"))
    options.add_argument("--goal", type=float, default=0.95, help="accuracy to reach (0.95)")
    options.add_argument("--seeds", type=int, default=5, help="trainings (5)")
    options.add_argument("--out", type=Path, default=Path("docs/measurements/time_to_accuracy.md"))
    given = options.parse_args()
    params = load_params(given.params)
    found = {seed: seconds_to(given.goal, params, seed, given.data) for seed in range(given.seeds)}
    given.out.write_text(report(given.goal, found, resolve(params.runtime).describe()))
    print(f"time_to_accuracy: {given.out}")


if __name__ == "__main__":
    main()
