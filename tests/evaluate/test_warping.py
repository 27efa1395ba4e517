import math

import pytest
import torch
import torch.nn.functional as F

from infogan.evaluate.warping import affine_residual
from infogan.method.maps import random_map
from infogan.params import Maps


def warped(images, rotation=0.0, shear=0.0, scale=0.0, shift=0.0):
    rng = torch.Generator().manual_seed(3)
    return random_map(
        images, Maps(rotation=rotation, shear=shear, scale=scale, shift=shift, elastic=0.0), rng
    )


def share_left(first, second):
    """What is left of the squared difference, over all pairs."""
    return float(affine_residual(first, second).sum() / (first - second).square().sum())


@pytest.fixture
def digits(digit_images):
    return F.avg_pool2d(digit_images[:12].float() / 255, 3, stride=1, padding=1)


def test_an_image_and_itself_leave_nothing(digits):
    assert (affine_residual(digits, digits) == 0).all()


@pytest.mark.parametrize(
    "change", [{"rotation": 0.3}, {"shear": 0.3}, {"scale": 0.2}, {"shift": 0.1}], ids=str
)
def test_little_is_left_of_an_affine_change(digits, change):
    # Interpolation blurs, so not nothing.
    assert share_left(digits, warped(digits, **change)) < 0.05


def test_a_change_of_brightness_leaves_little(digits):
    assert share_left(digits, 0.5 * digits) < 0.01


def test_thicker_strokes_are_no_affine_change(digits):
    thick = F.max_pool2d(digits, 5, stride=1, padding=2)
    assert share_left(digits, thick) > 0.1


def test_the_order_of_the_two_does_not_matter(digits):
    other = warped(digits, rotation=0.3)
    there, back = share_left(digits, other), share_left(other, digits)
    assert math.isclose(there, back, rel_tol=0.1)
