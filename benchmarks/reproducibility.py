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
from jaxtyping import Float
from safetensors.numpy import load_file, save_file
from sklearn.metrics import adjusted_rand_score

from benchmarks import harness
from benchmarks.harness import ALL_CORES, Training
from infogan.base.packed import load_images
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.method.codes import sample
from infogan.params import load_params
from infogan.report import document as doc
from stages import run_stage

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


def work(precision: str, threads: int, steps: list[int], params_file: str, out: str) -> str:
    """Train, and write what G draws and how Q sorts after each of `steps`; torch's version."""
    runtime = {"runtime.precision": precision, "runtime.threads": threads}
    params = harness.changed(load_params(Path(params_file)), runtime)
    images = load_images(Path("data/packed"), lookup(params.dataset), "train")
    training, outcome = Training(params, images), {}
    for step in range(1, max(steps) + 1):
        training.step()
        if step in steps:
            outcome[f"images.{step}"] = draw(training)
            outcome[f"categories.{step}"] = training.categories(images[:NUM_IMAGES])
    save_file(outcome, out)
    return torch.__version__


@torch.no_grad()
def draw(training: Training) -> Float[np.ndarray, "image channel height width"]:
    """G's images of the same latents every time, in 0..255."""
    backend, (low, high) = training.backend, training.value_range
    rng = random_stream(0, "compared", backend.device)
    latents = sample(training.params.codes, NUM_IMAGES, rng).to(backend.precision)
    generator = training.players.generator.eval()
    images = torch.cat([generator(batch) for batch in latents.split(harness.IMAGES_AT_ONCE)])
    generator.train()
    return ((images.float().cpu() - low) * (255 / (high - low))).numpy()


def difference(ours: Outcome, theirs: Outcome, step: int) -> tuple[float, float]:
    """Mean difference of the pixels, of 255, and agreement of the partitions (adjusted Rand)."""
    pixels = np.abs(ours[f"images.{step}"] - theirs[f"images.{step}"]).mean()
    partitions = (run[f"categories.{step}"] for run in (ours, theirs))
    return float(pixels), float(adjusted_rand_score(*partitions))


def main(given: argparse.Namespace) -> None:
    """Train every variant in a process of its own, and write how far they end apart."""
    steps, outcomes, rows = sorted(given.steps), {}, []
    columns, work = (f"after {step}" for step in steps), "benchmarks.reproducibility.work"
    for name, (other, precision, threads) in VARIANTS.items():
        python = given.python if name == "another torch" else sys.executable
        if not python:
            continue
        with TemporaryDirectory() as scratch:
            what = (precision, threads, steps, str(given.params), f"{scratch}/outcome")
            words = harness.command(work, *what, python=python)
            version = harness.call(words, AVX2 if "AVX2" in name else {})
            outcomes[name] = load_file(f"{scratch}/outcome")
            print(f"{name}: done", flush=True)
        if other:
            found = [difference(outcomes[name], outcomes[other], step) for step in steps]
            pixels = (f"{mean:.3g}" if mean else "0, the same bits" for mean, _ in found)
            rows.append((f"{name} (torch {version})", other, *pixels, f"{found[-1][1]:.3f}"))
    harness.write_page(
        given,
        "What rounding does to a training",
        f"`{given.params}` with seed 0, trained once for each row, in bfloat16 and with one thread "
        "unless said otherwise. Columns: the mean difference of the pixels, of 255, between the "
        f"images that two trainings draw of the same {NUM_IMAGES:,} latents after that many steps; "
        "and, after the last, the adjusted Rand index of the categories into which they sort the "
        f"first {NUM_IMAGES:,} training images, 1 where both sort alike.",
        doc.Table(("Variant", "Compared with", *columns, "Q's partitions"), rows),
    )


if __name__ == "__main__":
    parser = harness.options("reproducibility", __doc__)
    parser.add_argument("--params", type=Path, help="parameter file (params.yaml)")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10, 100], help="when to look")
    parser.add_argument("--python", default="", help="interpreter with another torch")
    run_stage(main, parser)
