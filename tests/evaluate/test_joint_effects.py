import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from infogan.base.dataset import rotation
from infogan.datasets import lookup
from infogan.evaluate.joint_effects import measure, share_together
from tests.evaluate.hand_made import DATA_SET, FirstRow, subject_of
from tests.evaluate.test_effects import draw_bar


def triples(shared, own, num=20_000):
    """Triples [num, 3, part]: what the first two share, of spread 1, and each one's own."""
    rng = np.random.default_rng(0)
    single, pair = rng.standard_normal((num, 3)), rng.standard_normal((num, 2))
    return (own * single + shared * pair[:, [0, 0, 1]])[..., None]


def of_one_class(measured):
    return share_together(measured, np.zeros(measured.shape[:2], dtype=int))


@pytest.mark.parametrize(("shared", "own"), [(1, 0), (1, 1), (2, 1), (0, 1)])
def test_share_is_the_closed_sobol_index_by_hand(shared, own):
    expected = shared**2 / (shared**2 + own**2)
    assert of_one_class(triples(shared, own)) == pytest.approx(expected, abs=0.02)


def test_images_are_compared_within_a_class_and_need_not_all_three_be_of_one():
    classes = np.random.default_rng(1).integers(0, 10, (20_000, 3))
    # Classes differ by far more, and in spread, and of 100 triples one is of a single class.
    measured = triples(1, 1) * (1 + classes)[..., None] + 100 * classes[..., None]
    assert share_together(measured, classes) == pytest.approx(1 / 2, abs=0.05)
    alone = np.array([[0, 0, 1], [1, 1, 0]])
    assert share_together(measured[:2], alone) == 0


def test_of_what_does_not_vary_and_of_no_triples_the_share_is_0():
    assert of_one_class(triples(0, 0)) == of_one_class(triples(1, 1)[:0]) == 0


@pytest.fixture
def shares(make_params):
    """What is measured of a function of the latents that draws images."""

    def measured(draw, data_set, num_classes, **changes):
        codes = {"codes.noise": 1, "codes.categorical": [10], "evaluate.num_samples": 4000}
        params = make_params(codes | changes)
        return measure(subject_of(params, draw, FirstRow(num_classes), data_set)).metrics

    return measured


def even(grey: Tensor) -> Tensor:
    return grey[:, None, None, None].expand(-1, 1, 28, 28)


def test_two_codes_that_each_explain_a_part_explain_it_together_within_a_category(shares):
    def draw(latents: Tensor) -> Tensor:
        noise, category, codes = latents[:, 0], latents[:, 1:11].argmax(1), latents[:, 11:]
        return even(0.3 + 0.05 * (codes.sum(dim=1) + noise) + 0.05 * category)

    found = shares(draw, DATA_SET, 4)
    # Two of the three variances; the category's are much greater.
    assert found == {"luminance_share_together": pytest.approx(2 / 3, abs=0.05)}


def test_of_shapes_it_is_told_within_a_digit_that_the_judge_sees(shares):
    def draw(latents: Tensor) -> Tensor:
        noise, (widen, lean) = latents[:, 0], latents[:, 11:].T
        images = draw_bar(-0.1 * (lean + widen), 5 + 2 * noise.sign() + 0.5 * (widen - lean))
        # The noise decides the digit, which FirstRow reads off a corner, and the width by far.
        images[torch.arange(len(latents)), 0, 0, (noise > 0).long()] = 0.01
        return images

    found = shares(draw, lookup("mnist"), 10, **{"evaluate.num_samples": 1000})
    assert found["slant_share_together"] > 0.9
    assert found["width_share_together"] > 0.8
    assert len(found) == 6


def test_an_angle_is_told_around_the_circle(shares):
    def draw(latents: Tensor) -> Tensor:
        angle = math.pi + 0.1 * (latents[:, 11:].sum(dim=1) + latents[:, 0])  # read as -pi to pi
        images = torch.zeros(len(latents), 1, 28, 28)
        images[:, 0, 0, :2] = torch.stack([angle.sin(), angle.cos()], dim=1)
        return images

    found = shares(draw, replace(DATA_SET, class_names=(), factors=(rotation("turn"),)), 2)
    assert found == {"turn_share_together": pytest.approx(2 / 3, abs=0.05)}


def test_layouts_without_continuous_codes_have_no_such_share(shares):
    assert shares(None, DATA_SET, 4, **{"codes.continuous": 0}) == {}
