import math

import numpy as np
import pytest
import torch
from torch import nn

from infogan.evaluate.sorting import (
    UNMATCHED,
    batch_statistics,
    clustering_scores,
    contingency,
    match_categories,
    recognise_images,
)
from infogan.method.networks import TABLES, build_networks
from tests.evaluate.hand_made import Reading
from tests.layouts import code_layout, seeded

LAYOUT = code_layout(noise=4, categorical=(3,), continuous=2)


# Categories against classes.


def test_contingency_counts_every_pair_unused_categories_and_classes_included():
    counts = contingency(np.array([0, 2, 2, 2]), np.array([1, 0, 1, 1]), 4, 3)
    assert counts.tolist() == [[0, 1, 0], [0, 0, 0], [1, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("counts", "mapping"),
    [
        ([[9, 8], [7, 0]], [1, 0]),  # greedy takes 9, then 0; the other diagonal has 8 + 7
        ([[1, 0], [5, 2], [0, 6], [4, 1]], [UNMATCHED, 0, 1, UNMATCHED]),
    ],
)
def test_matching_is_the_best_one_to_one_map(counts, mapping):
    assert match_categories(np.array(counts)).tolist() == mapping


def test_test_images_are_scored_by_the_map_of_the_training_images():
    # In training, categories 0 and 1 are two parts of class 0, and category 2 is mostly class 1.
    train_counts = np.array([[5, 0, 0], [3, 0, 0], [0, 4, 1]])
    scores = clustering_scores(train_counts, np.array([2, 2, 2, 1, 0]), np.array([1, 1, 2, 0, 0]))
    assert scores["accuracy_majority"] == pytest.approx(4 / 5)
    assert scores["accuracy_matched"] == pytest.approx(3 / 5)
    # Within category 2 a class costs H(2/3, 1/3) nats, within the others none.
    classes = -2 * 0.4 * math.log(0.4) - 0.2 * math.log(0.2)
    groups = -0.6 * math.log(0.6) - 2 * 0.2 * math.log(0.2)
    within = 0.6 * (math.log(3) - 2 / 3 * math.log(2))
    assert scores["nmi"] == pytest.approx(2 * (classes - within) / (classes + groups))
    # 1 pair of 10 is together in both; 3 * 2 / 10 is expected by chance; 2.5 is the most.
    assert scores["ari"] == pytest.approx((1 - 0.6) / (2.5 - 0.6))


# Normalisation by the statistics of each batch.


@pytest.fixture
def generator(options):
    """A generator whose running statistics are not those of the next batch."""
    generator, _ = build_networks(TABLES["mnist"], LAYOUT, options, seed=0)
    with torch.no_grad():
        generator(torch.rand(9, LAYOUT.latent_dim, generator=seeded()))
    return generator.eval()


def test_batch_statistics_normalise_by_the_batch_and_leave_the_running_ones_alone(generator):
    before = {name: buffer.clone() for name, buffer in generator.named_buffers()}
    latents = torch.rand(7, LAYOUT.latent_dim, generator=seeded(1))
    with torch.inference_mode(), batch_statistics(generator):
        images = generator(latents)
        kinds = {type(module) for module in generator.modules() if module.training}
    assert kinds == {nn.BatchNorm1d, nn.BatchNorm2d}
    after = dict(generator.named_buffers())
    assert all(torch.equal(after[name], before[name]) for name in before if "running" in name)
    assert not torch.allclose(images, generator(latents))
    assert torch.equal(images, generator.train()(latents))


def test_batch_statistics_restore_modes_and_momentum(options, generator):
    generator.train().layers[2].momentum = 0.5
    with pytest.raises(RuntimeError), batch_statistics(generator):
        raise RuntimeError
    assert {module.training for module in generator.modules()} == {True}
    momenta = [m.momentum for m in generator.modules() if hasattr(m, "momentum")]
    assert momenta == [0.5] + [options.norm_momentum] * (len(momenta) - 1)


# What Q says of real images.


def test_codes_are_qs_means_in_the_data_sets_range_and_in_order():
    def halves(images):
        means = images.unflatten(3, (2, -1)).mean(dim=(1, 2, 4))
        return torch.cat([torch.full((len(images), 3), 9.0), means, means * 0], dim=1)

    images = torch.zeros(1003, 1, 6, 8, dtype=torch.uint8)  # more than a batch
    images[3, :, :, 4:] = images[1001] = 255
    expected = torch.full((1003, 2), -1.0)
    expected[3, 1] = expected[1001] = 1
    codes = recognise_images(Reading(halves), LAYOUT, images, (-1.0, 1.0)).mean
    assert torch.equal(codes, expected)
