import math
from dataclasses import replace

import pytest
import torch

from infogan.base.dataset import Factor, rotation
from infogan.base.factors import sample_factors
from infogan.datasets import lookup
from infogan.datasets.heads import HEAD_FACTORS
from infogan.datasets.seats import SEAT_FACTORS
from infogan.download.heads import draw_heads
from infogan.download.seats import draw_seats
from infogan.judge.regressor import read_factors, reading_r2, train_regressor
from infogan.params import Judging
from tests.rendered import seeded

OPTIONS = Judging(
    weights="", num_epochs=6, batch_size=24, lr=0.003, seed=0, rotation=0, shear=0, scale=0, shift=0
)
HEADS = replace(lookup("heads"), value_range=(-1.0, 1.0))
FACTORS = (Factor("size", 20.0, 30.0), rotation("turn"))


@pytest.fixture(scope="module")
def heads():
    return draw_heads(480, seeded()), draw_heads(200, seeded(1))


@pytest.fixture(scope="module")
def head_regressor(heads, backend):
    return train_regressor(heads[0].images, heads[0].factors, HEADS, OPTIONS, backend)


def as_values(images):
    return images / 255 * 2 - 1


# Reading rendered images.


def test_a_few_hundred_heads_teach_all_four_factors(heads, head_regressor):
    held_out = heads[1]
    read = read_factors(head_regressor, HEAD_FACTORS, as_values(held_out.images))
    scores = reading_r2(read, held_out.factors, HEAD_FACTORS)
    assert scores.shape == (4,)
    assert (scores > 0.5).all()


def test_a_few_hundred_seats_teach_the_rotation_over_the_full_circle(backend):
    train, held_out = draw_seats(240, seeded()), draw_seats(100, seeded(1))
    regressor = train_regressor(train.images, train.factors, lookup("seats"), OPTIONS, backend)
    read = read_factors(regressor, SEAT_FACTORS, held_out.images / 255)
    assert reading_r2(read, held_out.factors, SEAT_FACTORS)[0] > 0.5


def test_a_grid_of_images_gives_a_grid_of_factors(heads, head_regressor):
    images = as_values(heads[1].images[:30]).view(2, 3, 5, 1, 32, 32)
    grid = read_factors(head_regressor, HEAD_FACTORS, images)
    assert grid.shape == (2, 3, 5, 4)
    flat = read_factors(head_regressor, HEAD_FACTORS, images.flatten(0, 2))
    assert torch.allclose(grid.flatten(0, 2), flat, atol=1e-5)


# Scores and angles.


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
