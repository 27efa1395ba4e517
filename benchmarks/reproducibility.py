"""Measure what becomes of a training when its arithmetic is rounded otherwise.

    python -m benchmarks.reproducibility --python /other/bin/python

Only the same seed, machine kind, thread count and library versions are promised to give the same
bytes. Here one training is run again as it was, and then with what is not promised: another number
of threads, another precision, the vector instructions of an older processor, and the torch of
another interpreter. Nothing of the test set is read, and no label.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.numpy import load_file, save_file
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from benchmarks.speed import ALL_CORES
from infogan.base.images import scale
from infogan.base.packed import load_split
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate.sorting import BATCH_SIZE
from infogan.method.networks import TABLES
from infogan.method.runtime import resolve
from infogan.objectives import OBJECTIVES
from infogan.params import load_params
from infogan.report import document as doc
from infogan.train.loop import shuffled_batches
from infogan.train.players import Players, make_players
from infogan.train.step import Game, train_step

NUM_IMAGES = 5_000  # sorted by c1, and as many generated
# Without these torch and its libraries take the widest instructions that the processor has.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}

Outcome = dict[str, np.ndarray]


@dataclass(frozen=True)
class Variant:
    """One way to compute the same training; `compared_with` names another's row."""

    compared_with: str = ""
    precision: str = "bfloat16"
    threads: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable


def variants(other_python: str) -> dict[str, Variant]:
    """All rows of the table."""
    rows = {
        "bfloat16": Variant(),
        "the same again": Variant("bfloat16"),
        f"{ALL_CORES} threads": Variant("bfloat16", threads=ALL_CORES),
        "float32": Variant("bfloat16", "float32"),
        "float32 with AVX2 alone": Variant("float32", "float32", environment=AVX2),
    }
    if other_python:
        rows["another torch"] = Variant("bfloat16", python=other_python)
    return rows


def work(variant: Variant, steps: list[int], params_file: Path, data: Path, out: Path) -> None:
    """Train until the last of `steps`; write what G draws and how Q sorts after each of them."""
    values = load_params(params_file)
    runtime = values.runtime.model_copy(
        update={"precision": variant.precision, "threads": variant.threads}
    )
    params = values.model_copy(update={"runtime": runtime})
    data_set, backend = lookup(params.dataset), resolve(params.runtime)
    images = load_split(data, data_set, "train").images
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    players = make_players(TABLES[data_set.networks], params, 0, backend)
    batches = shuffled_batches(
        len(images), params.training.batch_size, random_stream(0, "batches"), backend.device
    )
    rng = random_stream(0, "latents", backend.device)
    outcome, done = {}, 0
    for step in steps:
        for indices in islice(batches, step - done):
            batch = scale(images[indices].to(backend.device), data_set.value_range)
            train_step(players, game, batch, rng)
        done = step
        outcome[f"images.{step}"] = drawn(players, game)
        real = scale(images[:NUM_IMAGES], data_set.value_range)
        outcome[f"categories.{step}"] = sorted_by_c1(players, game, real)
    save_file(outcome, out)
    print(torch.__version__)


@torch.no_grad()
def drawn(players: Players, game: Game) -> Float[np.ndarray, "image channel height width"]:
    """G's images of the same latents, in 0..255."""
    rng = random_stream(0, "compared", game.backend.device)
    generator = players.generator.eval()
    low, high = lookup(game.params.dataset).value_range
    images = [
        game.generate(generator, game.sample_latents(rng)).float().cpu()
        for _ in range(NUM_IMAGES // game.params.training.batch_size)
    ]
    generator.train()
    scaled: np.ndarray = ((torch.cat(images) - low) * (255 / (high - low))).numpy()
    return scaled


@torch.no_grad()
def sorted_by_c1(players: Players, game: Game, images: Tensor) -> Int[np.ndarray, " image"]:
    """The category that Q finds most likely."""
    discriminator = players.discriminator.eval()
    categories = [
        game.recognise(
            discriminator,
            discriminator.trunk(batch.to(game.backend.device, game.backend.precision)),
        )
        .logits[0]
        .argmax(dim=1)
        .cpu()
        for batch in images.split(BATCH_SIZE)
    ]
    discriminator.train()
    found: np.ndarray = torch.cat(categories).numpy()
    return found


def difference(ours: Outcome, theirs: Outcome, step: int) -> tuple[float, float]:
    """Mean difference of the pixels, of 255, and agreement of the partitions (adjusted Rand)."""
    pixels = np.abs(ours[f"images.{step}"] - theirs[f"images.{step}"]).mean()
    partitions = (run[f"categories.{step}"] for run in (ours, theirs))
    return float(pixels), float(adjusted_rand_score(*partitions))


def table(rows: dict[str, Variant], outcomes: dict[str, Outcome], steps: list[int]) -> doc.Table:
    """Each variant against the one it is compared with."""
    cells = []
    for name, variant in rows.items():
        if not variant.compared_with:
            continue
        other = outcomes[variant.compared_with]
        found = [difference(outcomes[name], other, step) for step in steps]
        cells.append(
            (
                name,
                variant.compared_with,
                *(f"{pixels:.3g}" if pixels else "0, the same bits" for pixels, _ in found),
                f"{found[-1][1]:.3f}",
            )
        )
    header = ("Variant", "Compared with", *(f"after {step}" for step in steps), "Q's partitions")
    return doc.Table(header, cells)


def report(
    rows: dict[str, Variant],
    outcomes: dict[str, Outcome],
    versions: dict[str, str],
    steps: list[int],
) -> list[doc.Block]:
    """The page."""
    machine = resolve(load_params(Path("params.yaml")).runtime).describe()
    told = [f"{key} {machine[key]}" for key in ("device", "machine", "processor", "python")]
    torches = ", ".join(f"{name}: {version}" for name, version in versions.items())
    return [
        "# What rounding does to a training",
        "Made by `python -m benchmarks.reproducibility`: the default, seed 0, trained once for "
        f"each row on {', '.join(told)}; one thread unless said otherwise.",
        "Columns: the mean difference of the pixels, of 255, between the images that two "
        f"trainings draw of the same {NUM_IMAGES:,} latents after that many steps; and, after the "
        "last, the adjusted Rand index of the categories into which they sort the first "
        f"{NUM_IMAGES:,} training images, 1 where both sort alike.",
        table(rows, outcomes, steps),
        f"Versions of torch: {torches}.",
    ]


def main() -> None:
    """Train every variant in a process of its own, and write how far they end apart."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.reproducibility", description=__doc__
    )
    options.add_argument("--params", type=Path, default=Path("params.yaml"))
    options.add_argument("--data", type=Path, default=Path("data/mnist"))
    options.add_argument(
        "--steps", type=int, nargs="+", default=[1, 10, 100, 300], help="when to compare"
    )
    options.add_argument("--python", default="", help="interpreter with another torch")
    options.add_argument("--out", type=Path, default=Path("docs/measurements/reproducibility.md"))
    options.add_argument("--worker", help=argparse.SUPPRESS)
    given = options.parse_args()
    steps = sorted(given.steps)
    if given.worker:
        work(Variant(**json.loads(given.worker)), steps, given.params, given.data, given.out)
        return

    rows, outcomes, versions = variants(given.python), {}, {}
    with TemporaryDirectory() as scratch:
        for name, variant in rows.items():
            file = Path(scratch) / "outcome.safetensors"
            command = [variant.python, "-m", "benchmarks.reproducibility"]
            command += ["--worker", json.dumps(asdict(variant)), "--out", str(file)]
            command += ["--params", str(given.params), "--data", str(given.data)]
            command += ["--steps", *map(str, steps)]
            environment = os.environ | variant.environment
            environment["OMP_NUM_THREADS"] = str(variant.threads)
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"error: {name}: {done.stderr.strip().splitlines()[-1]}")
            versions[name], outcomes[name] = done.stdout.strip(), load_file(file)
            print(f"{name}: done", flush=True)
    given.out.write_text(doc.markdown(report(rows, outcomes, versions, steps)))
    print(f"reproducibility: {given.out}")


if __name__ == "__main__":
    main()
