import math

import numpy as np
import pytest

from infogan.evaluate.dci import code_importance, dci_scores
from tests.evaluate.representations import FACTORS, VALUES, mixed_codes, useless_codes

FEW = 1600


def from_matrix(*rows):
    return dci_scores(np.array(rows, dtype=float), np.zeros(len(rows[0])))


# The scores of given importances.


def test_duplicated_codes_are_disentangled_but_incomplete():
    found = from_matrix([0.5, 0], [0.5, 0], [0, 0.5], [0, 0.5], [0, 0])
    assert found["dci_disentanglement"] == pytest.approx(1)
    # Entropy log 2 out of log 5.
    assert found["dci_completeness"] == pytest.approx(1 - math.log(2) / math.log(5))


def test_one_code_for_two_factors_is_complete_but_entangled():
    found = from_matrix([1, 1, 0], [0, 0, 1])
    # The first code has weight 2 and entropy log 2 out of log 3, the second weight 1 and none.
    assert found["dci_disentanglement"] == pytest.approx(1 - 2 / 3 * math.log(2) / math.log(3))
    assert found["dci_completeness"] == pytest.approx(1)


def test_a_single_factor_cannot_be_entangled_and_a_single_code_is_complete():
    assert from_matrix([0.3], [0.7])["dci_disentanglement"] == pytest.approx(1)
    assert from_matrix([1, 1])["dci_completeness"] == pytest.approx(1)


def test_no_importance_at_all_scores_0():
    found = from_matrix([0, 0], [0, 0], [0, 0])
    assert list(found.values()) == pytest.approx([0, 0, 0])


# The importances that forests find.


def test_useless_codes_score_near_0():
    found = dci_scores(*code_importance(useless_codes()[:FEW], VALUES[:FEW], FACTORS, seed=0))
    assert found["dci_disentanglement"] == pytest.approx(0, abs=0.05)
    assert found["dci_completeness"] == pytest.approx(0, abs=0.05)
    assert -0.2 < found["dci_informativeness"] < 0.02


def test_mixed_codes_are_informative_and_entangled():
    importance, r2 = code_importance(mixed_codes()[:FEW], VALUES[:FEW], FACTORS, seed=0)
    assert importance.sum(axis=0) == pytest.approx(np.ones(4))
    assert min(r2[0], r2[3]) > 0.95
    assert importance[:, [0, 3]] == pytest.approx(np.full((2, 2), 0.5), abs=0.15)
    assert dci_scores(importance, r2)["dci_disentanglement"] < 0.1


def test_the_same_seed_gives_the_same_importances():
    given = useless_codes()[:60], VALUES[:60, :1], FACTORS[:1]
    first, again, other = (code_importance(*given, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
