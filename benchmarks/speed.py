"""Measure how fast training is, against the machine's own rate and against a public port.

    python -m benchmarks.speed --port PATH --out docs/measurements/speed.md

Every setting runs in processes of its own, in turn with the others and several times over, so that
what else the machine does meets them all; the table shows medians. PATH is a checkout of
https://github.com/Natsu6767/InfoGAN-PyTorch, whose own train.py is timed between its batches;
without it that row says so.
"""

import argparse
import json
import os
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.operations import step_multiply_adds
from infogan.base.images import scale
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.method.networks import TABLES, Table
from infogan.method.runtime import resolve
from infogan.objectives import OBJECTIVES
from infogan.params import Params, load_params
from infogan.report import document as doc
from infogan.train.loop import shuffled_batches
from infogan.train.players import make_players
from infogan.train.step import Game, train_step

PORT = "Natsu6767/InfoGAN-PyTorch"
WARM_UP = 4  # steps before the clock starts
NUM_STEPS = 12
ALL_CORES = os.cpu_count() or 1


@dataclass(frozen=True)
class Setting:
    """One way to train, as far as it changes the time of a step."""

    preset: str = "params.yaml"
    precision: str = "bfloat16"
    threads: int = ALL_CORES
    batch_size: int = 128
    categories: int = 0  # of a single code; 0: the preset's codes
    num_images: int = 60_000
    port: str = ""

    def params(self) -> Params:
        """The preset with this setting's values."""
        values = load_params(Path(self.preset)).model_dump()
        values["training"] |= {"batch_size": self.batch_size, "held_out_images": 0}
        if self.categories:
            values["codes"]["categorical"] = [self.categories]
        values["runtime"] |= {"precision": self.precision, "threads": self.threads}
        return Params.model_validate(values)

    @property
    def table(self) -> Table:
        """The layers that fit the preset's data."""
        return TABLES[lookup(self.params().dataset).networks]


def seconds_per_step(setting: Setting) -> Iterator[float]:
    """The time of each step, on random images."""
    params = setting.params()
    backend = resolve(params.runtime)
    table = setting.table
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    players = make_players(table, params, 0, backend)
    shape = (setting.num_images, *table.image_shape)
    images = torch.randint(0, 256, shape, dtype=torch.uint8).to(backend.device)
    batches = shuffled_batches(
        len(images), setting.batch_size, random_stream(0, "batches"), backend.device
    )
    rng = random_stream(0, "latents", backend.device)
    for _ in range(WARM_UP + NUM_STEPS):
        begin = time.perf_counter()
        measures = train_step(players, game, scale(images[next(batches)], (0.0, 1.0)), rng)
        measures["generator_loss"].item()  # waits for the device
        yield time.perf_counter() - begin


class _Enough(Exception):
    """The port has taken all steps that are timed."""


class _TimedBatches:
    """Stands in for the port's data loader: random images, and the time of every request."""

    def __init__(self, batch_size: int) -> None:
        self.batch = torch.rand(batch_size, 1, 28, 28), torch.zeros(batch_size)
        self.requests: list[float] = []

    def __len__(self) -> int:
        return 60_000 // len(self.batch[1])

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self.requests.clear()
        while len(self.requests) <= WARM_UP + NUM_STEPS:
            self.requests.append(time.perf_counter())
            yield self.batch
        raise _Enough


def port_seconds_per_step(setting: Setting) -> Iterator[float]:
    """The time of each step of the port's own program."""
    torch.set_num_threads(setting.threads)
    os.environ["MPLBACKEND"] = "Agg"
    batches = _TimedBatches(setting.batch_size)
    loader: Any = types.ModuleType("dataloader")
    loader.get_data = lambda *_: batches
    sys.modules["dataloader"] = loader
    sys.path.insert(0, setting.port)
    # The torch of its time filled with floats whatever the value; its losses need that.
    torch.full = partial(torch.full, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # it writes pictures where it stands
        with suppress(_Enough):
            runpy.run_path(f"{setting.port}/train.py")
        os.chdir("/")
    yield from (after - before for before, after in pairwise(batches.requests))


def matrix_rate(precision: str, threads: int) -> float:
    """Multiply-adds a second in products of 2048 x 2048 matrices: the fastest of five rounds."""
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    matrix = torch.randn(2048, 2048, device=device).to(getattr(torch, precision))
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(4):
            product = matrix @ matrix
        product[0, 0].item()
        best = min(best, (time.perf_counter() - begin) / 4)
    return 2048**3 / best


def measure(setting: Setting) -> dict[str, float]:
    """One round of a setting, in this process."""
    threads = setting.threads
    rate = matrix_rate(setting.precision, threads)
    # Before the images are made, the process has only itself.
    steps = port_seconds_per_step(setting) if setting.port else seconds_per_step(setting)
    timed = list(steps)[WARM_UP:]
    return {"step": statistics.median(timed), "rate": rate, "peak": peak_gib()}


def peak_gib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_in_turn(settings: dict[str, Setting], rounds: int) -> dict[str, dict[str, float]]:
    """The median of all rounds of each setting; a line on the terminal for each."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in settings}
    for index in range(rounds):
        for name, setting in settings.items():
            command = [sys.executable, "-m", "benchmarks.speed", "--worker"]
            environment = os.environ | {"OMP_NUM_THREADS": str(setting.threads)}
            done = subprocess.run(
                [*command, json.dumps(asdict(setting))],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"error: {name}: {done.stderr.strip().splitlines()[-1]}")
            values = json.loads(done.stdout.splitlines()[-1])
            found[name].append(values)
            print(f"round {index + 1}  {name}  {1000 * values['step']:.0f} ms", flush=True)
    return {
        name: {key: statistics.median(v[key] for v in values) for key in values[0]}
        for name, values in found.items()
    }


def settings_of(port: str) -> dict[str, Setting]:
    """All rows of the table."""
    release = "presets/release.yaml"
    rows = {
        "default": Setting(),
        "default, float32": Setting(precision="float32"),
        "release": Setting(release),
        "release, float32": Setting(release, "float32"),
    }
    if port:
        rows[f"{PORT}, float32"] = Setting(precision="float32", port=port)
    for threads in range(1, ALL_CORES):
        rows[f"default, {threads} thread{'s' * (threads > 1)}"] = Setting(threads=threads)
    for batch_size in (32, 64, 256, 512, 1024):
        rows[f"default, batch {batch_size}"] = Setting(batch_size=batch_size)
    rows["default, 600,000 images"] = Setting(num_images=600_000)
    rows["default, 100 categories"] = Setting(categories=100)
    for preset in ("svhn", "celeba", "faces_azimuth", "chairs_rotation"):
        rows[preset] = Setting(f"presets/{preset}.yaml")
    return rows


def floor_seconds(setting: Setting, rate: float) -> float:
    """The time of the step's multiply-adds alone, at a rate."""
    return setting.batch_size * sum(passes_of(setting).values()) / rate


def passes_of(setting: Setting) -> dict[str, int]:
    """Multiply-adds of a step by pass, per image."""
    params = setting.params()
    return step_multiply_adds(
        setting.table,
        params.codes,
        params.networks,
        OBJECTIVES["infogan"](params),
        fresh=params.training.fresh_latents,
    )


def document(settings: dict[str, Setting], measured: dict[str, dict[str, float]]) -> str:
    """The report."""
    backend = resolve(settings["default"].params().runtime)
    rows = []
    for name, setting in settings.items():
        values = measured[name]
        share = (
            "-"
            if setting.port
            else f"{floor_seconds(setting, values['rate']) / values['step']:.2f}"
        )
        rows.append(
            (
                name,
                f"{1000 * values['step']:.0f}",
                f"{setting.batch_size / values['step']:.0f}",
                f"{2 * values['rate'] / 1e9:.0f}",
                share,
                f"{values['peak']:.2f}",
            )
        )
    header = (
        "Setting",
        "ms a step",
        "images/s",
        "matrix rate, GFLOP/s",
        "share of the floor",
        "peak GiB",
    )
    counts = [
        (name, *(f"{passes_of(Setting(preset)).get(name, 0) / 1e6:.1f}" for preset in PRESETS))
        for name in passes_of(Setting())
    ]
    totals = [f"{sum(passes_of(Setting(preset)).values()) / 1e6:.1f}" for preset in PRESETS]
    parts: list[doc.Block] = [
        "# Speed of training",
        "Made by `python -m benchmarks.speed`: medians of settings run in turn, on "
        + ", ".join(f"{key} {value}" for key, value in backend.describe().items())
        + f". Batch 128, {ALL_CORES} threads and bfloat16 unless said otherwise.",
        doc.Table(header, rows),
        "The floor is the time that a step's multiply-adds would take at the rate at which the "
        "same process multiplied 2048 x 2048 matrices; counted per image, in millions:",
        doc.Table(("Pass", *PRESETS), [*counts, ("all", *totals)]),
        *ratios(measured),
    ]
    return doc.markdown(parts)


PRESETS = ("params.yaml", "presets/release.yaml")


def ratios(measured: dict[str, dict[str, float]]) -> list[str]:
    """What the port takes for a step, as a multiple of ours."""
    port = measured.get(f"{PORT}, float32")
    if port is None:
        how = f"clone https://github.com/{PORT} and name its folder with `--port`"
        return [f"The comparison with {PORT} was not run: {how}."]
    both = [
        f"{port['step'] / measured[name]['step']:.2f} times `{name}`"
        for name in ("release", "release, float32", "default")
    ]
    return [f"A step of {PORT}, float32, takes " + ", ".join(both) + "."]


def main() -> None:
    """Measure and write the report, or one round of one setting."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    options.add_argument("--port", default="", help=f"checkout of {PORT}")
    options.add_argument("--rounds", type=int, default=5, help="runs of each setting (5)")
    options.add_argument("--out", type=Path, default=Path("docs/measurements/speed.md"))
    options.add_argument("--worker", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.worker:
        print(json.dumps(measure(Setting(**json.loads(given.worker)))))
        return
    settings = settings_of(str(Path(given.port).resolve()) if given.port else "")
    given.out.write_text(document(settings, measure_in_turn(settings, given.rounds)))
    print(f"speed: {given.out}")


if __name__ == "__main__":
    main()
