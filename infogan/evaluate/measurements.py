"""Everything that is measured of one trained run, put together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int

from infogan.base.dataset import DataSet, Factor
from infogan.base.factors import LUMINANCE
from infogan.base.images import FactorImages, Split, scale
from infogan.base.randomness import random_stream
from infogan.evaluate.bounds import bound_scores, refit_recognition, with_learned_std
from infogan.evaluate.effects import Role
from infogan.evaluate.factor_effects import (
    Read,
    category_information,
    factor_effects,
    measure_trajectories,
    read_luminance,
)
from infogan.evaluate.factor_scores import factor_scores
from infogan.evaluate.generated import continuous_code_scores, generated_accuracy, generated_frechet
from infogan.evaluate.sorting import (
    batch_statistics,
    clustering_scores,
    contingency,
    match_categories,
    predict_categories,
    recognise_images,
)
from infogan.judge.judge import Judge
from infogan.judge.regressor import read_factors
from infogan.method.networks import Discriminator, Generator
from infogan.method.runtime import Backend
from infogan.params import CodeLayout, Params

# Values of a continuous code along a trajectory: from -2 to 2, as far as the paper shows.
TRAJECTORY = np.linspace(-2, 2, 17)


@dataclass
class Measurements:
    """One run's numbers; what the layout has no code for, or the data no truth, stays empty.

    `contingency` counts the test images, `category_to_class` is the one-to-one map fitted on the
    first training images, `roles` holds the continuous code that plays each role or stands for each
    factor, and `leakage` the rank correlation of each continuous code with each of SHAPES.
    `information` is that of `category_information`.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    contingency: Int[np.ndarray, "category label"] | None = None
    category_to_class: Int[np.ndarray, " category"] | None = None
    roles: dict[str, Role | None] = field(default_factory=dict)
    leakage: Float[np.ndarray, "code shape"] | None = None
    information: Float[np.ndarray, "code factor"] | None = None


@dataclass(frozen=True)
class Subject:
    """A run to be measured, its networks on the backend's device, and the judge of its images."""

    generator: Generator
    discriminator: Discriminator
    judge: Judge
    data_set: DataSet
    params: Params
    seed: int
    backend: Backend
    progress: Callable[[str], None]  # is told what comes next

    @property
    def layout(self) -> CodeLayout:
        """Columns of the latents."""
        return self.params.codes

    def stream(self, name: str) -> torch.Generator:
        """Random numbers of a measurement's own."""
        return random_stream(self.seed, f"evaluate/{name}", self.backend.device)


def measure_run(
    subject: Subject, train: Split | FactorImages, test: Split | FactorImages
) -> Measurements:
    """All measurements of a run, each with random numbers of its own.

    Of the training images the first `params.evaluate.num_samples` serve: to fit the map from
    category to class, and as the real side of the Frechet distance.
    """
    num_samples = subject.params.evaluate.num_samples
    result = Measurements()
    if isinstance(train, Split) and isinstance(test, Split):
        train = Split(train.images[:num_samples], train.labels[:num_samples])
        _measure_sorting(result, subject, train, test)
    elif isinstance(test, FactorImages):
        _measure_reading(result, subject, test)
    _measure_bounds(result, subject)
    if isinstance(train, Split):
        _measure_classes(result, subject)
    else:
        _measure_factors(result, subject)

    subject.progress("comparing generated with real images")
    result.metrics["frechet_classifier"] = generated_frechet(
        subject.generator,
        subject.judge,
        subject.layout,
        scale(train.images[:num_samples], subject.data_set.value_range),
        subject.stream("frechet"),
    )
    return result


def _measure_sorting(result: Measurements, subject: Subject, train: Split, test: Split) -> None:
    """What Q sees in real images of known classes, under both conventions for batch norm."""
    if not subject.layout.categorical:
        return
    subject.progress("sorting real images by c1")
    discriminator, layout, data_set = subject.discriminator, subject.layout, subject.data_set
    with batch_statistics(discriminator):
        other = sort_images(discriminator, layout, data_set, train, test)
    chosen = sort_images(discriminator, layout, data_set, train, test)
    result.metrics |= chosen.metrics
    result.metrics |= {f"{key}_batch_statistics": v for key, v in other.metrics.items()}
    result.contingency = chosen.contingency
    result.category_to_class = chosen.category_to_class


def _measure_reading(result: Measurements, subject: Subject, test: FactorImages) -> None:
    """What Q's continuous codes say of real images whose factors are known."""
    if not subject.layout.continuous:
        return
    subject.progress("reading the codes of real images")
    data_set = subject.data_set
    q = recognise_images(subject.discriminator, subject.layout, test.images, data_set.value_range)
    values = test.factors.numpy()
    result.metrics |= factor_scores(q.mean.numpy(), values, data_set.factors, subject.seed)


def _measure_bounds(result: Measurements, subject: Subject) -> None:
    """How much Q knows of the codes of fresh generated images, and how much it could know."""
    params, layout = subject.params, subject.layout
    generator, num_samples = subject.generator, params.evaluate.num_samples
    subject.progress("reading the codes of generated images")
    result.metrics |= bound_scores(
        generator,
        subject.discriminator,
        layout,
        num_samples,
        subject.stream("bounds"),
    )
    subject.progress("training Q on the frozen generator")
    rng = subject.stream("refit")
    refitted = refit_recognition(
        generator, subject.discriminator, params, params.evaluate.refit_steps, rng, subject.backend
    )
    scores = bound_scores(generator, refitted, with_learned_std(layout), num_samples, rng)
    result.metrics |= {
        f"{key.removesuffix('_nats')}_refit_nats": value
        for key, value in scores.items()
        if "fitted" not in key
    }


def _measure_classes(result: Measurements, subject: Subject) -> None:
    """What G makes of the codes, where the judge names classes."""
    params, layout = subject.params, subject.layout
    data_set, evaluate = subject.data_set, params.evaluate
    if layout.categorical:
        subject.progress("naming the classes of generated images")
        result.metrics["accuracy_generated"] = generated_accuracy(
            subject.generator,
            subject.judge,
            layout,
            evaluate.num_samples,
            data_set.num_classes,
            subject.stream("digits"),
        )
    if layout.continuous:
        subject.progress("measuring shapes along the continuous codes")
        effects = continuous_code_scores(
            subject.generator,
            subject.judge,
            layout,
            evaluate.num_trajectories,
            TRAJECTORY,
            subject.stream("trajectories"),
            shows_strokes=data_set.shows_strokes,
        )
        result.metrics |= effects.scores
        result.roles, result.leakage = effects.roles, effects.leakage
    if layout.continuous and not data_set.shows_strokes:
        read = partial(read_luminance, value_range=data_set.value_range)
        _measure_effects(result, subject, read, (LUMINANCE,))


def _measure_factors(result: Measurements, subject: Subject) -> None:
    """What G makes of the codes, where the judge reads factors."""
    layout, factors = subject.layout, subject.data_set.factors
    read = partial(read_factors, subject.judge, factors)
    if layout.continuous:
        subject.progress("reading factors along the continuous codes")
        _measure_effects(result, subject, read, factors)
    if layout.categorical:
        subject.progress("reading factors of images of every category")
        result.information = category_information(
            subject.generator,
            read,
            layout,
            factors,
            subject.params.evaluate.num_samples,
            subject.stream("categories"),
        )
        best = result.information.max(axis=0)
        result.metrics |= {
            f"{factor.name}_category_share": float(share)
            for factor, share in zip(factors, best, strict=True)
        }


def _measure_effects(
    result: Measurements, subject: Subject, read: Read, factors: tuple[Factor, ...]
) -> None:
    """What the continuous codes do to factors; half of the trajectories assign the codes."""
    measured = measure_trajectories(
        subject.generator,
        read,
        subject.layout,
        2 * subject.params.evaluate.num_trajectories,
        TRAJECTORY,
        subject.stream("factors"),
    )
    scores, roles = factor_effects(measured, TRAJECTORY, factors)
    result.metrics |= scores
    result.roles |= roles


def sort_images(
    discriminator: Discriminator,
    layout: CodeLayout,
    data_set: DataSet,
    train: Split,
    test: Split,
) -> Measurements:
    """c1 as a classifier: scores and counts on the test images, the map from the training ones."""
    size, num_classes = layout.categorical[0], data_set.num_classes
    train_categories, test_categories = (
        predict_categories(discriminator, layout, split.images, data_set.value_range)
        for split in (train, test)
    )
    train_labels, test_labels = train.labels.numpy(), test.labels.numpy()
    train_counts = contingency(train_categories, train_labels, size, num_classes)
    return Measurements(
        metrics=clustering_scores(train_counts, test_categories, test_labels),
        contingency=contingency(test_categories, test_labels, size, num_classes),
        category_to_class=match_categories(train_counts),
    )
