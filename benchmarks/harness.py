"""What the commands share: changed parameters, a training step by step, new processes, pages."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from infogan.base.cores import usable_cores
from infogan.base.images import scale
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.method.networks import TABLES
from infogan.method.runtime import resolve
from infogan.objectives import OBJECTIVES
from infogan.params import Params, load_params
from infogan.report import document as doc
from infogan.train.loop import shuffled_batches
from infogan.train.players import make_players
from infogan.train.step import Game, train_step

ALL_CORES = usable_cores()
IMAGES_AT_ONCE = 1000  # that a network sees when it does not learn


def changed(params: Params, changes: Mapping[str, Any]) -> Params:
    """The parameters with other values under some dotted names."""
    values = params.model_dump()
    for key, value in changes.items():
        *sections, name = key.split(".")
        (values[sections[0]] if sections else values)[name] = value
    return Params.model_validate(values)


class Training:
    """InfoGAN's training on `images`, step by step, on the random numbers of a run of this seed."""

    def __init__(self, params: Params, images: UInt8[Tensor, "image c h w"], seed: int = 0) -> None:
        data_set, backend = lookup(params.dataset), resolve(params.runtime)
        self.params, self.backend, self.value_range = params, backend, data_set.value_range
        self.players = make_players(TABLES[data_set.networks], params, seed, backend)
        self.game = Game(params, OBJECTIVES["infogan"](params), backend)
        self.images, size = images.to(backend.device), params.training.batch_size
        stream = random_stream(seed, "batches")
        self.batches = shuffled_batches(len(images), size, stream, backend.device)
        self.rng = random_stream(seed, "latents", backend.device)

    def step(self) -> Float[Tensor, ""]:
        """One update of D and Q, then one of G; G's loss, whose `item()` waits for a GPU."""
        real_images = scale(self.images[next(self.batches)], self.value_range)
        return train_step(self.players, self.game, real_images, self.rng)["generator_loss"]

    @torch.no_grad()
    def categories(self, images: UInt8[Tensor, "image c h w"]) -> Int[np.ndarray, " image"]:
        """The category of c1 that Q finds most likely, in the precision of training."""
        backend, discriminator = self.backend, self.players.discriminator.eval()
        found = []
        for batch in images.split(IMAGES_AT_ONCE):
            scaled = scale(batch.to(backend.device), self.value_range).to(backend.precision)
            found.append(discriminator.read(discriminator.trunk(scaled)).logits[0].argmax(1).cpu())
        discriminator.train()
        return torch.cat(found).numpy()


_CALL = """
import importlib, json, sys
module, _, name = sys.argv[1].rpartition(".")
print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))))
"""


def command(function: str, *given: object, python: str = sys.executable) -> list[str]:
    """Words that start a Python of its own, which calls `module.function` with plain values."""
    return [python, "-c", _CALL, function, json.dumps(given)]


def call(command: list[str], environment: Mapping[str, str] | None = None) -> Any:
    """What the function of a `command` returns; SystemExit with its last words if it fails."""
    environment = os.environ | (environment or {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise SystemExit(f"error: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def options(name: str, about: str | None) -> argparse.ArgumentParser:
    """The command line of `python -m benchmarks.NAME`, with the page to write."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    page = Path(f"docs/measurements/{name}.md")
    parser.add_argument("--out", type=Path, default=page, help=f"page to write ({page})")
    parser.set_defaults(made=f"Made by `python -m benchmarks.{name}`", params=Path("params.yaml"))
    return parser


def write_page(given: argparse.Namespace, title: str, *blocks: doc.Block) -> None:
    """Write what was found, and with what given options on which machine; say where it is."""
    machine = resolve(load_params(given.params).runtime).describe()
    made = f"{given.made} on {', '.join(f'{key} {value}' for key, value in machine.items())}."
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(doc.markdown([f"# {title}", made, *blocks]), encoding="utf-8")
    print(given.out)
