import math

import pytest
import torch.nn.functional as F

from infogan.evaluate import warping
from infogan.evaluate.warping import affine_residual
from infogan.method.maps import random_map
from infogan.params import Maps
from tests.layouts import seeded


def share_left(first, second):
    """What is left of the squared difference, over all pairs."""
    return float(affine_residual(first, second).sum() / (first - second).square().sum())


@pytest.fixture
def digits(digit_images):
    return F.avg_pool2d(digit_images[:6].float() / 255, 3, stride=1, padding=1)


@pytest.fixture
def moved(digits):
    """The digits, each turned, leaned, stretched and shifted in its own way."""
    limits = Maps(rotation=0.2, shear=0.2, scale=0.15, shift=0.1, elastic=0.0)
    return random_map(digits, limits, seeded(3))


def test_a_change_of_brightness_leaves_little(digits):
    assert share_left(digits, 0.5 * digits) < 0.01


def test_thicker_strokes_are_no_affine_change(digits):
    thick = F.max_pool2d(digits, 5, stride=1, padding=2)
    assert share_left(digits, thick) > 0.1


def test_little_is_left_of_an_affine_change_in_either_order(digits, moved):
    there, back = share_left(digits, moved), share_left(moved, digits)
    assert there < 0.05  # interpolation blurs, so not nothing
    assert math.isclose(there, back, rel_tol=0.1)


def test_the_best_maps_count_not_the_last(digits, monkeypatch):
    monkeypatch.setattr(warping, "NUM_STEPS", 2)
    assert share_left(digits, 1.01 * digits) < 1.01  # which Adam's first step is far beyond
