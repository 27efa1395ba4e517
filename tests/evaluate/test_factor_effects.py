import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from infogan.base.dataset import Factor, attribute, rotation
from infogan.datasets import lookup
from infogan.datasets.heads import HEAD_FACTORS
from infogan.download.heads import draw_heads, render_heads, sample_identities
from infogan.evaluate.effects import Role
from infogan.evaluate.factor_effects import (
    category_information,
    factor_effects,
    measure_trajectories,
    read_luminance,
)
from infogan.judge.regressor import read_factors, train_regressor
from infogan.method.networks import Generator
from infogan.params import Judging
from tests.layouts import code_layout
from tests.rendered import seeded

FACTORS = (Factor("lean", -0.5, 1.5), rotation("turn"), Factor("size", 20.0, 30.0))
VALUES = np.linspace(-2, 2, 9)
NUM_TRAJECTORIES = 400


def trajectories(*effects, noise=0.0, own=0.0, seed=0):
    """`measured` where code i adds `effects[i]` = {factor: slope} to its trajectory's own level."""
    rng = np.random.default_rng(seed)
    shape = (len(effects), NUM_TRAJECTORIES, len(VALUES), len(FACTORS))
    measured = noise * rng.standard_normal(shape) + own * rng.standard_normal((*shape[:2], 1, 3))
    names = [factor.name for factor in FACTORS]
    for code, effect in enumerate(effects):
        for name, slope in effect.items():
            measured[code, :, :, names.index(name)] += slope * VALUES
    return measured


def effects_of(measured):
    scores, _ = factor_effects(measured, VALUES, FACTORS)
    return scores


def test_codes_are_paired_with_the_factors_that_they_move_in_either_direction():
    measured = trajectories({"size": -3.0}, {"lean": 0.4}, {}, {"turn": 1.0})
    scores, roles = factor_effects(measured, VALUES, FACTORS)
    assert roles == {"size": Role(0, -1), "lean": Role(1, 1), "turn": Role(3, 1)}
    assert scores["lean_spearman"] == pytest.approx(1)
    assert scores["size_spearman"] == pytest.approx(1)
    assert scores["lean_share"] == pytest.approx(1)
    # From -1 to 1, twice the slope.
    assert scores["lean_change"] == pytest.approx(0.8)
    assert scores["size_change"] == pytest.approx(6)
    assert scores["turn_change"] == pytest.approx(2)


def test_a_code_that_goes_round_the_circle_is_followed_through_the_turn():
    turning = trajectories({}, {"turn": math.pi}, {}, own=0.2)
    turning[..., 1] = np.arctan2(np.sin(turning[..., 1]), np.cos(turning[..., 1]))
    scores = effects_of(turning)
    # Of pi either way, four steps of a quarter turn.
    assert scores["turn_spearman"] == pytest.approx(1)
    assert scores["turn_change"] == pytest.approx(2 * math.pi, rel=1e-3)
    # Levels spread by 0.2 rad blur sine and cosine by 1 - exp(-0.2^2).
    assert scores["turn_share"] == pytest.approx(math.exp(-0.04), abs=0.03)


def test_share_is_that_of_the_codes_variance_among_all():
    scores = effects_of(trajectories({"lean": 0.5}, own=0.4, noise=0.2))
    spread = 0.25 * np.var(np.linspace(-1, 1, 5))
    assert scores["lean_share"] == pytest.approx(spread / (spread + 0.16 + 0.04), abs=0.05)


def test_codes_without_effect_score_near_0():
    scores = effects_of(trajectories({}, {}, {}, noise=1.0, own=1.0))
    assert scores["lean_share"] == pytest.approx(0, abs=0.02)
    # 200 trajectories of 5 positions: standard error 0.5 / sqrt(200) = 0.035.
    assert abs(scores["lean_spearman"]) < 0.15


def test_factors_without_a_code_score_0():
    scores = effects_of(trajectories({"size": 1.0}))
    for name in ("lean", "turn"):
        for key in ("spearman", "share", "change"):
            assert scores[f"{name}_{key}"] == 0
    assert scores["size_spearman"] == pytest.approx(1)


class Renderer(Generator):
    """A generator that draws heads whose azimuth and light are its two codes."""

    layout = code_layout(
        noise=len(sample_identities(1, seeded())[0]) + 2, categorical=(), continuous=2
    )

    def __init__(self):
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, latents):
        identities, others, codes = latents.split([latents.shape[1] - 4, 2, 2], dim=1)
        shares = torch.stack([-codes[:, 1], others[:, 0], codes[:, 0], others[:, 1]], dim=1)
        low = torch.tensor([factor.low for factor in HEAD_FACTORS])
        high = torch.tensor([factor.high for factor in HEAD_FACTORS])
        factors = low + (high - low) * (shares.clamp(-1, 1) + 1) / 2
        return render_heads(factors, identities) / 255


def test_a_generator_whose_codes_are_factors_is_recognised(backend):
    train = draw_heads(480, seeded())
    options = Judging(
        num_epochs=6, batch_size=24, lr=0.003, seed=0, rotation=0, shear=0, scale=0, shift=0
    )
    judge = train_regressor(train.images, train.factors, lookup("heads"), options, backend)
    read = partial(read_factors, judge, HEAD_FACTORS)
    measured = measure_trajectories(Renderer(), read, Renderer.layout, 20, VALUES, seeded(3))
    assert measured.shape == (2, 20, 9, 4)
    scores, _ = factor_effects(measured, VALUES, HEAD_FACTORS)
    assert scores["azimuth_spearman"] > 0.9
    assert scores["light_spearman"] > 0.9
    assert scores["azimuth_share"] > 0.7
    assert scores["light_share"] > 0.7
    # The whole range, of which the regressor may read a little less.
    assert scores["azimuth_change"] == pytest.approx(2 * math.pi / 3, rel=0.2)
    assert scores["elevation_spearman"] == scores["width_spearman"] == 0


# Categorical codes.


class Painter(Generator):
    """A generator that only repeats its latents, in one row of pixels."""

    layout = code_layout(noise=1, categorical=(4, 2), continuous=0)

    def __init__(self):
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, latents):
        return latents[:, None, None]


def information(read, *factors):
    rng = seeded(2)
    return category_information(Painter(), read, Painter.layout, factors, 4000, rng)


def test_a_category_that_is_the_factor_gives_all_of_it_away_and_the_other_nothing():
    shares = information(
        lambda images: torch.stack(
            [images[..., 0, 0, 1:5] @ torch.arange(4.0), images[..., 0, 0, 5]], dim=-1
        ),
        Factor("number", 0.0, 3.0),
        attribute("second"),
    )
    np.testing.assert_allclose(shares, np.eye(2), atol=0.01)


def test_half_of_an_attribute_is_known_from_a_category_that_decides_it_half_of_the_time():
    # Categories 0 and 1 have it never and always, 2 and 3 by a coin's throw.
    def read(images):
        category = images[..., 0, 0, 1:5].argmax(dim=-1)
        coin = images[..., 0, 0, 0] > 0
        return torch.where(category < 2, category == 1, coin).float()[..., None]

    # The reading need not be a whole number.
    def blurred(images):
        return 0.1 + 0.7 * read(images)

    for reading in (read, blurred):
        shares = information(reading, attribute("hat"))
        np.testing.assert_allclose(shares[:, 0], [0.5, 0], atol=0.03)


def test_a_factor_that_never_changes_is_not_known():
    shares = information(lambda images: torch.zeros(*images.shape[:-3], 1), attribute("hat"))
    np.testing.assert_array_equal(shares, [[0], [0]])


def test_luminance_is_0_for_black_and_1_for_white_in_any_range():
    images = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1, 1).expand(2, 3, 3, 4, 4)
    read = read_luminance(images, (-1.0, 1.0))
    np.testing.assert_allclose(read, np.array([[[0], [0.5], [1]]] * 2))
