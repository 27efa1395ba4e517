"""The algorithm: one update of D and Q, then one of G (Eq. 6)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infogan.method.codes import sample
from infogan.method.losses import (
    bounds,
    discriminator_loss,
    generator_loss,
    inconsistency,
    information,
)
from infogan.method.maps import random_map
from infogan.method.networks import Discriminator
from infogan.method.runtime import Backend
from infogan.params import CodeLayout, Params
from infogan.train.objective import Objective
from infogan.train.players import Players

Measures = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Game:
    """The rules, which stay the same from step to step."""

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


def train_step(
    players: Players,
    game: Game,
    real_images: Float[Tensor, "batch channel height width"],
    rng: torch.Generator,
    real_labels: Int[Tensor, " batch"] | None = None,
) -> Measures:
    """min over G and Q, max over D of V(D, G) - lambda L_I(G, Q), a step of each.

    Returns both losses and both bounds, as they were before. D sees `real_labels` only where the
    objective gives labels.
    """
    generator, discriminator = players.generator, players.discriminator
    objective, layout, precision = game.objective, game.layout, game.backend.precision
    real_images = real_images.to(precision)

    # Teach D to tell real from fake, and Q to read the codes of the fake images.
    latents = game.sample_latents(rng)
    with torch.no_grad():
        fake_images = generator(latents.to(precision))
    groups = [real_images, fake_images]
    maps_of_fakes = objective.categories_from_maps and bool(layout.categorical)
    maps_of_reals = objective.learns_from_real_images and bool(layout.categorical)
    if maps_of_fakes:
        groups.append(game.map(fake_images, rng))
    if maps_of_reals:
        groups.append(game.map(real_images, rng))
    # Release: real and fake images are normalised apart, each by its own batch statistics.
    real_features, fake_features, *mapped_features = discriminator.features(*groups)
    real_logits = discriminator.decide(real_features, real_labels)
    fake_logits = discriminator.decide(fake_features, game.labels_of(latents))
    # Release: D's optimiser maximises L_I, too, through the trunk; in Eq. 6, Q's head alone does.
    read = discriminator.read if objective.trunk_learns_bound else discriminator.read_detached
    categorical, continuous = bounds(layout, latents, read(fake_features))
    learned = categorical
    if maps_of_fakes:
        # Deviation: a category that a small map T could change is not to be one. It stays the
        # paper's bound: E log Q(c | T(x)) + H(c) <= I(c; T(x)) <= I(c; x).
        learned, _ = bounds(layout, latents, read(mapped_features[0]))
    adversarial_loss = discriminator_loss(real_logits, fake_logits)
    bound = objective.lambda_disc * learned + objective.lambda_cont * continuous
    loss = adversarial_loss - bound
    if maps_of_reals:
        loss = loss + real_image_loss(discriminator, objective, real_features, mapped_features[-1])
    players.discriminator_weights.descend(loss)

    # Teach G to pass for real, and to make images from which Q can read the codes: of other latents
    # (Release).
    discriminator.requires_grad_(False)
    latents = game.sample_latents(rng)
    features = discriminator.trunk(generator(latents.to(precision)))
    loss = fooling_loss = generator_loss(discriminator.decide(features, game.labels_of(latents)))
    if objective.generator_learns_bound:
        of_categories, of_values = bounds(layout, latents, discriminator.read(features))
        loss = loss - (objective.lambda_disc * of_categories + objective.lambda_cont * of_values)
    players.generator_weights.descend(loss)
    discriminator.requires_grad_(True)

    measures = {"discriminator_loss": adversarial_loss, "generator_loss": fooling_loss}
    if layout.categorical:
        measures["bound_cat_nats"] = categorical
    if layout.continuous:
        measures["bound_cont_nats"] = continuous
    return {name: value.detach() for name, value in measures.items()}


def real_image_loss(
    discriminator: Discriminator,
    objective: Objective,
    features: Float[Tensor, "batch feature"],
    mapped_features: Float[Tensor, "batch feature"],
) -> Float[Tensor, ""]:
    """Extension: Q also learns from real images, of which it is otherwise told nothing.

    It is to sort them into equally large categories without doubt, and to sort an image and its
    small map alike; the trunk's features of both are given.
    """
    logits = discriminator.read(features).logits
    mapped_logits = discriminator.read(mapped_features).logits
    loss = torch.zeros((), device=features.device)
    for code, mapped_code in zip(logits, mapped_logits, strict=True):
        loss = loss + objective.lambda_consistency * inconsistency(code, mapped_code)
        loss = loss - objective.lambda_information * information(code)
    return loss
