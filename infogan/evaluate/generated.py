"""Measurements of what G makes, as the independent classifier and the shape of digits see it.

Each function states its protocol. Images are in the data set's value range.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from infogan.evaluate.effects import (
    Role,
    assign_roles,
    leakage_matrix,
    role_correlations,
    role_effects,
    trained_range,
)
from infogan.evaluate.morphometrics import SHAPES, measure_shapes
from infogan.evaluate.sorting import contingency, match_categories
from infogan.evaluate.warping import affine_residual
from infogan.judge.classifier import classify
from infogan.judge.frechet import frechet_distance
from infogan.judge.judge import Judge, penultimate_features
from infogan.method.codes import one_hot, sample
from infogan.method.networks import Generator
from infogan.method.traversal import continuous_traversal, generate
from infogan.params import CodeLayout


class ContinuousScores(NamedTuple):
    """Scores by name, the code that plays each role, and the rank correlations of code x SHAPES."""

    scores: dict[str, float]
    roles: dict[str, Role | None]
    leakage: Float[np.ndarray, "code shape"] | None


def generated_accuracy(
    generator: Generator,
    classifier: Judge,
    layout: CodeLayout,
    num_samples: int,
    num_classes: int,
    rng: torch.Generator,
) -> float:
    """How often a generated image shows the digit that its category of c1 stands for.

    The classifier names the digit of images with all categories equally often. The one-to-one map
    from category to digit is fitted on one set of `num_samples` images and scored on another.
    """
    size = layout.categorical[0]
    categories = torch.arange(num_samples) % size

    def digits() -> Int[np.ndarray, " image"]:
        latents = sample(layout, num_samples, rng)
        rows = one_hot(categories.to(latents.device), size)
        latents[:, layout.categorical_slice(0)] = rows
        return classify(classifier, generate(generator, latents)).numpy()

    counts = contingency(categories.numpy(), digits(), size, num_classes)
    mapping = match_categories(counts)
    return float(np.mean(mapping[categories.numpy()] == digits()))


def generated_frechet(
    generator: Generator,
    classifier: Judge,
    layout: CodeLayout,
    real_images: Float[Tensor, "image channel height width"],
    rng: torch.Generator,
) -> float:
    """Frechet distance of as many generated images to real ones, on the classifier's features."""
    latents = sample(layout, len(real_images), rng)
    fake_features = penultimate_features(classifier, generate(generator, latents))
    return frechet_distance(fake_features, penultimate_features(classifier, real_images))


def continuous_code_scores(
    generator: Generator,
    classifier: Judge,
    layout: CodeLayout,
    num_trajectories: int,
    values: Float[np.ndarray, " position"],
    rng: torch.Generator,
    *,
    shows_strokes: bool = True,
) -> ContinuousScores:
    """What the continuous codes do along trajectories.

    Scores are those of `role_correlations` and `role_effects`, for images that show strokes, and
    `digit_kept`: the share of
    images in which the classifier sees the digit that it sees at the middle value of the same
    trajectory, over abs(c) <= 1; `digit_kept_extrapolated` beyond it. Roles are assigned on as many
    trajectories as are scored. `warp_residual` is what `affine_residual` leaves of the change from
    -1 to 1, on average over the codes.
    """
    shapes, kept, categories, residuals = [], [], [], []
    low, high = np.abs(values + 1).argmin(), np.abs(values - 1).argmin()
    for code in range(layout.continuous):
        rows = 2 * num_trajectories
        latents = continuous_traversal(layout, code, list(values), rows, rng)
        images = generate(generator, latents)
        scored_images = images[num_trajectories:]
        if shows_strokes:
            shapes.append(_measure(images))
        kept.append(_keeps_digit(scored_images, classifier))
        categories.append(_categories(layout, latents[num_trajectories:, 0]))
        residuals.append(affine_residual(scored_images[:, low], scored_images[:, high]))
    same, inside = np.stack(kept), trained_range(values)
    scores = {
        "warp_residual": float(np.mean(residuals)),
        "digit_kept": float(same[..., inside].mean()),
        "digit_kept_extrapolated": float(same[..., ~inside].mean()),
    }
    if not shows_strokes:
        return ContinuousScores(scores, {}, None)
    measured = np.stack(shapes)
    assigning, scored = measured[:, :num_trajectories], measured[:, num_trajectories:]
    roles = assign_roles(assigning, values, SHAPES)
    played = role_correlations(scored, values, SHAPES, roles)
    played |= role_effects(scored, np.stack(categories), values, SHAPES, roles)
    return ContinuousScores(played | scores, roles, leakage_matrix(scored, values))


def _categories(
    layout: CodeLayout, latents: Float[Tensor, "row latent"]
) -> Int[np.ndarray, " row"]:
    """Category of c1 of each row; all the same in a layout without categories."""
    if not layout.categorical:
        return np.zeros(len(latents), dtype=np.int64)
    return latents[:, layout.categorical_slice(0)].argmax(dim=1).cpu().numpy()


def _measure(
    images: Float[Tensor, "row column channel height width"],
) -> Float[np.ndarray, "row column shape"]:
    grey = images.mean(dim=2).flatten(0, 1).numpy()
    table = measure_shapes(grey)[list(SHAPES)].to_numpy()
    return table.reshape(*images.shape[:2], len(SHAPES))


def _keeps_digit(
    images: Float[Tensor, "row column channel height width"], classifier: Judge
) -> Int[np.ndarray, "row column"]:
    digits = classify(classifier, images.flatten(0, 1)).view(images.shape[:2])
    middle = digits[:, images.shape[1] // 2, None]
    return (digits == middle).int().numpy()
