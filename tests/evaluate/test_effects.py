import numpy as np
import pytest

from infogan.base.errors import InfoGANError
from infogan.evaluate.effects import (
    Role,
    assign_roles,
    extrapolated_range,
    leakage_matrix,
    rank_correlation,
    role_correlations,
    role_effects,
    trained_range,
    variance_share,
)

SHAPES = ("area", "slant", "width", "height")
VALUES = np.linspace(-2, 2, 21)
NUM_TRAJECTORIES = 6


def trajectories(*effects):
    """Codes [code, trajectory, position, shape], each given as {shape: function of its value}."""
    measured = np.zeros((len(effects), NUM_TRAJECTORIES, len(VALUES), len(SHAPES)))
    for code, effect in enumerate(effects):
        for shape, function in effect.items():
            offsets = np.arange(NUM_TRAJECTORIES)[:, None]
            measured[code, :, :, SHAPES.index(shape)] = offsets + function(VALUES)
    return measured


def up(values):
    return values**3


def down(values):
    return -np.exp(values)


def scores(measured):
    return role_correlations(measured, VALUES, SHAPES, assign_roles(measured, VALUES, SHAPES))


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
    roles = assign_roles(measured, VALUES, SHAPES)
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
    roles = assign_roles(measured, VALUES, SHAPES)
    assert (roles["slant"].code, roles["width"].code) == (1, 0)


def test_useless_codes_score_about_zero_on_trajectories_that_did_not_choose_them():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 2, 400, len(VALUES), len(SHAPES)))
    roles = assign_roles(noise[0], VALUES, SHAPES)
    scored = role_correlations(noise[1], VALUES, SHAPES, roles)
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
    scored = scores(measured)
    assert scored["slant_spearman"] == pytest.approx(0)
    assert scored["width_spearman"] == pytest.approx(1)


def test_code_that_points_against_its_assigned_direction_scores_minus_one():
    measured = trajectories({"slant": up}, {"width": up})
    roles = assign_roles(-measured, VALUES, SHAPES)
    scored = role_correlations(measured, VALUES, SHAPES, roles)
    assert scored["slant_spearman"] == pytest.approx(-1)


def test_single_code_takes_the_role_it_fits_best():
    measured = trajectories({"width": down})
    assert assign_roles(measured, VALUES, SHAPES) == {"slant": None, "width": Role(0, -1)}
    assert set(scores(measured)) == {"width_spearman", "width_spearman_extrapolated"}


def test_no_code_takes_no_role():
    roles = assign_roles(trajectories(), VALUES, SHAPES)
    assert roles == {"slant": None, "width": None}
    assert role_correlations(trajectories(), VALUES, SHAPES, roles) == {}


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
    roles = assign_roles(measured, VALUES[inside], SHAPES)
    with pytest.raises(InfoGANError, match="traverse"):
        role_correlations(measured, VALUES[inside], SHAPES, roles)


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
    roles = assign_roles(measured, VALUES, SHAPES)
    categories = np.zeros((2, NUM_TRAJECTORIES), dtype=int)
    effects = role_effects(measured, categories, VALUES, SHAPES, roles)
    assert effects["slant_change"] == pytest.approx(0.6)
    assert effects["width_change"] == pytest.approx(4)
    assert set(effects) == {"slant_share", "slant_change", "width_share", "width_change"}
    # Offsets 0..5 between trajectories: variance 3.5 beside 4 * Var(c), of 11 values in [-1, 1].
    spread = 4 * np.var(np.linspace(-1, 1, 11))
    assert effects["width_share"] == pytest.approx(spread / (spread + 3.5))
