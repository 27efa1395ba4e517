"""Measure what becomes of a training when its arithmetic is rounded otherwise.

    python -m benchmarks.reproducibility --python /other/bin/python

Only the same seed, machine kind, thread count and library versions are promised to give the same
bytes. Here one training is run again as it was, and then with more threads, in another precision,
with the vector instructions of an older processor, and by the torch of another interpreter.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from sklearn.metrics import adjusted_rand_score

from benchmarks.harness import ALL_CORES, call, changed, options, write_page
from infogan.base.packed import load_images
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate.sorting import recognise_images
from infogan.method.codes import sample
from infogan.method.runtime import resolve
from infogan.method.traversal import generate
from infogan.objectives import OBJECTIVES
from infogan.params import load_params
from infogan.report import document as doc
from infogan.train.loop import train
from stages import PARAMS, run_stage

STEPS = (1, 10, 100)  # when to look
NUM_IMAGES = 5_000  # sorted by c1, and as many generated

VARIANTS = {  # with what each is compared, its precision and its threads
    "bfloat16": ("", "bfloat16", 1),
    "the same again": ("bfloat16", "bfloat16", 1),
    f"{ALL_CORES} threads": ("bfloat16", "bfloat16", ALL_CORES),
    "float32": ("bfloat16", "float32", 1),
    "float32 with AVX2 alone": ("float32", "float32", 1),
    "another torch": ("bfloat16", "bfloat16", 1),
}
# Without these torch and its libraries take the widest instructions that the processor has.
AVX2 = dict.fromkeys(("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"), "AVX2")
AVX2 |= {"ATEN_CPU_CAPABILITY": "avx2"}

Outcome = dict[str, np.ndarray]


def work(precision: str, threads: int, out: str) -> str:
    """Train, and write what G draws and how Q sorts after each of STEPS; torch's version."""
    runtime = {"runtime.precision": precision, "runtime.threads": threads}
    params = changed(load_params(PARAMS), runtime | {"training.average_decay": 0.0})
    data_set, backend = lookup(params.dataset), resolve(params.runtime)
    images = load_images(Path("data/packed"), data_set, "train")
    outcome: Outcome = {}
    objective, (low, high) = OBJECTIVES["infogan"](params), data_set.value_range
    latents = sample(params.codes, NUM_IMAGES, random_stream(0, "compared"))
    for steps in STEPS:
        shorter = changed(params, {"num_steps": steps})
        trained = train(images, shorter, objective, 0, backend, lambda step, means: None)
        drawn = generate(trained.generator.eval(), latents) * (255 / (high - low))
        judged = (trained.discriminator.eval(), params.codes, images[:NUM_IMAGES])
        categories = recognise_images(*judged, data_set.value_range).logits[0].argmax(1)
        outcome |= {f"images.{steps}": drawn.numpy(), f"categories.{steps}": categories.numpy()}
    save_file(outcome, out)
    return torch.__version__


def difference(ours: Outcome, theirs: Outcome, step: int) -> tuple[float, float]:
    """Mean difference of the pixels, of 255, and agreement of the partitions (adjusted Rand)."""
    pixels = np.abs(ours[f"images.{step}"] - theirs[f"images.{step}"]).mean()
    partitions = (run[f"categories.{step}"] for run in (ours, theirs))
    return float(pixels), float(adjusted_rand_score(*partitions))


def main(given: argparse.Namespace) -> None:
    """Train every variant in a process of its own, and write how far they end apart."""
    outcomes: dict[str, Outcome] = {}
    rows = []
    for name, (other, precision, threads) in VARIANTS.items():
        python = given.python if name == "another torch" else sys.executable
        if not python:
            continue
        with TemporaryDirectory() as scratch:
            what = (precision, threads, f"{scratch}/out")
            environment = AVX2 if "AVX2" in name else {}
            version = call("benchmarks.reproducibility.work", *what, python=python, **environment)
            outcomes[name] = load_file(f"{scratch}/out")
        print(f"{name}: done", flush=True)
        if other:
            found = [difference(outcomes[name], outcomes[other], step) for step in STEPS]
            pixels = (f"{mean:.3g}" if mean else "0, the same bits" for mean, _ in found)
            rows.append((f"{name} (torch {version})", other, *pixels, f"{found[-1][1]:.3f}"))
    columns = (f"after {step}" for step in STEPS)
    write_page(
        given,
        "What rounding does to a training",
        "The default with seed 0, trained once for each row, in bfloat16, with one thread and "
        "without averaged weights unless said otherwise. Columns: the mean difference of the "
        "pixels, of 255, between the images that two trainings draw of the same "
        f"{NUM_IMAGES:,} latents after that many steps; and, after the last, the adjusted Rand "
        "index of the categories into which they sort the first "
        f"{NUM_IMAGES:,} training images, 1 where both sort alike.",
        doc.Table(("Variant", "Compared with", *columns, "Q's partitions"), rows),
    )


if __name__ == "__main__":
    parser = options("reproducibility", __doc__)
    parser.add_argument("--python", default="", help="interpreter with another torch")
    run_stage(main, parser)
