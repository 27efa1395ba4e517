import pytest

from infogan.evaluate.factor_scores import factor_scores
from tests.evaluate.representations import FACTORS, TURN, VALUES, perfect_codes

FEW = 1200


def test_perfect_codes_score_near_1_in_everything_whatever_their_order_and_sign():
    scores = factor_scores(perfect_codes()[:FEW], VALUES[:FEW], FACTORS, seed=0)
    pairs = {f"{factor.name}_code_{key}" for factor in FACTORS for key in ("spearman", "r2")}
    assert pairs < set(scores)
    for name, score in scores.items():
        assert (0.95 if name.startswith("dci") else 0.85) < score <= 1 + 1e-9, name


def test_a_factor_without_a_code_scores_0_and_the_other_keep_theirs():
    scores = factor_scores(VALUES[:FEW, :TURN], VALUES[:FEW], FACTORS, seed=0)
    assert scores["lean_code_spearman"] == pytest.approx(1)
    assert scores["size_code_spearman"] == pytest.approx(1)
    for name in ("turn", "grey"):
        assert scores[f"{name}_code_spearman"] == scores[f"{name}_code_r2"] == 0


def test_signs_are_fitted_on_the_first_half_so_that_a_code_that_turns_over_scores_minus_1():
    codes = VALUES[:FEW, [0]].copy()
    codes[FEW // 2 :] *= -1
    scores = factor_scores(codes, VALUES[:FEW], FACTORS, seed=0)
    assert scores["lean_code_spearman"] == pytest.approx(-1)
