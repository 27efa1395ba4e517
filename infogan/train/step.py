"""The algorithm: one update of D and Q, then one of G."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infogan.method.codes import Recognition, sample, split_recognition
from infogan.method.losses import (
    bounds,
    discriminator_loss,
    generator_loss,
    inconsistency,
    information,
)
from infogan.method.maps import random_map
from infogan.method.networks import Discriminator, Generator
from infogan.method.runtime import Backend
from infogan.params import CodeLayout, Params
from infogan.train.objective import Objective
from infogan.train.players import Players

Measures = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Game:
    """The rules that stay the same from step to step."""

    params: Params
    objective: Objective
    backend: Backend

    @property
    def layout(self) -> CodeLayout:
        """Columns of the latents."""
        return self.params.codes

    def sample_latents(self, rng: torch.Generator) -> Float[Tensor, "batch latent"]:
        """One batch of (z, c) from the prior."""
        return sample(self.layout, self.params.training.batch_size, rng)

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
