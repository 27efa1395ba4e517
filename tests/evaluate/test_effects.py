import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infogan.base.dataset import Factor, rotation
from infogan.base.errors import InfoGANError
from infogan.datasets import lookup
from infogan.datasets.heads import HEAD_FACTORS
from infogan.download.heads import draw_heads, render_heads, sample_identities
from infogan.evaluate.effects import (
    Role,
    extrapolated_range,
    factor_effects,
    leakage_matrix,
    rank_correlations,
    trained_range,
    trajectory_effects,
    unwrap_circular,
    variance_share,
)
from infogan.evaluate.morphometrics import SHAPES
from infogan.evaluate.readers import STROKES, reader_for
from infogan.evaluate.warping import affine_residual
from infogan.judge.regressor import train_regressor
from infogan.method.networks import Generator
from infogan.method.traversal import continuous_traversal
from infogan.params import Judging
from tests.evaluate.hand_made import FirstRow, HandMade
from tests.layouts import code_layout
from tests.rendered import seeded

NAMES = ("area", "slant", "width", "height")
NAMED = [Factor(name, -np.inf, np.inf) for name in NAMES]
ROLES = ("slant", "width")
VALUES = np.linspace(-2, 2, 21)
NUM_TRAJECTORIES = 6


def trajectories(*effects):
    """Codes [code, trajectory, position, shape], each given as {shape: function of its value}."""
    measured = np.zeros((len(effects), NUM_TRAJECTORIES, len(VALUES), len(NAMES)))
    for code, effect in enumerate(effects):
        for shape, function in effect.items():
            offsets = np.arange(NUM_TRAJECTORIES)[:, None]
            measured[code, :, :, NAMES.index(shape)] = offsets + function(VALUES)
    return measured


def up(values):
    return values**3


def down(values):
    return -np.exp(values)


def twice(assigning, scored):
    """The effects where roles are assigned on some trajectories and scored on others."""
    one_stratum = np.zeros(scored.shape[:2], dtype=int)
    both = np.concatenate([assigning, scored], axis=1)
    return factor_effects(both, one_stratum, VALUES, NAMED, ROLES)


def effects(measured):
    return twice(measured, measured)


def scores(measured):
    """The signed rank correlations alone."""
    found = effects(measured).scores
    return {k: v for k, v in found.items() if k.endswith(("spearman", "extrapolated"))}


def rank_correlation(measured, values):
    """Over all trajectories."""
    return rank_correlations(measured, values).mean()


def test_rank_correlation_of_any_rising_measure_is_one_and_of_a_falling_one_minus_one():
    rising = np.stack([VALUES, np.exp(VALUES), VALUES**3])
    assert rank_correlation(rising, VALUES) == pytest.approx(1)
    assert rank_correlation(-rising, VALUES) == pytest.approx(-1)


def test_rank_correlation_is_spearmans_by_hand():
    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 (1 + 1 + 1 + 1) / (4 (16 - 1)) = 0.6.
    assert rank_correlation(
        np.array([[20.0, 10.0, 40.0, 30.0]]), np.array([0.1, 0.2, 0.3, 0.4])
    ) == pytest.approx(0.6)


def test_rank_correlation_gives_ties_their_mean_rank():
    # Ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, variances 1.5 and 2.
    tied = rank_correlation(np.array([[5.0, 5.0, 9.0]]), np.array([0.0, 0.5, 1.0]))
    assert tied == pytest.approx(1.5 / np.sqrt(1.5 * 2))


def test_rank_correlation_does_not_depend_on_the_order_of_the_positions():
    order = np.random.default_rng(0).permutation(len(VALUES))
    measured = np.random.default_rng(1).normal(size=(3, len(VALUES))) + VALUES
    assert rank_correlation(measured[:, order], VALUES[order]) == pytest.approx(
        rank_correlation(measured, VALUES)
    )


def test_constant_trajectory_counts_as_zero():
    constant = np.full((1, len(VALUES)), 0.7)
    assert rank_correlation(constant, VALUES) == 0
    assert rank_correlation(np.vstack([constant, VALUES]), VALUES) == pytest.approx(0.5)


def test_opposite_trajectories_cancel():
    assert rank_correlation(np.stack([VALUES, -VALUES]), VALUES) == pytest.approx(0)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5]])
def test_fewer_than_two_values_are_refused(values):
    with pytest.raises(InfoGANError, match="two different code values"):
        rank_correlation(np.zeros((3, len(values))), np.array(values, dtype=float))


def test_no_trajectories_are_refused():
    with pytest.raises(InfoGANError, match="no trajectories"):
        rank_correlation(np.zeros((0, len(VALUES))), VALUES)


def test_ranges_meet_at_one_and_end_at_two_in_spite_of_rounding():
    values = np.array([-2.5, -2 - 1e-12, -1.2, -1 - 1e-12, 0.0, 1 + 1e-12, 1.2, 2 + 1e-12, 2.5])
    assert trained_range(values).tolist() == [False] * 3 + [True] * 3 + [False] * 3
    expected = [False, True, True, False, False, False, True, True, False]
    assert extrapolated_range(values).tolist() == expected


def test_perfect_codes_take_their_roles_and_score_one_in_either_direction():
    measured = trajectories({"width": down}, {"slant": up}, {})
    roles = effects(measured).roles
    assert roles == {"slant": Role(code=1, sign=1), "width": Role(code=0, sign=-1)}
    expected = dict.fromkeys(
        [
            "slant_spearman",
            "slant_spearman_extrapolated",
            "width_spearman",
            "width_spearman_extrapolated",
        ],
        1,
    )
    assert scores(measured) == pytest.approx(expected)


def test_roles_are_those_of_the_best_sum_and_not_of_the_first_choice():
    def mostly_up(values):
        return np.where(np.arange(len(values)) % 4 == 0, -values, values)

    # Both codes move slant best, and only code 0 moves width at all.
    measured = trajectories({"slant": up, "width": mostly_up}, {"slant": mostly_up})
    roles = effects(measured).roles
    assert (roles["slant"].code, roles["width"].code) == (1, 0)


def test_useless_codes_score_about_zero_on_trajectories_that_did_not_choose_them():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 2, 400, len(VALUES), len(NAMES)))
    found = twice(*noise).scores.items()
    scored = {k: v for k, v in found if k.endswith(("spearman", "extrapolated"))}
    # A Spearman over n positions has variance 1 / (n - 1), here n >= 10, over 400 trajectories.
    assert scored == pytest.approx(dict.fromkeys(scored, 0), abs=4 / np.sqrt(9 * 400))


def test_constant_images_score_zero():
    scored = scores(trajectories({}, {}))
    assert len(scored) == 4
    assert set(scored.values()) == {0}


def test_duplicated_codes_share_out_the_roles_and_only_one_scores():
    scored = scores(trajectories({"slant": up}, {"slant": up}))
    assert scored["slant_spearman"] == pytest.approx(1)
    assert scored["width_spearman"] == pytest.approx(0)


def test_code_whose_direction_flips_between_trajectories_scores_zero():
    measured = trajectories({"slant": up}, {"width": up})
    measured[0, ::2] *= -1
    unsigned = effects(measured).scores["slant_spearman_unsigned"]
    assert unsigned == pytest.approx(1)
    scored = scores(measured)
    assert scored["slant_spearman"] == pytest.approx(0)
    assert scored["width_spearman"] == pytest.approx(1)


def test_code_that_points_against_its_assigned_direction_scores_minus_one():
    measured = trajectories({"slant": up}, {"width": up})
    scored = twice(-measured, measured).scores
    assert scored["slant_spearman"] == pytest.approx(-1)


def test_single_code_takes_the_role_it_fits_best():
    measured = trajectories({"width": down})
    assert effects(measured).roles == {"width": Role(0, -1)}
    assert scores(measured)["width_spearman"] == pytest.approx(1)
    assert scores(measured)["slant_spearman"] == 0


def test_ranges_are_scored_apart_and_roles_ignore_the_extrapolated_one():
    def rises_inside_only(values):
        return np.where(np.abs(values) <= 1 + 1e-9, values, -5 * values)

    scored = scores(trajectories({"slant": rises_inside_only}, {"width": up}))
    assert scored["slant_spearman"] == pytest.approx(1)
    assert scored["slant_spearman_extrapolated"] == pytest.approx(-1)


def test_extrapolated_range_ranks_both_sides_together():
    # Saturating on either side, the sides still differ: 5 tied ranks against 5 tied ranks.
    scored = scores(trajectories({"slant": lambda c: np.clip(c, -1, 1)}, {}))
    # Ranks 3 and 8 against 1..10: covariance 62.5, variances 62.5 and 82.5.
    assert scored["slant_spearman_extrapolated"] == pytest.approx(62.5 / np.sqrt(62.5 * 82.5))


def test_missing_extrapolated_values_are_refused():
    inside = trained_range(VALUES)
    measured = trajectories({"slant": up})[:, :, inside]
    strata = np.zeros((1, NUM_TRAJECTORIES // 2), dtype=int)
    with pytest.raises(InfoGANError, match="traverse"):
        factor_effects(measured, strata, VALUES[inside], NAMED, ROLES)


def test_leakage_matrix_is_signed_and_covers_every_code_and_shape():
    measured = trajectories({"slant": up, "area": down}, {"width": down}, {})
    expected = [[-1, 1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(leakage_matrix(measured, VALUES), expected, atol=1e-12)


# How far a shape follows.


def rows_with(effect, level, noise, num=2000, positions=9, seed=0):
    """Trajectories [num, positions]: effect of the position, own level, independent noise."""
    rng = np.random.default_rng(seed)
    values = np.linspace(-1, 1, positions)
    own = level * rng.standard_normal((num, 1))
    return effect * values + own + noise * rng.standard_normal((num, positions))


ONE_CATEGORY = np.zeros(2000, dtype=int)


def test_share_is_one_where_the_position_decides_all_and_zero_where_nothing_varies():
    assert variance_share(rows_with(2, 0, 0), ONE_CATEGORY) == pytest.approx(1)
    assert variance_share(rows_with(0, 0, 0), ONE_CATEGORY) == 0


def test_share_is_the_sobol_index_by_hand():
    # Nine even values in [-1, 1] have variance 5/12; effect 2 against level 1 and noise 0.5.
    expected = (4 * 5 / 12) / (4 * 5 / 12 + 1 + 0.25)
    assert variance_share(rows_with(2, 1, 0.5), ONE_CATEGORY) == pytest.approx(expected, abs=0.02)


def test_share_of_a_code_without_effect_is_zero_on_average_even_over_few_trajectories():
    shares = [
        variance_share(rows_with(0, 1, 1, num=5, seed=seed), ONE_CATEGORY[:5])
        for seed in range(300)
    ]
    assert np.mean(shares) == pytest.approx(0, abs=0.01)


def test_share_leaves_out_what_differs_between_categories():
    rows = rows_with(2, 1, 0.5)
    categories = np.arange(len(rows)) % 4
    shifted = rows + 100 * categories[:, None]
    assert variance_share(shifted, categories) == pytest.approx(
        variance_share(rows, ONE_CATEGORY), abs=0.02
    )


def test_share_skips_categories_with_one_trajectory():
    rows = np.concatenate([rows_with(2, 1, 0.5)[:200], [[1e6] * 9]])
    categories = np.array([0] * 200 + [1])
    alone = variance_share(rows[:200], categories[:200])
    assert variance_share(rows, categories) == pytest.approx(alone)


def test_change_is_that_from_minus_one_to_one_in_the_assigned_direction():
    # up: c^3 has a least-squares slope over [-1, 1]; a line has its own.
    measured = trajectories({"slant": lambda c: -0.3 * c}, {"width": lambda c: 2 * c})
    scored = effects(measured).scores
    assert scored["slant_change"] == pytest.approx(0.6)
    assert scored["width_change"] == pytest.approx(4)
    # Offsets 0..5 between trajectories: variance 3.5 beside 4 * Var(c), of 11 values in [-1, 1].
    spread = 4 * np.var(np.linspace(-1, 1, 11))
    assert scored["width_share"] == pytest.approx(spread / (spread + 3.5))


# Factors, whose codes are found among several.

FACTORS = (Factor("lean", -0.5, 1.5), rotation("turn"), Factor("size", 20.0, 30.0))
NINE = np.linspace(-2, 2, 9)
MANY = 400


def factor_trajectories(*effects, noise=0.0, own=0.0, seed=0):
    """`measured` where code i adds `effects[i]` = {factor: slope} to its trajectory's own level."""
    rng = np.random.default_rng(seed)
    shape = (len(effects), MANY, len(NINE), len(FACTORS))
    measured = noise * rng.standard_normal(shape) + own * rng.standard_normal((*shape[:2], 1, 3))
    names = [factor.name for factor in FACTORS]
    for code, effect in enumerate(effects):
        for name, slope in effect.items():
            measured[code, :, :, names.index(name)] += slope * NINE
    return measured


def of_factors(measured):
    one_stratum = np.zeros((len(measured), measured.shape[1] // 2), dtype=int)
    return factor_effects(measured, one_stratum, NINE, FACTORS, [f.name for f in FACTORS])


def effects_of(measured):
    return of_factors(measured).scores


def test_codes_are_paired_with_the_factors_that_they_move_in_either_direction():
    measured = factor_trajectories({"size": -3.0}, {"lean": 0.4}, {}, {"turn": 1.0})
    scores, roles, _ = of_factors(measured)
    assert roles == {"size": Role(0, -1), "lean": Role(1, 1), "turn": Role(3, 1)}
    assert scores["lean_spearman"] == pytest.approx(1)
    assert scores["size_spearman"] == pytest.approx(1)
    assert scores["lean_share"] == pytest.approx(1)
    # From -1 to 1, twice the slope.
    assert scores["lean_change"] == pytest.approx(0.8)
    assert scores["size_change"] == pytest.approx(6)
    assert scores["turn_change"] == pytest.approx(2)


def test_a_code_that_goes_round_the_circle_is_followed_through_the_turn():
    turning = factor_trajectories({}, {"turn": math.pi}, {}, own=0.2)
    turning[..., 1] = np.arctan2(np.sin(turning[..., 1]), np.cos(turning[..., 1]))
    scores = effects_of(turning)
    # Of pi either way, four steps of a quarter turn.
    assert scores["turn_spearman"] == pytest.approx(1)
    assert scores["turn_change"] == pytest.approx(2 * math.pi, rel=1e-3)
    # Levels spread by 0.2 rad blur sine and cosine by 1 - exp(-0.2^2).
    assert scores["turn_share"] == pytest.approx(math.exp(-0.04), abs=0.03)


def test_share_is_that_of_the_codes_variance_among_all():
    scores = effects_of(factor_trajectories({"lean": 0.5}, own=0.4, noise=0.2))
    spread = 0.25 * np.var(np.linspace(-1, 1, 5))
    assert scores["lean_share"] == pytest.approx(spread / (spread + 0.16 + 0.04), abs=0.05)


def test_codes_without_effect_score_near_0():
    scores = effects_of(factor_trajectories({}, {}, {}, noise=1.0, own=1.0))
    assert scores["lean_share"] == pytest.approx(0, abs=0.02)
    # 200 trajectories of 5 positions: standard error 0.5 / sqrt(200) = 0.035.
    assert abs(scores["lean_spearman"]) < 0.15


def test_factors_without_a_code_score_0():
    scores = effects_of(factor_trajectories({"size": 1.0}))
    for name in ("lean", "turn"):
        for key in ("spearman", "spearman_extrapolated", "share", "change"):
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
        weights="",
        num_epochs=6,
        batch_size=24,
        lr=0.003,
        seed=0,
        rotation=0,
        shear=0,
        scale=0,
        shift=0,
    )
    judge = train_regressor(train.images, train.factors, lookup("heads"), options, backend)
    reader = reader_for(lookup("heads"), judge)
    scores, _, leakage = trajectory_effects(
        Renderer(), Renderer.layout, reader, 10, NINE, seeded(3)
    )
    assert leakage.shape == (2, 4)
    assert scores["azimuth_spearman"] > 0.9
    assert scores["light_spearman"] > 0.9
    assert scores["azimuth_share"] > 0.7
    assert scores["light_share"] > 0.7
    # The whole range, of which the regressor may read a little less.
    assert scores["azimuth_change"] == pytest.approx(2 * math.pi / 3, rel=0.2)
    assert scores["elevation_spearman"] == scores["width_spearman"] == 0


def test_angles_along_a_trajectory_go_on_where_the_circle_closes():
    turning = np.linspace(2.0, 9.0, 11)
    measured = np.zeros((3, 11, 2))
    measured[..., 0] = turning
    measured[..., 1] = np.arctan2(np.sin(turning), np.cos(turning))
    unwrapped = unwrap_circular(measured, (FACTORS[0], FACTORS[1]))
    np.testing.assert_allclose(unwrapped[1], np.stack([turning, turning], axis=1))


# Images of strokes, and what a classifier sees in them.

LAYOUT = code_layout(noise=3, categorical=(10,), continuous=2)


def draw_bar(slant: Tensor, half_width: Tensor) -> Tensor:
    """Two upright strokes, `2 * half_width` apart, sheared by tan(slant), the top to the right."""
    y = torch.linspace(-13.5, 13.5, 28)[None, :, None]
    x = torch.linspace(-13.5, 13.5, 28)[None, None, :]
    straight = x + torch.tan(slant)[:, None, None] * y
    distance = (straight.abs() - half_width[:, None, None]).abs()
    inside = (y.abs() <= 8).float()
    return ((1.6 - distance).clamp(0, 1) * inside)[:, None]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def drawn(draw, num_trajectories: int = 4):
    args = (HandMade(draw), LAYOUT, STROKES, num_trajectories, NINE, rng(), FirstRow(10))
    return trajectory_effects(*args)


def test_codes_that_lean_and_widen_are_found_and_score_near_one():
    def draw(latents: Tensor) -> Tensor:
        widen, lean = latents[:, LAYOUT.continuous_slice].T
        return draw_bar(-0.15 * lean, 5 + widen)

    # Enough for several trajectories of each category.
    result = drawn(draw, num_trajectories=40)
    assert result.roles["slant"] == (1, -1)
    assert result.roles["width"] == (0, 1)
    for name in ("slant", "width"):
        assert result.scores[f"{name}_spearman"] == pytest.approx(1, abs=0.05)
        assert result.scores[f"{name}_spearman_extrapolated"] == pytest.approx(1, abs=0.05)
        # The codes alone decide these shapes.
        assert result.scores[f"{name}_share"] == pytest.approx(1, abs=0.05)
    # By hand: 0.15 radians and 2 pixels per unit of code, over two units.
    assert result.scores["slant_change"] == pytest.approx(0.3, abs=0.03)
    assert result.scores["width_change"] == pytest.approx(4, abs=0.4)
    # To lean or to move two strokes apart is an affine map, but for the strokes' thickness.
    assert result.scores["slant_spearman_unsigned"] == pytest.approx(1, abs=0.05)
    assert result.leakage.shape == (2, len(SHAPES))
    assert result.leakage[1, SHAPES.index("slant")] == pytest.approx(-1, abs=0.05)
    assert abs(result.leakage[0, SHAPES.index("slant")]) < 0.5


def test_what_no_affine_map_explains_is_measured_by_the_difference_of_any_two_images():
    def draw(latents: Tensor) -> Tensor:
        widen, lean = latents[:, LAYOUT.continuous_slice].T
        return draw_bar(-0.15 * lean, 5 + widen)

    shares = []
    stream = rng()
    for code in range(2):
        latents = continuous_traversal(LAYOUT, code, list(NINE), 8, stream)[4:]
        low, high = (draw(latents[:, position]) for position in (2, 6))  # -1 and 1
        left = affine_residual(low, high).sum()
        others = sum((low[i] - low[i - 1]).square().sum() for i in range(4))
        shares.append(float(left / others))
    assert drawn(draw).scores["beyond_affine"] == pytest.approx(np.mean(shares), rel=1e-4)


def test_codes_that_do_nothing_score_zero():
    constant = draw_bar(torch.tensor([0.2]), torch.tensor([4.0]))
    result = drawn(lambda latents: constant.expand(len(latents), -1, -1, -1))
    assert result.scores["slant_spearman"] == 0
    assert result.scores["width_spearman"] == 0
    for name in ("slant_share", "slant_change", "width_share", "width_change", "beyond_affine"):
        assert result.scores[name] == pytest.approx(0, abs=1e-6)
    assert result.scores["digit_kept"] == 1


def test_digit_kept_is_the_share_of_images_with_the_digit_of_the_middle():
    def draw(latents: Tensor) -> Tensor:
        images = torch.zeros(len(latents), 1, 28, 28)
        high = latents[:, LAYOUT.continuous_slice].max(dim=1).values > 1.2
        images[torch.arange(len(latents)), 0, 0, high.long()] = 1
        return images

    result = drawn(draw)
    # Of the values beyond 1, -2 and -1.5 keep the digit and 1.5 and 2 change it.
    assert result.scores["digit_kept"] == 1
    assert result.scores["digit_kept_extrapolated"] == 0.5


def test_what_a_code_explains_is_told_within_a_digit():
    def draw(latents: Tensor) -> Tensor:
        widen, lean = latents[:, LAYOUT.continuous_slice].T
        digit = latents[:, LAYOUT.categorical_slice(0)].argmax(dim=1)
        return draw_bar(-0.05 * lean, 3 + 0.6 * digit + 0.4 * widen)

    # Digits differ in width by far more than the code changes it.
    assert drawn(draw, num_trajectories=40).scores["width_share"] > 0.8
