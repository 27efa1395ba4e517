"""Everything that is measured of one trained run, put together."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from infogan.classifier import Classifier
from infogan.codes import CodeLayout
from infogan.datasets import DataSet, Split, scale
from infogan.evaluation import (
    batch_statistics,
    bound_scores,
    clustering_scores,
    contingency,
    match_categories,
    predict_categories,
)
from infogan.generation import continuous_code_scores, generated_accuracy, generated_frechet
from infogan.networks import Discriminator, Generator
from infogan.params import Params
from infogan.randomness import random_stream
from infogan.refitting import refit_recognition
from infogan.runtime import Backend
from infogan.shape_effects import Role

# Values of a continuous code along a trajectory: from -2 to 2, as far as the paper shows.
TRAJECTORY = np.linspace(-2, 2, 17)


@dataclass
class Measurements:
    """One run's numbers; what the layout has no code for stays empty.

    `contingency` counts the test images, `category_to_class` is the one-to-one map fitted on the
    first training images, `roles` holds the continuous code that plays each role, and `leakage` the
    rank correlation of each continuous code with each of SHAPES.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    contingency: Int[np.ndarray, "category label"] | None = None
    category_to_class: Int[np.ndarray, " category"] | None = None
    roles: dict[str, Role | None] = field(default_factory=dict)
    leakage: Float[np.ndarray, "code shape"] | None = None


def measure_run(
    generator: Generator,
    discriminator: Discriminator,
    classifier: Classifier,
    data_set: DataSet,
    train: Split,
    test: Split,
    params: Params,
    seed: int,
    backend: Backend,
    progress: Callable[[str], None],
) -> Measurements:
    """All measurements of a run, each with random numbers of its own; networks on the device.

    Of the training images the first `params.evaluate.num_samples` serve: to fit the map from
    category to class, and as the real side of the Frechet distance. `progress` is told what comes
    next.
    """
    layout, prior = params.codes.layout, params.codes.noise_prior
    device = backend.device
    num_samples = params.evaluate.num_samples
    result = Measurements()

    # What Q sees in real images, under both conventions for batch norm.
    train = Split(train.images[:num_samples], train.labels[:num_samples])
    if layout.categorical:
        progress("sorting real images by c1")
        with batch_statistics(discriminator):
            other = sort_images(discriminator, layout, data_set, train, test)
        chosen = sort_images(discriminator, layout, data_set, train, test)
        result.metrics |= chosen.metrics
        result.metrics |= {f"{key}_batch_statistics": v for key, v in other.metrics.items()}
        result.contingency = chosen.contingency
        result.category_to_class = chosen.category_to_class

    # How much Q knows of the codes of fresh generated images.
    progress("reading the codes of generated images")
    rng = random_stream(seed, "evaluate/bounds", device)
    learned = params.codes.learned_std
    result.metrics |= bound_scores(
        generator, discriminator, layout, prior, num_samples, rng, learned_std=learned
    )

    # How much another Q, trained longer, could know of them.
    progress("training Q on the frozen generator")
    rng = random_stream(seed, "evaluate/refit", device)
    refit_steps = params.evaluate.refit_steps
    refitted = refit_recognition(generator, discriminator, params, refit_steps, rng, backend)
    scores = bound_scores(generator, refitted, layout, prior, num_samples, rng, learned_std=True)
    result.metrics |= {
        f"{key.removesuffix('_nats')}_refit_nats": value
        for key, value in scores.items()
        if "fitted" not in key
    }

    # What G makes of the codes.
    if layout.categorical:
        progress("naming the digits of generated images")
        rng = random_stream(seed, "evaluate/digits", device)
        result.metrics["accuracy_generated"] = generated_accuracy(
            generator, classifier, layout, prior, num_samples, data_set.num_classes, rng
        )
    if layout.continuous:
        progress("measuring shapes along the continuous codes")
        rng = random_stream(seed, "evaluate/trajectories", device)
        num_trajectories = params.evaluate.num_trajectories
        effects = continuous_code_scores(
            generator, classifier, layout, prior, num_trajectories, TRAJECTORY, rng
        )
        result.metrics |= effects.scores
        result.roles, result.leakage = effects.roles, effects.leakage
    progress("comparing generated with real images")
    rng = random_stream(seed, "evaluate/frechet", device)
    real_images = scale(train.images, data_set.value_range)
    result.metrics["frechet_classifier"] = generated_frechet(
        generator, classifier, layout, prior, real_images, rng
    )
    return result


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
    scores = clustering_scores(
        train_categories, train_labels, test_categories, test_labels, size, num_classes
    )
    return Measurements(
        metrics=scores,
        contingency=contingency(test_categories, test_labels, size, num_classes),
        category_to_class=match_categories(
            contingency(train_categories, train_labels, size, num_classes)
        ),
    )
