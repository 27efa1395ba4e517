"""The whole training: steps on shuffled batches, filmed, logged and kept in snapshots.

Every random number derives from the run's seed. Logging goes through a callback, so that the
package knows no logger.
"""

from collections.abc import Iterator
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
from infogan.train.graph import make_step
from infogan.train.objective import Objective
from infogan.train.players import Players, make_players
from infogan.train.progress import Log, Progress
from infogan.train.snapshot import Snapshot, Snapshots
from infogan.train.step import Game


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
    progress = Progress(log, params)
    camera = Camera(params, data_set.value_range, random_stream(seed, "film"))
    if snapshots is not None and (snapshot := snapshots.load()) is not None:
        _resume(snapshot, players, rng, progress, camera)
    camera.film(progress.step, players.generator_weights.portrait)
    step = make_step(players, game, rng)

    for indices in islice(batches, progress.step, params.num_steps):
        real_images = scale(images[indices], data_set.value_range)
        real_labels = None if labels is None else labels[indices]
        progress.add(step(real_images, real_labels))
        camera.film(progress.step, players.generator_weights.portrait)
        if snapshots is not None:
            snapshots.after_step(partial(_take_snapshot, players, rng, progress, camera))

    players.restore()
    return Trained(players.generator, players.discriminator, torch.stack(camera.frames))


def shuffled_batches(
    num_images: int, batch_size: int, rng: torch.Generator, device: torch.device
) -> Iterator[Int[Tensor, " batch"]]:
    """Indices of endless shuffled epochs; a remainder smaller than a batch is dropped (Release).

    Drawn by `rng` on its own device, so that they do not depend on where training runs.
    """
    if num_images < batch_size:
        raise InfoGANError(
            f"training.batch_size = {batch_size}: expected at most the {num_images} training "
            "images that training.held_out_images leaves"
        )
    while True:
        order = torch.randperm(num_images, generator=rng).to(device)
        yield from order[: num_images - num_images % batch_size].split(batch_size)


def _take_snapshot(
    players: Players, rng: torch.Generator, progress: Progress, camera: Camera
) -> Snapshot:
    """Everything that the next steps depend on, and what was logged and filmed so far."""
    tensors = players.state() | {f"sum.{name}": total for name, total in progress.sums.items()}
    tensors["latents"] = rng.get_state()
    tensors["film"] = torch.stack(camera.frames)
    tensors["since_log"] = torch.tensor(progress.since_log)
    return Snapshot(progress.step, tensors, progress.logged)


def _resume(
    snapshot: Snapshot,
    players: Players,
    rng: torch.Generator,
    progress: Progress,
    camera: Camera,
) -> None:
    """Put a training where the snapshot was taken; the log is written again from its start."""
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
