import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from infogan.evaluate.bounds import bound_scores
from infogan.evaluate.sorting import (
    UNMATCHED,
    batch_statistics,
    clustering_scores,
    contingency,
    match_categories,
    recognise_images,
)
from infogan.method.codes import sample
from infogan.method.networks import TABLES, DenseMap, Discriminator, Table, build_networks
from infogan.params import Networks
from tests.layouts import code_layout, with_std

LAYOUT = code_layout(noise=4, categorical=(5, 3), continuous=2)
NUM_CLASSES = 10
LABELS = np.repeat(np.arange(NUM_CLASSES), 12)  # 12 images of each class
ORDER = np.array([3, 7, 0, 9, 5, 1, 8, 2, 6, 4])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def scores_of(categories):
    """Scores when the test images are the training images."""
    counts = contingency(categories, LABELS, NUM_CLASSES, NUM_CLASSES)
    return clustering_scores(counts, categories, LABELS)


# Categories against classes.


def test_contingency_counts_every_pair_unused_categories_and_classes_included():
    counts = contingency(np.array([0, 2, 2, 2]), np.array([1, 0, 1, 1]), 4, 3)
    assert counts.tolist() == [[0, 1, 0], [0, 0, 0], [1, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("counts", "mapping"),
    [
        ([[9, 8], [7, 0]], [1, 0]),  # greedy takes 9, then 0; the other diagonal has 8 + 7
        ([[1, 0], [5, 2], [0, 6], [4, 1]], [UNMATCHED, 0, 1, UNMATCHED]),
        ([[0, 3, 2], [4, 9, 0]], [2, 1]),
    ],
)
def test_matching_is_the_best_one_to_one_map(counts, mapping):
    assert match_categories(np.array(counts)).tolist() == mapping


# Scores of representations that are perfect, useless, or duplicated.


def test_perfect_categories_score_1_in_any_order():
    assert list(scores_of(ORDER[LABELS]).values()) == pytest.approx([1, 1, 1, 1])


def test_two_categories_of_one_class_and_two_classes_in_one_category():
    # Category 9 is a second half of class 0 and classes 8 and 9 share category 8.
    categories = LABELS.copy()
    categories[categories == 9] = 8
    categories[:6] = 9
    scores = scores_of(categories)
    assert scores["accuracy_majority"] == pytest.approx(1 - 12 / 120)
    assert scores["accuracy_matched"] == pytest.approx(1 - 12 / 120 - 6 / 120)


def test_scores_are_those_of_the_test_images():
    # In training category 4 is mostly class 7, whatever the rest.
    labels, categories = np.append(LABELS, [7] * 3), np.full(123, 4)
    test_categories, test_labels = np.array([4, 4, 4, 1, 2]), np.array([7, 7, 3, 1, 1])
    counts = contingency(categories, labels, NUM_CLASSES, NUM_CLASSES)
    scores = clustering_scores(counts, test_categories, test_labels)
    assert scores["accuracy_majority"] == pytest.approx(2 / 5)
    # Within category 4 a class costs H(2/3, 1/3) nats, within the others none.
    classes = -2 * 0.4 * math.log(0.4) - 0.2 * math.log(0.2)
    groups = -0.6 * math.log(0.6) - 2 * 0.2 * math.log(0.2)
    within = 0.6 * (math.log(3) - 2 / 3 * math.log(2))
    assert scores["nmi"] == pytest.approx(2 * (classes - within) / (classes + groups))
    # 1 pair of 10 is together in both; 3 * 2 / 10 is expected by chance; 2.5 is the most.
    assert scores["ari"] == pytest.approx((1 - 0.6) / (2.5 - 0.6))


# Networks whose output is known: G shows its latents as an image, Q reads them through a matrix.


def echo_networks(layout, logit_gains, mean_gains, log_std=0.0):
    """G(z, c) = (z, c); Q's logits and means are the codes times their gains."""
    dim = layout.latent_dim
    table = Table(
        image_shape=(dim, 1, 1),
        trunk=(),
        recognition=(),
        generator=(DenseMap(1, dim, norm=False),),
        output=nn.Identity,
    )
    options = Networks(leaky_slope=0.1, init_std=0.02, norm_eps=1e-5, norm_momentum=0.1, width=1.0)
    generator, discriminator = build_networks(table, layout, options, seed=0)
    read = torch.zeros(layout.recognition_dim, dim)
    row = 0
    for code, gain in enumerate(logit_gains):
        size = layout.categorical[code]
        read[row : row + size, layout.categorical_slice(code)] = gain * torch.eye(size)
        row += size
    read[row : row + layout.continuous, layout.continuous_slice] = torch.diag(
        torch.tensor(mean_gains)
    )
    with torch.no_grad():
        generator.layers[1].weight.copy_(torch.eye(dim))
        discriminator.recognition[-1].weight.copy_(read)
        discriminator.recognition[-1].bias[row + layout.continuous :] = log_std
    return generator, discriminator


def bounds_of(networks, layout, num_samples=20_000, *, learned_std=False, seed=0):
    return bound_scores(*networks, with_std(layout, learned=learned_std), num_samples, seeded(seed))


FIXED_STD = math.log(2) - 0.5 * math.log(2 * math.pi)  # a perfect mean with std 1


def fitted_bound(mean_square):
    """The best bound with a constant std when the error has this mean square."""
    return math.log(2) - 0.5 * math.log(2 * math.pi * math.e * mean_square)


@pytest.mark.parametrize(
    ("gains", "bound"),
    [
        ((90.0, 90.0), math.log(5 * 3)),
        ((90.0, 0.0), math.log(5)),
        ((0.0, 90.0), math.log(3)),
        ((0.0, 0.0), 0.0),
    ],
)
def test_the_categorical_bound_is_log_size_of_each_code_that_q_reads(gains, bound):
    scores = bounds_of(echo_networks(LAYOUT, gains, (1.0, 1.0)), LAYOUT)
    assert scores["bound_cat_nats"] == pytest.approx(bound, abs=1e-4)


def test_the_continuous_bound_with_std_1_is_capped_however_well_q_reads():
    scores = bounds_of(echo_networks(LAYOUT, (0.0, 0.0), (1.0, 1.0)), LAYOUT)
    assert scores["bound_cont_nats"] == pytest.approx(2 * FIXED_STD, abs=1e-4)
    assert scores["bound_cont_fitted_nats"] > 20


def test_the_continuous_bounds_of_a_q_that_guesses_are_their_closed_forms():
    scores = bounds_of(echo_networks(LAYOUT, (0.0, 0.0), (0.0, 0.0)), LAYOUT)
    # The error is the code, with mean square 1/3. Tolerances: 5 standard errors.
    assert scores["bound_cont_nats"] == pytest.approx(2 * (FIXED_STD - 1 / 6), abs=0.01)
    assert scores["bound_cont_fitted_nats"] == pytest.approx(2 * fitted_bound(1 / 3), abs=0.04)


def test_the_fitted_std_is_each_codes_own():
    # Errors of half and of nine tenths of the code, so of mean squares 1/12 and 0.27.
    scores = bounds_of(echo_networks(LAYOUT, (0.0, 0.0), (0.5, 0.1)), LAYOUT)
    expected = fitted_bound(0.25 / 3) + fitted_bound(0.81 / 3)
    assert scores["bound_cont_fitted_nats"] == pytest.approx(expected, abs=0.04)


def test_a_learned_std_that_is_right_scores_like_the_fitted_one():
    networks = echo_networks(LAYOUT, (0.0, 0.0), (0.5, 0.5), log_std=0.5 * math.log(0.25 / 3))
    scores = bounds_of(networks, LAYOUT, learned_std=True)
    assert scores["bound_cont_nats"] == pytest.approx(2 * fitted_bound(0.25 / 3), abs=0.04)
    fixed = bounds_of(networks, LAYOUT, learned_std=False)
    assert fixed["bound_cont_nats"] == pytest.approx(2 * (FIXED_STD - 1 / 24), abs=0.01)


def test_the_fitted_std_is_scored_on_samples_it_was_not_fitted_on():
    # Fitted and scored on the same few samples, the bound would be its closed form exactly.
    layout = code_layout(3, (), 1)
    networks = echo_networks(layout, (), (0.0,))
    for seed in range(3):
        code = sample(layout, 4, seeded(seed))[:, -1]
        std = code[:2].square().mean().sqrt()
        density = torch.distributions.Normal(0, std).log_prob(code[2:])
        expected = (density.mean() + math.log(2)).item()
        scores = bounds_of(networks, layout, 4, seed=seed)
        assert scores["bound_cont_fitted_nats"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("layout", "keys"),
    [
        (LAYOUT, {"bound_cat_nats", "bound_cont_nats", "bound_cont_fitted_nats"}),
        (code_layout(4, (5,), 0), {"bound_cat_nats"}),
        (code_layout(4, (), 3), {"bound_cont_nats", "bound_cont_fitted_nats"}),
    ],
    ids=["both kinds", "categorical", "continuous"],
)
def test_a_layout_is_scored_on_the_codes_it_has(options, layout, keys):
    generator, discriminator = build_networks(TABLES["mnist"], layout, options, seed=0)
    scores = bounds_of((generator.eval(), discriminator.eval()), layout, 101)
    assert set(scores) == keys
    assert all(math.isfinite(value) for value in scores.values())


# Normalisation by the statistics of each batch.


def trained_statistics(options):
    """A generator whose running statistics are not those of the next batch."""
    generator, _ = build_networks(TABLES["mnist"], LAYOUT, options, seed=0)
    with torch.no_grad():
        generator(torch.rand(9, LAYOUT.latent_dim, generator=seeded()))
    return generator.eval()


def test_batch_statistics_normalise_by_the_batch_and_leave_the_running_ones_alone(options):
    generator = trained_statistics(options)
    before = copy.deepcopy(generator.state_dict())
    latents = torch.rand(7, LAYOUT.latent_dim, generator=seeded(1))
    with torch.inference_mode(), batch_statistics(generator):
        images = generator(latents)
        kinds = {type(module) for module in generator.modules() if module.training}
    assert kinds == {nn.BatchNorm1d, nn.BatchNorm2d}
    after = generator.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before if "running" in key)
    assert not torch.allclose(images, generator(latents))
    assert torch.equal(images, generator.train()(latents))


@pytest.mark.parametrize("training", [True, False])
def test_batch_statistics_restore_modes_and_momentum(options, training):
    generator = trained_statistics(options).train(training)
    generator.layers[2].momentum = 0.5
    with pytest.raises(RuntimeError), batch_statistics(generator):
        raise RuntimeError
    assert {module.training for module in generator.modules()} == {training}
    momenta = [m.momentum for m in generator.modules() if hasattr(m, "momentum")]
    assert momenta == [0.5] + [options.norm_momentum] * (len(momenta) - 1)


# What Q says of real images.

READ = code_layout(noise=4, categorical=(3,), continuous=2)


class BrightnessReader(Discriminator):
    """A recognition network whose continuous codes are the means of an image's two halves."""

    def __init__(self):
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))

    def recognise(self, images):
        halves = images.unflatten(3, (2, -1)).mean(dim=(1, 2, 4))
        return torch.cat([torch.full((len(images), 3), 9.0), halves, halves * 0], dim=1)


def test_codes_are_qs_means_of_the_continuous_codes_in_the_data_sets_range():
    images = torch.zeros(5, 1, 6, 8, dtype=torch.uint8)
    images[3, :, :, 4:] = 255
    codes = recognise_images(BrightnessReader(), READ, images, (-1.0, 1.0)).mean
    assert codes.tolist() == [[-1, -1]] * 3 + [[-1, 1]] + [[-1, -1]]


def test_more_images_than_a_batch_keep_their_order(options):
    discriminator = build_networks(TABLES["mnist"], READ, options, seed=0)[1].eval()
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1003, 1, 28, 28), generator=rng, dtype=torch.uint8)
    codes = recognise_images(discriminator, READ, images, (0.0, 1.0)).mean
    assert codes.shape == (1003, 2)
    alone = recognise_images(discriminator, READ, images[1001:], (0.0, 1.0)).mean
    np.testing.assert_allclose(codes[1001:], alone, atol=1e-5)
