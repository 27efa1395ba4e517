import math

import numpy as np
import pytest
import torch

from infogan.base.images import Split
from infogan.evaluate.sorting import (
    UNMATCHED,
    by_batch,
    match_categories,
    recognise_images,
    sort_images,
)
from infogan.method.networks import TABLES, build_networks
from tests.evaluate.hand_made import FirstRow, Reading, corners, subject_of
from tests.layouts import code_layout, seeded

LAYOUT = code_layout(noise=4, categorical=(3,), continuous=2)


def split(categories, labels):
    """Images in which Q sees these categories."""
    return Split(corners(torch.tensor(categories)), torch.tensor(labels, dtype=torch.uint8))


# Categories against classes.


@pytest.mark.parametrize(
    ("counts", "mapping"),
    [
        ([[9, 8], [7, 0]], [1, 0]),  # greedy takes 9, then 0; the other diagonal has 8 + 7
        ([[1, 0], [5, 2], [0, 6], [4, 1]], [UNMATCHED, 0, 1, UNMATCHED]),
    ],
)
def test_matching_is_the_best_one_to_one_map(counts, mapping):
    assert match_categories(np.array(counts)).tolist() == mapping


def test_test_images_are_scored_by_the_maps_of_the_training_images(make_params):
    # In training, categories 0 and 1 are two parts of class 0, and category 2 is mostly class 1.
    categories, labels = [0] * 40 + [1] * 20 + [2] * 40, [0] * 60 + [1] * 30 + [2] * 10
    # Beyond the first samples, images that must not count.
    train = split(categories + [0] * 100, labels + [3] * 100)
    test = split([2, 2, 2, 1, 0], [2, 2, 1, 0, 0])
    params = make_params({"codes.categorical": [3], "evaluate.num_samples": 100})
    q = Reading(lambda images: images[:, 0, 0, :7])
    found = sort_images(subject_of(params, None, FirstRow(1), q=q, train=train, test=test))
    assert found.category_to_class == [0, 2, 1]
    assert found.contingency == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 2, 0]]
    scores = found.metrics
    assert scores["accuracy_majority"] == pytest.approx(3 / 5)
    assert scores["accuracy_matched"] == pytest.approx(2 / 5)
    # Within category 2 a class costs H(2/3, 1/3) nats, within the others none.
    classes = -2 * 0.4 * math.log(0.4) - 0.2 * math.log(0.2)
    groups = -0.6 * math.log(0.6) - 2 * 0.2 * math.log(0.2)
    within = 0.6 * (math.log(3) - 2 / 3 * math.log(2))
    assert scores["nmi"] == pytest.approx(2 * (classes - within) / (classes + groups))
    # 1 pair of 10 is together in both; 3 * 2 / 10 is expected by chance; 2.5 is the most.
    assert scores["ari"] == pytest.approx((1 - 0.6) / (2.5 - 0.6))


# Normalisation by the statistics of each batch.


def test_a_network_by_batch_normalises_so_and_the_one_it_copies_stays_as_it_is(options):
    _, discriminator = build_networks(TABLES["mnist"], LAYOUT, options, seed=0)
    before = {name: value.clone() for name, value in discriminator.eval().state_dict().items()}
    images = torch.rand(7, 1, 28, 28, generator=seeded(1))
    with torch.inference_mode():
        found = by_batch(discriminator).recognise(images)
        assert not torch.allclose(found, discriminator.recognise(images))
        assert not any(module.training for module in discriminator.modules())
        assert all(torch.equal(v, before[k]) for k, v in discriminator.state_dict().items())
        assert torch.equal(found, discriminator.train().recognise(images))


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
