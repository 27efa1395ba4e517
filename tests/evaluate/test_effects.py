import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from infogan.base.dataset import Factor, rotation
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate.effects import (
    factor_effects,
    measure,
    prior_weights,
    rank_correlations,
    variance_share,
)
from infogan.evaluate.morphometrics import SHAPES
from infogan.evaluate.subject import Role
from infogan.evaluate.warping import affine_residual
from infogan.method.traversal import code_traversal
from tests.evaluate.hand_made import FirstRow, subject_of
from tests.layouts import code_layout

FACTORS = (Factor("slant", -np.inf, np.inf), rotation("turn"), Factor("width", 20.0, 30.0))
NAMES = [factor.name for factor in FACTORS]
VALUES = np.arange(-10, 11) / 5


def trajectories(*effects, num=6, own=0.0):
    """Codes [code, trajectory, position, factor], each given as {factor: function of its value}.

    Levels of the trajectories' own are spread by `own`.
    """
    levels = np.random.default_rng(0).standard_normal((len(effects), num, 1, len(FACTORS)))
    measured = np.zeros((len(effects), num, len(VALUES), len(FACTORS))) + own * levels
    for code, effect in enumerate(effects):
        for factor, function in effect.items():
            measured[code, :, :, NAMES.index(factor)] += function(VALUES)
    return measured


def up(values):
    return values**3


def down(values):
    return -np.exp(values)


def effects(measured, paired=("slant", "width"), *, assigning=None):
    """The effects where roles are assigned on some trajectories, else on those that are scored."""
    both = np.concatenate([measured if assigning is None else assigning, measured], axis=1)
    one_stratum = np.zeros(measured.shape[:2], dtype=int)
    return factor_effects(both, one_stratum, VALUES, FACTORS, paired)


def test_rank_correlations_are_spearmans_with_ties_and_0_for_a_constant():
    rows = np.random.default_rng(0).integers(0, 6, (5, len(VALUES))) + 0.5
    rows[2] = 0.7
    shuffled = np.random.default_rng(1).permutation(VALUES)
    expected = [0 if i == 2 else spearmanr(row, shuffled).statistic for i, row in enumerate(rows)]
    np.testing.assert_allclose(rank_correlations(rows, shuffled), expected, atol=1e-12)


def test_codes_are_paired_with_the_factors_that_they_move_in_either_direction():
    moved = {"width": lambda c: -3 * c}, {"slant": lambda c: 0.4 * c}, {}, {"turn": lambda c: c}
    scores, roles, leakage = effects(trajectories(*moved), NAMES)
    assert roles == {"width": Role(0, -1), "slant": Role(1, 1), "turn": Role(3, 1)}
    expected = [[0, 0, -1], [1, 0, 0], [0, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(leakage, expected, atol=1e-12)
    assert scores["slant_spearman"] == scores["width_spearman"] == pytest.approx(1)
    assert scores["slant_share"] == pytest.approx(1)
    # From -1 to 1, twice the slope.
    assert scores["slant_change"] == pytest.approx(0.8)
    assert scores["width_change"] == pytest.approx(6)
    assert scores["turn_change"] == pytest.approx(2)


def test_roles_are_those_of_the_best_sum_and_not_of_the_first_choice():
    def mostly_up(values):
        return np.where(np.arange(len(values)) % 4 == 0, -values, values)

    # Both codes move slant best, and only code 0 moves width at all.
    measured = trajectories({"slant": up, "width": mostly_up}, {"slant": mostly_up})
    roles = effects(measured).roles
    assert (roles["slant"].code, roles["width"].code) == (1, 0)


def test_direction_counts_against_the_assigned_one_and_flips_cancel_out():
    measured = trajectories({"slant": up}, {"width": up})
    assert effects(measured, assigning=-measured).scores["slant_spearman"] == pytest.approx(-1)
    measured[0, ::2] *= -1
    scores = effects(measured).scores
    assert scores["slant_spearman_unsigned"] == pytest.approx(1)
    assert scores["slant_spearman"] == pytest.approx(0)
    assert scores["width_spearman"] == pytest.approx(1)


def test_single_code_takes_the_role_it_fits_best_and_the_other_scores_0():
    found = effects(trajectories({"width": down}))
    assert found.roles == {"width": Role(0, -1)}
    assert found.scores["width_spearman"] == pytest.approx(1)
    left = [score for name, score in found.scores.items() if name.startswith("slant_")]
    assert left == [0] * 5


def test_the_worse_side_of_the_extrapolated_range_counts_and_has_no_say_in_roles():
    def falls_above(values):
        return np.where(values > 1, 1 - 9 * values, values)

    # The five values below -1 have the ranks 4, 2, 1, 3 and 5.
    def turns_below(values):
        return np.where(values < -1, (values + 1.61) ** 2 - 9, values)

    measured = trajectories({"slant": falls_above}, {"width": lambda c: -turns_below(c)})
    scores = effects(measured).scores
    assert scores["slant_spearman"] == scores["width_spearman"] == pytest.approx(1)
    assert scores["slant_spearman_extrapolated"] == pytest.approx(-1)
    assert scores["width_spearman_extrapolated"] == pytest.approx(0.3)


def test_the_trained_range_has_its_two_ends():
    at_the_ends = trajectories({"slant": lambda c: np.where(np.abs(c) == 1, c, 0)})
    assert effects(at_the_ends).scores["slant_spearman"] == pytest.approx(50 / math.sqrt(50 * 110))


def test_a_code_that_goes_round_the_circle_is_followed_through_the_turn():
    turning = trajectories({}, {"turn": lambda c: math.pi * c}, {}, num=400, own=0.2)
    turning[..., 1] = np.arctan2(np.sin(turning[..., 1]), np.cos(turning[..., 1]))
    scores = effects(turning, NAMES).scores
    assert scores["turn_spearman"] == pytest.approx(1)
    assert scores["turn_change"] == pytest.approx(2 * math.pi, rel=1e-3)
    # Levels spread by 0.2 rad blur sine and cosine by 1 - exp(-0.2^2).
    assert scores["turn_share"] == pytest.approx(math.exp(-0.04), abs=0.015)


# How far a factor follows.

NINE = np.linspace(-1, 1, 9)


def rows_with(effect, level, noise, num=2000, seed=0):
    """Trajectories [num, position]: effect of the code, own level, independent noise."""
    rng = np.random.default_rng(seed)
    own = level * rng.standard_normal((num, 1))
    return effect * NINE + own + noise * rng.standard_normal((num, len(NINE)))


def share(rows, strata=None):
    strata = np.zeros(len(rows), dtype=int) if strata is None else strata
    return variance_share(rows[..., None], strata, prior_weights(NINE))


def test_a_mean_with_the_priors_weights_is_the_integral_over_it():
    weights = prior_weights(NINE)
    moments = [weights @ NINE**power for power in range(4)]
    # E[c^k] of U(-1, 1).
    assert moments == pytest.approx([1, 0, 1 / 3, 0])


def test_share_is_the_sobol_index_by_hand():
    # Effect 2 of a variance of 1/3 against level 1 and noise 0.5.
    expected = (4 / 3) / (4 / 3 + 1 + 0.25)
    assert share(rows_with(2, 1, 0.5)) == pytest.approx(expected, abs=0.02)


def test_share_of_a_code_without_effect_is_zero_on_average_even_over_few_trajectories():
    shares = [share(rows_with(0, 1, 1, num=5, seed=seed)) for seed in range(300)]
    assert np.mean(shares) == pytest.approx(0, abs=0.01)


def test_share_is_the_same_over_few_trajectories_of_each_stratum():
    rows, strata = rows_with(2, 1, 2), np.arange(2000) // 5
    expected = (4 / 3) / (4 / 3 + 1 + 4)
    assert share(rows, strata) == pytest.approx(expected, abs=0.01)


def test_share_skips_strata_with_one_trajectory():
    rows = np.concatenate([rows_with(2, 1, 0.5)[:200], [[1e6] * 9]])
    strata = np.array([0] * 200 + [1])
    assert share(rows, strata) == pytest.approx(share(rows[:200]))


# Images of strokes, and what a classifier sees in them.

FEW = np.linspace(-2, 2, 9)
LAYOUT = code_layout(noise=3, categorical=(10,), continuous=2)


def draw_bar(slant: Tensor, half_width: Tensor) -> Tensor:
    """Two upright strokes, `2 * half_width` apart, sheared by tan(slant), the top to the right."""
    y = torch.linspace(-13.5, 13.5, 28)[None, :, None]
    x = torch.linspace(-13.5, 13.5, 28)[None, None, :]
    straight = x + torch.tan(slant)[:, None, None] * y
    distance = (straight.abs() - half_width[:, None, None]).abs()
    inside = (y.abs() <= 8).float()
    return ((1.6 - distance).clamp(0, 1) * inside)[:, None]


@pytest.fixture
def drawn(make_params, monkeypatch):
    """What is measured of a function of the latents that draws digits, at few values of a code."""
    monkeypatch.setattr("infogan.evaluate.effects.TRAJECTORY", FEW)

    def measured(draw, num_trajectories=4):
        codes = {"codes.noise": 3, "codes.categorical": [10]}
        params = make_params(codes | {"evaluate.num_trajectories": num_trajectories})
        return measure(subject_of(params, draw, FirstRow(10), lookup("mnist")))

    return measured


def lean_and_widen(latents: Tensor) -> Tensor:
    widen, lean = latents[:, LAYOUT.continuous_slice].T
    return draw_bar(-0.15 * lean, 5 + widen)


def test_codes_that_lean_and_widen_are_found_and_score_near_one(drawn):
    result = drawn(lean_and_widen, num_trajectories=8)
    scores = result.metrics
    assert result.roles == {"slant": {"code": 1, "sign": -1}, "width": {"code": 0, "sign": 1}}
    for name in ("slant", "width"):
        # The codes alone decide these shapes, but for the pixels they are drawn with.
        for key in ("spearman", "spearman_extrapolated", "spearman_unsigned"):
            assert scores[f"{name}_{key}"] == pytest.approx(1, abs=0.05)
        assert scores[f"{name}_share"] == pytest.approx(1, abs=0.08)
    # By hand: 0.15 radians and 2 pixels per unit of code, over two units.
    assert scores["slant_change"] == pytest.approx(0.3, abs=0.03)
    assert scores["width_change"] == pytest.approx(4, abs=0.4)
    assert result.leakage["shapes"] == list(SHAPES)
    widened, leaned = (row[SHAPES.index("slant")] for row in result.leakage["codes"])
    assert leaned == pytest.approx(-1, abs=0.05)
    assert abs(widened) < 0.5


def test_what_no_affine_map_explains_is_measured_by_the_difference_of_any_two_images(drawn):
    shares = []
    stream = random_stream(0, "evaluate/trajectories")
    for code in range(len(LAYOUT.categorical), len(LAYOUT.names)):
        latents = code_traversal(LAYOUT, code, torch.tensor(FEW).float(), 8, stream)[4:]
        low, high = (lean_and_widen(latents[:, position]) for position in (2, 6))  # -1 and 1
        left = affine_residual(low, high).sum()
        others = sum((low[i] - low[i - 1]).square().sum() for i in range(4))
        shares.append(float(left / others))
    found = drawn(lean_and_widen).metrics["beyond_affine"]
    assert found == pytest.approx(np.mean(shares), rel=1e-4)


def test_codes_that_do_nothing_score_zero(drawn):
    constant = draw_bar(torch.tensor([0.2]), torch.tensor([4.0]))
    scores = drawn(lambda latents: constant.expand(len(latents), -1, -1, -1)).metrics
    assert scores.pop("digit_kept") == scores.pop("digit_kept_extrapolated") == 1
    assert len(scores) == 11
    assert list(scores.values()) == pytest.approx([0] * 11, abs=1e-6)


def test_digit_kept_is_the_share_of_images_with_the_digit_of_the_middle(drawn):
    def draw(latents: Tensor) -> Tensor:
        images = torch.zeros(len(latents), 1, 28, 28)
        high = latents[:, LAYOUT.continuous_slice].max(dim=1).values >= 1
        images[torch.arange(len(latents)), 0, 0, high.long()] = 1
        return images

    scores = drawn(draw).metrics
    # Of -1, -0.5, 0.5 and 1 the last changes the digit; of -2, -1.5, 1.5 and 2 the last two.
    assert scores["digit_kept"] == 0.75
    assert scores["digit_kept_extrapolated"] == 0.5


def test_what_a_code_explains_is_told_within_a_digit_that_the_judge_sees(drawn):
    def draw(latents: Tensor) -> Tensor:
        widen, lean = latents[:, LAYOUT.continuous_slice].T
        images = draw_bar(-0.05 * lean, 5 + 2 * latents[:, 0].sign() + 0.8 * widen)
        # Not c1 but the noise decides the digit, which FirstRow reads off a corner.
        images[torch.arange(len(latents)), 0, 0, (latents[:, 0] > 0).long()] = 0.01
        return images

    # Digits differ in width by far more than the code changes it.
    assert drawn(draw, num_trajectories=12).metrics["width_share"] > 0.8
