import math

import numpy as np
import pytest
import torch

from infogan.errors import InfoGANError
from infogan.factor_regressor import (
    FactorRegressor,
    RegressorOptions,
    load_regressor,
    read_factors,
    reading_r2,
    save_regressor,
    train_regressor,
    unwrap_circular,
)
from infogan.factors import Factor, rotation, sample_factors
from infogan.heads import HEAD_FACTORS, draw_heads
from infogan.seats import SEAT_FACTORS, draw_seats
from tests.rendered import seeded

OPTIONS = RegressorOptions(num_epochs=6, batch_size=24, lr=0.003, seed=0)
FACTORS = (Factor("size", 20.0, 30.0), rotation("turn"))


@pytest.fixture(scope="module")
def heads():
    return draw_heads(480, seeded()), draw_heads(200, seeded(1))


@pytest.fixture(scope="module")
def head_regressor(heads, backend):
    return train_regressor(heads[0].images, heads[0].factors, HEAD_FACTORS, OPTIONS, backend)


def as_values(images):
    return images / 255 * 2 - 1


# Reading rendered images.


def test_a_few_hundred_heads_teach_all_four_factors(heads, head_regressor):
    held_out = heads[1]
    read = read_factors(head_regressor, as_values(held_out.images), (-1.0, 1.0))
    scores = reading_r2(read, held_out.factors, HEAD_FACTORS)
    assert scores.shape == (4,)
    assert (scores > 0.5).all()


def test_a_few_hundred_seats_teach_the_rotation_over_the_full_circle(backend):
    train, held_out = draw_seats(240, seeded()), draw_seats(100, seeded(1))
    regressor = train_regressor(train.images, train.factors, SEAT_FACTORS, OPTIONS, backend)
    read = read_factors(regressor, held_out.images / 255, (0.0, 1.0))
    assert reading_r2(read, held_out.factors, SEAT_FACTORS)[0] > 0.5


def test_a_grid_of_images_gives_a_grid_of_factors(heads, head_regressor):
    images = as_values(heads[1].images[:30]).view(2, 3, 5, 1, 32, 32)
    grid = read_factors(head_regressor, images, (-1.0, 1.0))
    assert grid.shape == (2, 3, 5, 4)
    flat = read_factors(head_regressor, images.flatten(0, 2), (-1.0, 1.0), batch_size=7)
    assert torch.allclose(grid.flatten(0, 2), flat, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(heads, backend):
    short = OPTIONS._replace(num_epochs=1)
    images, values = heads[0].images[:70], heads[0].factors[:70]
    first, again, other = (
        train_regressor(images, values, HEAD_FACTORS, short._replace(seed=seed), backend)
        for seed in (0, 0, 1)
    )
    for key, weights in first.state_dict().items():
        assert torch.equal(weights, again.state_dict()[key])
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
    assert not first.training


def test_the_log_sees_the_error_fall(heads, backend):
    log = []
    images, values = heads[0].images[:200], heads[0].factors[:200]
    options = OPTIONS._replace(num_epochs=3)
    train_regressor(images, values, HEAD_FACTORS, options, backend, lambda *row: log.append(row))
    assert [epoch for epoch, _ in log] == [1, 2, 3]
    assert log[-1][1] < log[0][1]


def test_a_diverged_training_is_reported(heads, backend):
    options = OPTIONS._replace(lr=1e30)
    with pytest.raises(InfoGANError, match="in epoch 1: training diverged"):
        train_regressor(
            heads[0].images[:100], heads[0].factors[:100], HEAD_FACTORS, options, backend
        )


@pytest.mark.parametrize("shape", [(1, 8, 5), (3, 32, 24), (1, 64, 64)])
def test_images_of_any_shape_are_taken(shape):
    regressor = FactorRegressor(shape, FACTORS).eval()
    assert regressor(torch.zeros(2, *shape)).shape == (2, 3)


# On disk.


def test_a_saved_regressor_loads_with_the_same_readings(tmp_path):
    regressor = FactorRegressor((1, 16, 24), FACTORS).eval()
    save_regressor(tmp_path / "weights.safetensors", regressor, "made_up")
    loaded = load_regressor(tmp_path / "weights.safetensors", (1, 16, 24), FACTORS, "made_up")
    images = torch.rand(5, 1, 16, 24, generator=seeded())
    assert not loaded.training
    assert torch.equal(loaded(images), regressor(images))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_missing_damaged_or_other_regressor_is_refused(tmp_path):
    path, shape = tmp_path / "weights.safetensors", (1, 16, 24)
    with pytest.raises(InfoGANError, match="no readable factor regressor of made_up"):
        load_regressor(path, shape, FACTORS, "made_up")
    save_regressor(path, FactorRegressor(shape, FACTORS), "made_up")
    with pytest.raises(InfoGANError, match="trained on made_up, expected heads"):
        load_regressor(path, shape, FACTORS, "heads")
    with pytest.raises(InfoGANError, match="no readable factor regressor"):
        load_regressor(path, shape, FACTORS[:1], "made_up")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InfoGANError, match="no readable factor regressor"):
        load_regressor(path, shape, FACTORS, "made_up")


# Scores and angles.


def test_exact_reading_scores_1_and_reading_the_mean_0():
    values = sample_factors(FACTORS, 500, seeded())
    assert reading_r2(values, values, FACTORS) == pytest.approx([1, 1])
    mean = torch.full_like(values, values[:, 0].mean().item())
    assert reading_r2(mean, values, FACTORS)[0] == pytest.approx(0, abs=1e-5)


def test_an_angle_a_full_turn_off_is_read_exactly_and_one_half_a_turn_off_scores_minus_3():
    values = sample_factors(FACTORS, 500, seeded())
    turned = values + torch.tensor([0.0, 2 * math.pi])
    assert reading_r2(turned, values, FACTORS)[1] == pytest.approx(1, abs=1e-5)
    # The opposite point of the circle: a distance of 2, squared, over a variance of 1.
    opposite = values + torch.tensor([0.0, math.pi])
    assert reading_r2(opposite, values, FACTORS)[1] == pytest.approx(-3, abs=0.05)


def test_angles_along_a_trajectory_go_on_where_the_circle_closes():
    turning = np.linspace(2.0, 9.0, 11)
    measured = np.zeros((3, 11, 2))
    measured[..., 0] = turning
    measured[..., 1] = np.arctan2(np.sin(turning), np.cos(turning))
    unwrapped = unwrap_circular(measured, FACTORS)
    np.testing.assert_allclose(unwrapped[1], np.stack([turning, turning], axis=1))
