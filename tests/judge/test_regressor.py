import math
from dataclasses import replace

import pytest
import torch

from infogan.base.dataset import Factor, rotation
from infogan.base.factors import sample_factors
from infogan.datasets import lookup
from infogan.judge.regressor import read_factors, reading_r2, train_regressor
from infogan.params import Judging
from tests.layouts import seeded

OPTIONS = Judging(
    weights="", num_epochs=8, batch_size=24, lr=0.003, seed=0, rotation=0, shear=0, scale=0, shift=0
)
FACTORS = (Factor("size", 20.0, 30.0), rotation("turn"))
SPOTS = replace(lookup("heads"), image_shape=(1, 16, 20), value_range=(-1.0, 1.0), factors=FACTORS)


def spots(num, seed=0):
    """A bright spot to the side that the angle tells, the larger the size."""
    values = sample_factors(FACTORS, num, seeded(seed))
    size, turn = values.T[:, :, None, None]
    x, y = torch.arange(20) - 9.5, torch.arange(16)[:, None] - 7.5
    distance = (x - 5 * turn.cos()).square() + (y - 5 * turn.sin()).square()
    images = 255 * torch.exp(-distance / (size - 15))
    return images[:, None].to(torch.uint8), values


def test_a_few_hundred_images_teach_a_size_and_an_angle_over_the_full_circle(backend):
    regressor = train_regressor(*spots(400), SPOTS, OPTIONS, backend)
    images, values = spots(60, seed=1)
    images = images / 255 * 2 - 1
    read = read_factors(regressor, FACTORS, images)
    assert (reading_r2(read, values, FACTORS) > 0.8).all()
    # A grid of images gives a grid of factors.
    grid = read_factors(regressor, FACTORS, images.unflatten(0, (4, 3, 5)))
    assert torch.allclose(grid, read.unflatten(0, (4, 3, 5)), atol=1e-4)


def test_exact_reading_scores_1_and_reading_the_mean_0():
    values = sample_factors(FACTORS, 500, seeded())
    assert reading_r2(values, values, FACTORS) == pytest.approx([1, 1])
    mean = torch.full_like(values, values[:, 0].mean().item())
    assert reading_r2(mean, values, FACTORS)[0] == pytest.approx(0, abs=1e-5)
    assert reading_r2(values, mean, FACTORS)[0] == 0


def test_an_angle_a_full_turn_off_is_read_exactly_and_one_half_a_turn_off_scores_minus_3():
    values = sample_factors(FACTORS, 500, seeded())
    turned = values + torch.tensor([0.0, 2 * math.pi])
    assert reading_r2(turned, values, FACTORS)[1] == pytest.approx(1, abs=1e-5)
    # The opposite point of the circle: a distance of 2, squared, over a variance of 1.
    opposite = values + torch.tensor([0.0, math.pi])
    assert reading_r2(opposite, values, FACTORS)[1] == pytest.approx(-3, abs=0.05)
