import math

import numpy as np
import pytest
import torch
from torch import nn

from infogan.codes import CodeLayout
from infogan.factor_effects import factor_effects, measure_trajectories
from infogan.factor_regressor import RegressorOptions, train_regressor
from infogan.factors import Factor, rotation
from infogan.heads import HEAD_FACTORS, draw_heads, render_heads, sample_identities
from infogan.networks import Generator
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
    return factor_effects(measured, VALUES, FACTORS)


def test_codes_are_paired_with_the_factors_that_they_move_in_either_direction():
    scores = effects_of(trajectories({"size": -3.0}, {"lean": 0.4}, {}, {"turn": 1.0}))
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

    layout = CodeLayout(
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
    options = RegressorOptions(num_epochs=6, batch_size=24, lr=0.003, seed=0)
    regressor = train_regressor(train.images, train.factors, HEAD_FACTORS, options, backend)
    measured = measure_trajectories(
        Renderer(), regressor, Renderer.layout, "uniform", (0.0, 1.0), 20, VALUES, seeded(3)
    )
    assert measured.shape == (2, 20, 9, 4)
    scores = factor_effects(measured, VALUES, HEAD_FACTORS)
    assert scores["azimuth_spearman"] > 0.9
    assert scores["light_spearman"] > 0.9
    assert scores["azimuth_share"] > 0.7
    assert scores["light_share"] > 0.7
    # The whole range, of which the regressor may read a little less.
    assert scores["azimuth_change"] == pytest.approx(2 * math.pi / 3, rel=0.2)
    assert scores["elevation_spearman"] == scores["width_spearman"] == 0
