"""The algorithm: alternate one update of D and Q with one update of G.

Every random number derives from the run's seed. Logging goes through a callback, so that the
package knows no logger.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from infogan.codes import CodeLayout, Recognition, sample, split_recognition
from infogan.datasets import lookup, scale
from infogan.errors import InfoGANError
from infogan.losses import bounds, discriminator_loss, generator_loss
from infogan.networks import TABLES, Discriminator, Generator, Table, build_networks
from infogan.objectives import Objective
from infogan.params import Params, Training
from infogan.randomness import derive_seed, random_stream
from infogan.runtime import Backend

Measures = dict[str, Float[Tensor, ""]]
Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Players:
    """The networks and the optimisers that own them."""

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer


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
) -> Measures:
    """Update D and Q, then G; returns both losses and both bounds, as they were before."""
    generator, discriminator = players.generator, players.discriminator

    # Teach D to tell real from fake, and Q to read the codes of the fake images.
    latents = game.sample_latents(rng)
    reuse = not game.params.training.fresh_latents
    with game.backend.autocast():
        with torch.set_grad_enabled(reuse):
            fake_images = generator(latents)
        # Release: real and fake images pass apart, each normalised by its own batch statistics.
        real_logits = discriminator.decide(discriminator.trunk(real_images)).float()
        features = discriminator.trunk(fake_images.detach())
        fake_logits = discriminator.decide(features).float()
        if not game.objective.trunk_learns_bound:
            features = features.detach()
        q = game.recognise(discriminator, features)
    real_fake_loss = discriminator_loss(real_logits, fake_logits)
    categorical, continuous = game.bounds(latents, q)
    _descend(players.discriminator_optimizer, real_fake_loss - game.weigh(categorical, continuous))

    # Teach G to pass for real, and to make images from which Q can read the codes.
    discriminator.requires_grad_(False)
    with game.backend.autocast():
        if not reuse:
            latents = game.sample_latents(rng)
            fake_images = generator(latents)
        features = discriminator.trunk(fake_images)
        fooling_loss = generator_loss(discriminator.decide(features).float())
        loss = fooling_loss
        if game.objective.generator_learns_bound:
            q = game.recognise(discriminator, features)
            loss = loss - game.weigh(*game.bounds(latents, q))
    _descend(players.generator_optimizer, loss)
    discriminator.requires_grad_(True)

    measures = {"discriminator_loss": real_fake_loss, "generator_loss": fooling_loss}
    if game.layout.categorical:
        measures["bound_cat_nats"] = categorical
    if game.layout.continuous:
        measures["bound_cont_nats"] = continuous
    return {name: value.detach() for name, value in measures.items()}


def train(
    images: UInt8[Tensor, "image channel height width"],
    params: Params,
    objective: Objective,
    seed: int,
    backend: Backend,
    log: Log,
) -> tuple[Generator, Discriminator]:
    """Play the whole game on `images` and return G and D with Q.

    `log` receives the number of steps done and the means since its last call. Raises
    InfoGANError when there are too few images for a batch, or at a non-finite loss.
    """
    data_set = lookup(params.dataset)
    players = make_players(TABLES[data_set.networks], params, seed, backend)
    game = Game(params, objective, backend)
    images = images[params.training.held_out_images :].to(backend.device)
    batches = shuffled_batches(
        len(images), params.training.batch_size, random_stream(seed, "batches"), backend.device
    )
    rng = random_stream(seed, "latents", backend.device)

    sums: dict[str, Tensor] = {}
    since_log = 0
    for done in range(1, params.num_steps + 1):
        real_images = scale(images[next(batches)], data_set.value_range)
        for name, value in train_step(players, game, real_images, rng).items():
            sums[name] = sums.get(name, 0) + value
        since_log += 1
        if done % params.training.log_every == 0 or done == params.num_steps:
            means = {name: (total / since_log).item() for name, total in sums.items()}
            _check_finite(done, means)
            log(done, means)
            sums, since_log = {}, 0
    _check_weights(players)
    return players.generator, players.discriminator


def make_players(table: Table, params: Params, seed: int, backend: Backend) -> Players:
    """Networks initialised from the seed, on the device, each with its Adam optimiser."""
    generator, discriminator = build_networks(
        table, params.codes.layout, params.networks.options, derive_seed(seed, "initialisation")
    )
    generator.to(backend.device)
    discriminator.to(backend.device)
    training = params.training
    return Players(
        generator,
        discriminator,
        _adam(generator, training.generator_lr, training),
        # Release: D's optimiser owns the trunk and both heads.
        _adam(discriminator, training.discriminator_lr, training),
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


def _adam(network: torch.nn.Module, lr: float, training: Training) -> torch.optim.Adam:
    betas = (training.adam_beta1, training.adam_beta2)
    return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, fused=True)


def _descend(optimizer: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
    """One step of the optimiser down the gradient of `loss`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


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
