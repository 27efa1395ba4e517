import math

import pytest
import torch

from infogan.base.dataset import Factor, rotation
from infogan.base.factors import coordinates, from_coordinates, sample_factors

FACTORS = (Factor("lean", -0.5, 1.5), rotation("turn"), Factor("size", 20.0, 30.0))


def draws(num=4000, seed=0):
    return sample_factors(FACTORS, num, torch.Generator().manual_seed(seed))


def test_factors_are_uniform_over_their_ranges_and_independent_of_each_other():
    assert (torch.corrcoef(draws().T) - torch.eye(3)).abs().max() < 0.05
    for values, factor in zip(draws().unbind(1), FACTORS, strict=True):
        share = (values - factor.low) / (factor.high - factor.low)
        assert 0 <= share.min() < 0.01
        assert 0.99 < share.max() <= 1
        # A uniform variable has mean 1/2 and standard deviation 1 / sqrt(12).
        assert share.mean().item() == pytest.approx(0.5, abs=0.02)
        assert share.std().item() == pytest.approx(12**-0.5, abs=0.01)


def test_coordinates_are_sine_and_cosine_of_an_angle_and_minus_1_to_1_of_the_rest():
    values = torch.tensor([[-0.5, 0.0, 30.0], [1.5, math.pi / 2, 25.0]])
    expected = torch.tensor([[-1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    assert torch.allclose(coordinates(values, FACTORS), expected, atol=1e-6)


def test_reading_coordinates_undoes_them_also_off_the_unit_circle():
    values = draws(50)
    columns = coordinates(values, FACTORS)
    assert torch.allclose(from_coordinates(columns, FACTORS), values, atol=1e-5)
    columns[:, 1:3] *= 0.3
    assert torch.allclose(from_coordinates(columns, FACTORS), values, atol=1e-5)
