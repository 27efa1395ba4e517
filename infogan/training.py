"""The algorithm: alternate one update of D and Q with one update of G.

Every random number derives from the run's seed. Logging goes through a callback, so that the
package knows no logger.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from infogan.augmentation import random_map
from infogan.codes import CodeLayout, Recognition, sample, split_recognition
from infogan.datasets import lookup, scale, unscale
from infogan.errors import InfoGANError
from infogan.losses import (
    bounds,
    discriminator_loss,
    generator_loss,
    inconsistency,
    information,
)
from infogan.networks import TABLES, Discriminator, Generator, Table, build_networks
from infogan.objectives import Objective
from infogan.optimisation import MasterWeights
from infogan.params import Params, Training
from infogan.randomness import derive_seed, random_stream
from infogan.runtime import Backend
from infogan.snapshot import Snapshot, Snapshots
from infogan.traversal import categorical_traversal, continuous_traversal

Measures = dict[str, Float[Tensor, ""]]
Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Players:
    """The networks, which compute in the backend's precision, and their weights in float32."""

    generator: Generator
    discriminator: Discriminator
    generator_weights: MasterWeights
    discriminator_weights: MasterWeights

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the random streams."""
        return {f"generator.{k}": v for k, v in self.generator_weights.state().items()} | {
            f"discriminator.{k}": v for k, v in self.discriminator_weights.state().items()
        }

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up a `state` again."""
        for name in ("generator", "discriminator"):
            weights: MasterWeights = getattr(self, f"{name}_weights")
            prefix = f"{name}."
            weights.load_state(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )


@dataclass(frozen=True)
class Game:
    """The rules that stay the same from step to step."""

    params: Params
    objective: Objective
    backend: Backend

    @property
    def layout(self) -> CodeLayout:
        """Columns of the latents."""
        return self.params.codes.layout

    def sample_latents(self, rng: torch.Generator) -> Float[Tensor, "batch latent"]:
        """One batch of (z, c) from the prior."""
        codes = self.params.codes
        return sample(self.layout, self.params.training.batch_size, codes.noise_prior, rng)

    def generate(
        self, generator: Generator, latents: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channel height width"]:
        """G(z, c), in the backend's precision."""
        return generator(latents.to(self.backend.precision))

    def recognise(
        self, discriminator: Discriminator, features: Float[Tensor, "batch feature"]
    ) -> Recognition:
        """Q(c|x) from the trunk's features."""
        return split_recognition(self.layout, discriminator.recognition(features).float())

    def bounds(
        self, latents: Float[Tensor, "batch latent"], q: Recognition
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """L_I of the categorical and of the continuous codes, in nats."""
        return bounds(self.layout, latents, q, learned_std=self.params.codes.learned_std)

    def bounds_for_d(
        self,
        latents: Float[Tensor, "batch latent"],
        discriminator: Discriminator,
        features: Float[Tensor, "batch feature"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The bounds in D's step, where the trunk learns them only if the objective says so."""
        if not self.objective.trunk_learns_bound:
            features = features.detach()
        return self.bounds(latents, self.recognise(discriminator, features))

    def map(
        self, images: Float[Tensor, "batch channel height width"], rng: torch.Generator
    ) -> Float[Tensor, "batch channel height width"]:
        """Each image under a small map of its own, in the backend's precision."""
        mapped = random_map(images.float(), self.objective.maps, rng)
        return mapped.to(self.backend.precision)

    def labels_of(self, latents: Float[Tensor, "batch latent"]) -> Int[Tensor, " batch"] | None:
        """What D is told that fake images show: their category of c1, or nothing."""
        if not self.objective.labels_given:
            return None
        return latents[:, self.layout.categorical_slice(0)].argmax(dim=1)

    def weigh(
        self, categorical: Float[Tensor, ""], continuous: Float[Tensor, ""]
    ) -> Float[Tensor, ""]:
        """lambda * L_I, with one lambda for each kind of code (Table 7)."""
        return self.objective.lambda_disc * categorical + self.objective.lambda_cont * continuous


def train_step(
    players: Players,
    game: Game,
    real_images: Float[Tensor, "batch channel height width"],
    rng: torch.Generator,
    real_labels: Int[Tensor, " batch"] | None = None,
) -> Measures:
    """Update D and Q, then G; returns both losses and both bounds, as they were before.

    D sees `real_labels` only where the objective gives labels.
    """
    generator, discriminator = players.generator, players.discriminator
    real_images = real_images.to(game.backend.precision)

    # Teach D to tell real from fake, and Q to read the codes of the fake images.
    latents = game.sample_latents(rng)
    reuse = not game.params.training.fresh_latents
    with torch.set_grad_enabled(reuse):
        fake_images = game.generate(generator, latents)
    # Release: real and fake images pass apart, each normalised by its own batch statistics.
    real_features = discriminator.trunk(real_images)
    real_logits = discriminator.decide(real_features, real_labels).float()
    features = discriminator.trunk(fake_images.detach())
    fake_logits = discriminator.decide(features, game.labels_of(latents)).float()
    categorical, continuous = game.bounds_for_d(latents, discriminator, features)
    learned = categorical
    if game.objective.categories_from_maps and game.layout.categorical:
        # Deviation: a category that a small map could change is not to be one.
        mapped_features = discriminator.trunk(game.map(fake_images.detach(), rng))
        learned, _ = game.bounds_for_d(latents, discriminator, mapped_features)
    real_fake_loss = discriminator_loss(real_logits, fake_logits)
    loss = real_fake_loss - game.weigh(learned, continuous)
    if game.objective.learns_from_real_images and game.layout.categorical:
        loss = loss + real_image_loss(discriminator, game, real_images, real_features, rng)
    players.discriminator_weights.descend(loss)

    # Teach G to pass for real, and to make images from which Q can read the codes.
    discriminator.requires_grad_(False)
    if not reuse:
        latents = game.sample_latents(rng)
        fake_images = game.generate(generator, latents)
    features = discriminator.trunk(fake_images)
    logits = discriminator.decide(features, game.labels_of(latents)).float()
    loss = fooling_loss = generator_loss(logits)
    if game.objective.generator_learns_bound:
        loss = loss - game.weigh(*game.bounds(latents, game.recognise(discriminator, features)))
    players.generator_weights.descend(loss)
    discriminator.requires_grad_(True)

    measures = {"discriminator_loss": real_fake_loss, "generator_loss": fooling_loss}
    if game.layout.categorical:
        measures["bound_cat_nats"] = categorical
    if game.layout.continuous:
        measures["bound_cont_nats"] = continuous
    return {name: value.detach() for name, value in measures.items()}


def real_image_loss(
    discriminator: Discriminator,
    game: Game,
    real_images: Float[Tensor, "batch channel height width"],
    features: Float[Tensor, "batch feature"],
    rng: torch.Generator,
) -> Float[Tensor, ""]:
    """Deviation: Q also learns from real images, of which it is otherwise told nothing.

    It is to sort them into equally large categories without doubt, and to sort an image and its
    small map alike; `features` are the trunk's of `real_images`.
    """
    mapped_features = discriminator.trunk(game.map(real_images, rng))
    logits = game.recognise(discriminator, features).logits
    mapped_logits = game.recognise(discriminator, mapped_features).logits
    loss = torch.zeros((), device=features.device)
    for code, mapped_code in zip(logits, mapped_logits, strict=True):
        loss = loss + game.objective.lambda_consistency * inconsistency(code, mapped_code)
        loss = loss - game.objective.lambda_information * information(code)
    return loss


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
    camera = _Camera(game, random_stream(seed, "film"), data_set.value_range)
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


def film_steps(num_steps: int, num_frames: int) -> list[int]:
    """The steps after which a frame is taken: first to last, closer together where more happens."""
    last = max(num_frames - 1, 1)
    return sorted({round(num_steps * (frame / last) ** 2) for frame in range(num_frames)} | {0})


class _Camera:
    """Takes pictures of G: three draws of noise and codes, each swept along c1."""

    ROWS, COLUMNS = 3, 10

    def __init__(self, game: Game, rng: torch.Generator, value_range: tuple[float, float]) -> None:
        self.game, self.value_range = game, value_range
        params, layout = game.params, game.layout
        self.steps = film_steps(params.num_steps, params.training.film_frames)
        prior = params.codes.noise_prior
        if layout.categorical:
            self.latents = categorical_traversal(layout, 0, self.ROWS, prior, rng)
        else:
            values = torch.linspace(-1, 1, self.COLUMNS)
            self.latents = continuous_traversal(layout, 0, values, self.ROWS, prior, rng)
        self.frames: list[UInt8[Tensor, "row column channel height width"]] = []

    @torch.no_grad()
    def film(self, step: int, generator: Generator) -> None:
        """Take a picture if one is due, with batch norm on its running statistics."""
        if step not in self.steps or len(self.frames) > self.steps.index(step):
            return
        generator.eval()
        latents = self.latents.flatten(0, 1).to(self.game.backend.device)
        images = self.game.generate(generator, latents).float().cpu()
        generator.train()
        frame = unscale(images.contiguous(), self.value_range)
        self.frames.append(frame.unflatten(0, self.latents.shape[:2]))


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
    players: Players, rng: torch.Generator, progress: _Progress, camera: _Camera
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
    camera: _Camera,
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


def make_players(
    table: Table, params: Params, seed: int, backend: Backend, num_labels: int = 1
) -> Players:
    """Networks initialised from the seed, on the device, each with its weights and their Adam."""
    generator, discriminator = build_networks(
        table,
        params.codes.layout,
        params.networks.options,
        derive_seed(seed, "initialisation"),
        num_labels,
    )
    for network in (generator, discriminator):
        network.to(backend.device).to(memory_format=torch.channels_last)
    training = params.training
    return Players(
        generator,
        discriminator,
        _with_adam(generator, training.generator_lr, training, backend),
        # Release: D's optimiser owns the trunk and both heads.
        _with_adam(discriminator, training.discriminator_lr, training, backend),
    )


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


def _with_adam(
    network: torch.nn.Module, lr: float, training: Training, backend: Backend
) -> MasterWeights:
    betas = (training.adam_beta1, training.adam_beta2)
    return MasterWeights(
        network,
        backend.precision,
        partial(torch.optim.Adam, lr=lr, betas=betas, fused=True),
    )


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
