"""The algorithm: alternate one update of D and Q with one update of G.

Every random number derives from the run's seed. Logging goes through a callback, so that the
package knows no logger.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.images import scale
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.method.film import Camera
from infogan.method.networks import TABLES, Discriminator, Generator
from infogan.method.runtime import Backend
from infogan.params import Params
from infogan.train.objective import Objective
from infogan.train.players import Players, make_players
from infogan.train.snapshot import Snapshot, Snapshots
from infogan.train.step import Game, Measures, train_step

Log = Callable[[int, dict[str, float]], None]


class Trained(NamedTuple):
    """What a training leaves: G, D with Q, and pictures of the same latents at `film_steps`."""

    generator: Generator
    discriminator: Discriminator
    film: UInt8[Tensor, "frame row column channel height width"]


def train(
    images: UInt8[Tensor, "image channel height width"],
    params: Params,
    objective: Objective,
    seed: int,
    backend: Backend,
    log: Log,
    snapshots: Snapshots | None = None,
    labels: Int[Tensor, " image"] | None = None,
) -> Trained:
    """Play the whole game on `images`; the networks come back in float32.

    `labels` are for objectives that give them, and for no other. `log` receives the number of
    steps done and the means since its last call. With `snapshots`, goes on where an earlier call
    with the same arguments was cut off, and ends in the same bits; `log` then receives the earlier
    means first. Raises InfoGANError when there are too few images for a batch, or at a non-finite
    loss, Interrupted when the snapshots were asked to stop, and ValueError for labels that the
    objective does not give, or lacks.
    """
    if objective.labels_given != (labels is not None):
        raise ValueError(f"labels {'missing' if labels is None else 'given'}: {objective}")
    data_set = lookup(params.dataset)
    num_labels = 1 if labels is None else data_set.num_classes
    players = make_players(TABLES[data_set.networks], params, seed, backend, num_labels)
    game = Game(params, objective, backend)
    images = images[params.training.held_out_images :].to(backend.device)
    if labels is not None:
        labels = labels[params.training.held_out_images :].to(backend.device)
    batches = shuffled_batches(
        len(images), params.training.batch_size, random_stream(seed, "batches"), backend.device
    )
    rng = random_stream(seed, "latents", backend.device)
    progress = _Progress(log, params)
    camera = Camera(params, backend, data_set.value_range, random_stream(seed, "film"))
    if snapshots is not None and (snapshot := snapshots.load()) is not None:
        _resume(snapshot, players, rng, progress, camera)
    camera.film(progress.step, players.generator)

    for indices in islice(batches, progress.step, params.num_steps):
        real_images = scale(images[indices], data_set.value_range)
        real_labels = None if labels is None else labels[indices]
        progress.add(train_step(players, game, real_images, rng, real_labels))
        camera.film(progress.step, players.generator)
        if snapshots is not None:
            snapshots.after_step(partial(_take_snapshot, players, rng, progress, camera))

    players.generator_weights.restore()
    players.discriminator_weights.restore()
    _check_weights(players)
    return Trained(players.generator, players.discriminator, torch.stack(camera.frames))


class _Progress:
    """Steps done, what was logged, and the sums since."""

    def __init__(self, log: Log, params: Params) -> None:
        self.log, self.every, self.num_steps = log, params.training.log_every, params.num_steps
        self.step = self.since_log = 0
        self.sums: dict[str, Tensor] = {}
        self.logged: list[tuple[int, dict[str, float]]] = []

    def add(self, measures: Measures) -> None:
        """Count one step; log the means when they are due."""
        for name, value in measures.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.step += 1
        self.since_log += 1
        if self.step % self.every == 0 or self.step == self.num_steps:
            means = {name: (total / self.since_log).item() for name, total in self.sums.items()}
            _check_finite(self.step, means)
            self.sums, self.since_log = {}, 0
            self.write(self.step, means)

    def write(self, step: int, means: dict[str, float]) -> None:
        """Log one line of means, and remember it."""
        self.logged.append((step, means))
        self.log(step, means)


def _take_snapshot(
    players: Players, rng: torch.Generator, progress: _Progress, camera: Camera
) -> Snapshot:
    tensors = players.state() | {f"sum.{name}": total for name, total in progress.sums.items()}
    tensors["latents"] = rng.get_state()
    tensors["film"] = torch.stack(camera.frames)
    tensors["since_log"] = torch.tensor(progress.since_log)
    return Snapshot(progress.step, tensors, progress.logged)


def _resume(
    snapshot: Snapshot,
    players: Players,
    rng: torch.Generator,
    progress: _Progress,
    camera: Camera,
) -> None:
    players.load_state(snapshot.tensors)
    rng.set_state(snapshot.tensors["latents"])
    camera.frames = list(snapshot.tensors["film"])
    progress.step, progress.since_log = snapshot.step, int(snapshot.tensors["since_log"])
    progress.sums = {
        name.removeprefix("sum."): total.to(rng.device)
        for name, total in snapshot.tensors.items()
        if name.startswith("sum.")
    }
    for step, means in snapshot.log:
        progress.write(step, means)


def shuffled_batches(
    num_images: int, batch_size: int, rng: torch.Generator, device: torch.device
) -> Iterator[Int[Tensor, " batch"]]:
    """Indices of endless shuffled epochs; a remainder smaller than a batch is dropped (Release).

    Drawn by `rng` on its own device, so that they do not depend on where training runs.
    """
    if num_images < batch_size:
        raise InfoGANError(
            f"training.batch_size = {batch_size}: expected at most the {num_images} training images"
        )
    while True:
        order = torch.randperm(num_images, generator=rng).to(device)
        yield from order[: num_images - num_images % batch_size].split(batch_size)


def _check_finite(step: int, means: dict[str, float]) -> None:
    for name, value in means.items():
        if not math.isfinite(value):
            raise InfoGANError(
                f"{name} = {value} at step {step}: training diverged; "
                "try a lower learning rate or lambda, or runtime.precision: float32"
            )


def _check_weights(players: Players) -> None:
    """The last losses were measured before the last updates, which could still diverge."""
    for network in (players.generator, players.discriminator):
        for name, parameter in network.named_parameters():
            if not bool(parameter.isfinite().all()):
                raise InfoGANError(
                    f"{type(network).__name__}.{name} is not finite at the last step"
                )
