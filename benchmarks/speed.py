"""Measure how fast training is, against the machine's own rate and against a public port.

    python -m benchmarks.speed --port PATH

Every row is measured in processes of its own, in turn with the others and several times over, so
that what else the machine does meets them all; the table shows medians. PATH is a checkout of
https://github.com/Natsu6767/InfoGAN-PyTorch, whose own train.py is timed between its batches.
"""

import argparse
import os
import resource
import runpy
import sys
import tempfile
import time
import timeit
import types
from contextlib import suppress
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.harness import ALL_CORES, call, changed, options, write_page
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.method.networks import TABLES
from infogan.method.runtime import Backend, resolve
from infogan.objectives import OBJECTIVES
from infogan.params import Params, load_params
from infogan.report import document as doc
from infogan.train.loop import train
from infogan.train.players import make_players
from infogan.train.step import Game, train_step
from stages import PARAMS, run_stage

PORT = "Natsu6767/InfoGAN-PyTorch"
WARM_UP, NUM_STEPS = 5, 17  # steps before the clock starts, and all
BATCH_SIZE, NUM_IMAGES = 128, 60_000
USUAL = {"runtime.precision": "bfloat16", "runtime.threads": ALL_CORES}
USUAL |= {"training.batch_size": BATCH_SIZE, "training.held_out_images": 0}
USUAL |= {"num_steps": NUM_STEPS, "training.log_every": 1, "training.film_frames": 1}

# What each row changes in which parameters; its number of images is that of the data.
OURS, RELEASE, FLOAT32 = "params.yaml", "presets/release.yaml", {"runtime.precision": "float32"}
OTHERS = ("svhn", "celeba", "faces_azimuth", "chairs_rotation")
ROWS: dict[str, tuple[str, dict[str, Any], int]] = {
    "default": (OURS, {}, NUM_IMAGES),
    "default, float32": (OURS, FLOAT32, NUM_IMAGES),
    "release": (RELEASE, {}, NUM_IMAGES),
    "release, float32": (RELEASE, FLOAT32, NUM_IMAGES),
    "default, 1 thread": (OURS, {"runtime.threads": 1}, NUM_IMAGES),
    "default, batch 32": (OURS, {"training.batch_size": 32}, NUM_IMAGES),
    "default, batch 512": (OURS, {"training.batch_size": 512}, NUM_IMAGES),
    "default, 600,000 images": (OURS, {}, 600_000),
    "default, 100 categories": (OURS, {"codes.categorical": [100]}, NUM_IMAGES),
    **{name: (f"presets/{name}.yaml", {}, NUM_IMAGES) for name in OTHERS},
}


def measure(preset: str, changes: dict[str, Any], num_images: int) -> dict[str, float]:
    """Our step, in this process."""
    params = changed(load_params(PARAMS, preset), USUAL | changes)
    backend, objective = resolve(params.runtime), OBJECTIVES["infogan"](params)
    shape = (num_images, *TABLES[lookup(params.dataset).networks].image_shape)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    times: list[float] = []
    train(images, params, objective, 0, backend, lambda *_: times.append(time.perf_counter()))
    found = measured(times, params.training.batch_size, backend.precision)
    return found | {"flop": step_flop(params, backend)}


def measure_port(port: str) -> dict[str, float]:
    """A step of the port's own program, in this process, on random images."""
    torch.set_num_threads(ALL_CORES)
    os.environ["MPLBACKEND"] = "Agg"
    times: list[float] = []

    def tick(*_: object) -> None:
        times.append(time.perf_counter())
        if len(times) == 2 * NUM_STEPS:
            raise EOFError

    register_optimizer_step_post_hook(tick)  # D's and then G's, in every step
    batch = torch.rand(BATCH_SIZE, 1, 28, 28), torch.zeros(BATCH_SIZE)
    loader: Any = types.ModuleType("dataloader")
    loader.get_data = lambda *_: [batch] * (NUM_IMAGES // BATCH_SIZE)
    sys.modules["dataloader"] = loader
    sys.path.insert(0, port)
    # The torch of its time filled with floats whatever the value; its losses need that.
    torch.full = partial(torch.full, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # it writes pictures where it stands
        with suppress(EOFError):
            runpy.run_path(f"{port}/train.py")
    return measured(times[1::2], BATCH_SIZE, torch.float32) | {"flop": nan}


def measured(times: list[float], batch_size: int, precision: torch.dtype) -> dict[str, float]:
    """Median seconds between the times, images, most memory in GiB, and the machine's FLOP/s."""
    step = float(np.median(np.diff(times[WARM_UP - 1 :])))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 2**30
    return {"step": step, "batch": batch_size, "peak": peak, "rate": matrix_rate(precision)}


def matrix_rate(precision: torch.dtype) -> float:
    """FLOP/s in products of 2048 x 2048 matrices: the fastest of five rounds."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    matrix = torch.randn(2048, 2048, device=device).to(precision)
    seconds = timeit.repeat(lambda: (matrix @ matrix)[0, 0].item(), number=4, repeat=5)
    return 4 * 2 * 2048**3 / min(seconds)


def step_flop(params: Params, backend: Backend) -> int:
    """Operations in a step's matrix products and convolutions, two for a multiply-add.

    All else goes uncounted: batch norm, activations, the sampling of mapped images, Adam, and the
    sum over patches in G's last layer, whose matrix product counts.
    """
    table = TABLES[lookup(params.dataset).networks]
    players = make_players(table, params, 0, backend)
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    shape = (params.training.batch_size, *table.image_shape)
    images = torch.zeros(shape, device=backend.device)
    with FlopCounterMode(display=False) as counter:
        train_step(players, game, images, random_stream(0, "latents", backend.device))
    return counter.get_total_flops()


def table(medians: pd.DataFrame) -> doc.Table:
    """What was measured of each row, in the page's units; a dash for what is not known."""
    step, batch, rate, flop = (medians[name] for name in ("step", "batch", "rate", "flop"))
    columns = {
        "ms a step": (1000 * step).map("{:.0f}".format),
        "images/s": (batch / step).map("{:.0f}".format),
        "matrix rate, GFLOP/s": (rate / 1e9).map("{:.0f}".format),
        "MFLOP an image": (flop / batch / 1e6).map("{:.1f}".format),
        "share of the floor": (flop / rate / step).map("{:.2f}".format),
        "peak GiB": medians["peak"].map("{:.2f}".format),
        "the port's step / this": (step.get(PORT, nan) / step).map("{:.2f}".format),
    }
    rows = pd.DataFrame(columns).replace("nan", "-").reset_index().to_numpy().tolist()
    return doc.Table(("Setting", *columns), rows)


def main(given: argparse.Namespace) -> None:
    """Measure all rows in turn, and write the page."""
    calls: dict[str, tuple[Any, ...]]
    calls = {row: ("benchmarks.speed.measure", *ROWS[row]) for row in given.only or ROWS}
    if given.port:
        calls[PORT] = ("benchmarks.speed.measure_port", str(given.port.resolve()))
    found = []
    for _ in range(given.rounds):
        for name, words in calls.items():
            found.append({"row": name} | call(*words))
            print(f"{name}  {1000 * found[-1]['step']:.0f} ms", flush=True)
    write_page(
        given,
        "Speed of training",
        f"Medians of {given.rounds} rounds; batch {BATCH_SIZE}, {ALL_CORES} threads and bfloat16 "
        f"unless said otherwise. {PORT} computes in float32; `--port` measures it.",
        table(pd.DataFrame(found).groupby("row", sort=False).median()),
        "MFLOP: of matrix products and convolutions, two for a multiply-add. Floor: the time that "
        "they take at the rate at which the same process multiplied 2048 x 2048 matrices.",
    )


if __name__ == "__main__":
    parser = options("speed", __doc__)
    parser.add_argument("--port", type=Path, help=f"checkout of {PORT}")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row (5)")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help="rows (all)")
    run_stage(main, parser)
