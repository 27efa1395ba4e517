"""Measure each part of a training step by itself, beside its arithmetic, and what holds memory.

    python -m benchmarks.step_parts --out benchmarks/step_parts.md

A row of the networks' tables runs forwards and backwards on its own, as often as a step runs it,
and so do the maps and both optimisers: what their sum lacks to the time of the whole step is spent
between them. A row's floor is the time of its multiply-adds at the rate at which the same process
multiplied large matrices. For a processor without a GPU.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.operations import WEIGHTED, forward_multiply_adds
from benchmarks.speed import (
    ALL_CORES,
    WARM_UP,
    Setting,
    matrix_rate,
    peak_gib,
    seconds_per_step,
)
from infogan.method.optimisation import MasterWeights
from infogan.method.runtime import Backend, resolve
from infogan.objectives import OBJECTIVES
from infogan.report import document as doc
from infogan.train.players import Players, make_players
from infogan.train.step import Game

REPEATS = 15


@dataclass(frozen=True)
class Part:
    """A part of a step: seconds, and multiply-adds where it multiplies matrices."""

    name: str
    seconds: float
    multiply_adds: int = 0


class Row(nn.Sequential):
    """One row of a network's table: a layer with weights, and what follows up to the next."""

    @property
    def name(self) -> str:
        """As the paper's tables have it."""
        for module in self:
            match module:
                case nn.Linear():
                    return f"FC {module.in_features} to {module.out_features}"
                case nn.ConvTranspose2d():
                    return f"upconv {module.in_channels} to {module.out_channels}"
                case nn.Conv2d():
                    return f"conv {module.in_channels} to {module.out_channels}"
        return "-"


def rows_of(network: nn.Module) -> list[Row]:
    """The modules of a network that has no branches, in their order, row by row."""
    rows, begun = [Row()], False
    for module in network.modules():
        if list(module.children()):
            continue
        has_weights = isinstance(module, WEIGHTED)
        if has_weights and begun:
            rows.append(Row())
        begun = begun or has_weights
        rows[-1].append(module)
    return rows


def median_seconds(work: Callable[[], object]) -> float:
    """Of REPEATS runs, after two that do not count."""
    times = []
    for _ in range(2 + REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def parts_of_rows(
    network: nn.Module, batch: Tensor, whose: str, *, learned: int, passes_on: bool, of_input: bool
) -> list[Part]:
    """A part per row, which learns from `learned` batches.

    The first row gives its input no gradient unless `of_input`. With `passes_on`, as D in G's step,
    each row also passes a gradient on without learning from it.
    """
    parts = []
    for index, row in enumerate(rows_of(network)):
        with torch.no_grad():
            output = row(batch)
        gradient = torch.randn_like(output)

        def learn(row: Row = row, batch: Tensor = batch, gradient: Tensor = gradient) -> None:
            row.zero_grad(set_to_none=True)
            outputs = [row(batch) for _ in range(learned)]
            torch.autograd.backward(outputs, [gradient] * learned)

        def pass_on(row: Row = row, batch: Tensor = batch, gradient: Tensor = gradient) -> None:
            torch.autograd.backward([row(batch)], [gradient])

        passes_gradient = of_input or index > 0
        count = sum(forward_multiply_adds(row, batch[:2])) * len(batch)
        batch.requires_grad_(passes_gradient)
        seconds = median_seconds(learn)
        count_all = count * learned * (2 + passes_gradient)
        if passes_on:
            batch.requires_grad_(True)
            row.requires_grad_(False)
            seconds += median_seconds(pass_on)
            row.requires_grad_(True)
            count_all += count * 2
        row.zero_grad(set_to_none=True)
        batch.requires_grad_(False)
        parts.append(Part(f"{whose}, {row.name}", seconds, count_all))
        batch = output
    return parts


class _Loss(torch.autograd.Function):
    """Stands in for a loss whose gradients cost nothing; what they hold is left to chance."""

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(*weights)
        return torch.zeros((), device=weights[0].device)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(weight) for weight in ctx.saved_tensors)


def update_seconds(weights: MasterWeights) -> float:
    """Adam's step, with gradients brought to float32 and weights rounded again."""

    def update() -> None:
        loss: Any = _Loss.apply(*weights.copies)
        weights.descend(loss)

    return median_seconds(update)


def parts_of_step(players: Players, game: Game) -> list[Part]:
    """All parts of a step of `train_step`, on random images."""
    objective, params = game.objective, game.params
    rng = torch.Generator().manual_seed(0)
    generator, discriminator = players.generator, players.discriminator
    latents = game.sample_latents(rng)
    with torch.no_grad():
        images = game.generate(generator, latents)
        features = discriminator.trunk(images)
    # How often D's step passes the trunk, D's head and Q's, as in `train_step`.
    of_fakes, of_real = objective.categories_from_maps, objective.learns_from_real_images
    maps = int(of_fakes) + int(of_real)
    read = 1 + int(of_fakes) + 2 * int(of_real)
    precise = latents.to(game.backend.precision)
    parts = [
        *parts_of_rows(generator, precise, "G", learned=1, passes_on=False, of_input=False),
        *parts_of_rows(
            discriminator.trunk, images, "trunk", learned=2 + maps, passes_on=True, of_input=False
        ),
        *parts_of_rows(
            discriminator.decision, features, "D's head", learned=2, passes_on=True, of_input=True
        ),
        *parts_of_rows(
            discriminator.recognition,
            features,
            "Q's head",
            learned=read,
            passes_on=True,
            of_input=True,
        ),
    ]
    if params.training.fresh_latents:
        again = median_seconds(torch.no_grad()(lambda: game.generate(generator, latents)))
        count = sum(forward_multiply_adds(generator, precise[:2])) * len(latents)
        parts.append(Part("G, forwards once more", again, count))
    if maps:
        parts.append(Part("maps", maps * median_seconds(lambda: game.map(images, rng))))
    parts.append(Part("Adam for D and Q", update_seconds(players.discriminator_weights)))
    parts.append(Part("Adam for G", update_seconds(players.generator_weights)))
    return parts


def learned_gib(players: Players) -> float:
    """What the weights take, with their copies, gradients and moments, after an update."""
    tensors = list(players.state().values())
    for weights in (players.generator_weights, players.discriminator_weights):
        both = {id(weight): weight for weight in [*weights.masters, *weights.copies]}.values()
        tensors += [weight.detach() for weight in both]
        tensors += [weight.grad for weight in both if weight.grad is not None]
    # A weight stands in the state, too: what is at one place counts once.
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values()) / 2**30


def report(
    parts: list[Part],
    step: float,
    rate: float,
    memory: dict[str, float],
    environment: dict[str, str | int],
    preset: str,
) -> str:
    """The page: a row per part, their sum and the step; and the memory."""
    rows = []
    total = Part("all parts", sum(p.seconds for p in parts), sum(p.multiply_adds for p in parts))
    for part in [*parts, total, Part("the step", step, total.multiply_adds)]:
        floor = part.multiply_adds / rate
        share = f"{floor / part.seconds:.2f}" if floor else "-"
        rows.append((part.name, f"{1000 * part.seconds:.1f}", f"{1000 * floor:.1f}", share))
    where = ", ".join(f"{key} {value}" for key, value in environment.items())
    return doc.markdown(
        [
            "# The parts of a training step",
            f"Made by `python -m benchmarks.step_parts` of `{preset}` on {where}: medians of "
            f"{REPEATS} runs. Large matrices were multiplied at {2 * rate / 1e9:.0f} GFLOP/s.",
            doc.Table(("Part", "ms in a step", "floor, ms", "share of the floor"), rows),
            "Memory: what the process had held at most, and what of it can be counted:",
            doc.Table(("What", "GiB"), [(name, f"{value:.2f}") for name, value in memory.items()]),
        ]
    )


def main() -> None:
    """Measure and write the report."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.step_parts", description=__doc__)
    options.add_argument("--preset", default="params.yaml", help="parameter file (params.yaml)")
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    options.add_argument("--threads", type=int, default=ALL_CORES, help=f"threads ({ALL_CORES})")
    options.add_argument("--out", type=Path, default=Path("benchmarks/step_parts.md"))
    given = options.parse_args()

    memory = {"after importing torch and the package": peak_gib()}
    setting = Setting(given.preset, given.precision, given.threads)
    params = setting.params()
    backend: Backend = resolve(params.runtime)
    steps = seconds_per_step(setting)
    next(steps)
    memory["after the data, the networks, their optimisers' moments and one step"] = peak_gib()
    step = statistics.median(list(steps)[WARM_UP - 1 :])
    memory["after all steps"] = peak_gib()

    players = make_players(setting.table, params, 0, backend)
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    parts = parts_of_step(players, game)
    memory["counted: weights, their copies, gradients and moments"] = learned_gib(players)
    rate = matrix_rate(given.precision, given.threads)
    page = report(parts, step, rate, memory, backend.describe(), given.preset)
    given.out.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
