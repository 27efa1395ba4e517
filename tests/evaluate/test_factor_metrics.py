import math

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from infogan.evaluate.factor_metrics import (
    NUM_BINS,
    discretise,
    explained_shares,
    factor_vae_score,
    mutual_information,
    mutual_information_gap,
    rank_correlations,
)
from tests.evaluate.representations import (
    FACTORS,
    NUM_IMAGES,
    TURN,
    VALUES,
    duplicated_codes,
    perfect_codes,
    useless_codes,
)

# The factor of each code of `perfect_codes`, whose third is constant.
OWNERS = [2, 0, None, 3, 1]
SIGNS = [1, -1, 0, 1, 1]


def vae(codes, seed=0):
    return factor_vae_score(codes, VALUES, FACTORS, seed)


# Correlations.


def test_perfect_codes_correlate_fully_with_their_factor_and_with_no_other():
    correlations = rank_correlations(perfect_codes(), VALUES, FACTORS)
    assert correlations.shape == (5, 4)
    expected = np.zeros((5, 4))
    for code, owner in enumerate(OWNERS):
        if owner is not None:
            expected[code, owner] = SIGNS[code]
    # Over 4,000 images chance moves a correlation by 0.016.
    np.testing.assert_allclose(correlations, expected, atol=0.08)
    assert correlations[4, 1] == pytest.approx(1)
    assert correlations[1, 0] == pytest.approx(-1)


def test_a_code_correlates_with_a_circle_wherever_it_begins():
    begun_later = np.mod(VALUES[:, [TURN]] + 2.0, 2 * math.pi)
    for codes, sign in ((begun_later, 1), (-begun_later, -1)):
        correlation = rank_correlations(codes, VALUES, FACTORS)[0, TURN]
        # Cuts are 10 degrees apart, so at most 5 / 360 of the images are on the wrong side.
        assert correlation == pytest.approx(sign, abs=0.1)
        assert abs(correlation) > 0.9


@pytest.mark.parametrize("measure", [rank_correlations, explained_shares])
def test_useless_and_constant_codes_explain_nothing(measure):
    assert np.abs(measure(useless_codes(), VALUES, FACTORS)).max() < 0.07
    constant = np.full((NUM_IMAGES, 2), 0.3)
    np.testing.assert_allclose(measure(constant, VALUES, FACTORS), 0, atol=1e-12)


def test_a_perfect_code_explains_all_that_its_bins_resolve():
    shares = explained_shares(perfect_codes(), VALUES, FACTORS)
    # A bin of a uniform factor is 1 / NUM_BINS as wide as the whole.
    assert shares[1, 0] == pytest.approx(1 - 1 / NUM_BINS**2, abs=1e-3)
    # The mean of the unit vectors along an arc of half angle h has length sin(h) / h.
    arc = math.pi / NUM_BINS
    assert shares[0, TURN] == pytest.approx((math.sin(arc) / arc) ** 2, abs=1e-3)


def test_a_code_that_tells_the_cosine_alone_explains_half_of_a_circle():
    cosine = np.cos(VALUES[:, [TURN]])
    # Of sine and cosine, with variance 1/2 each, one is known.
    assert explained_shares(cosine, VALUES, FACTORS)[0, TURN] == pytest.approx(0.5, abs=0.02)


def test_useless_codes_explain_0_on_average_even_of_few_images():
    rng = np.random.default_rng(0)
    shares = [
        explained_shares(rng.uniform(size=(60, 1)), VALUES[60 * i : 60 * i + 60], FACTORS)
        for i in range(60)
    ]
    assert np.mean(shares) == pytest.approx(0, abs=0.03)


# Mutual information gap.


def test_mutual_information_is_that_of_the_joint_counts():
    rng = np.random.default_rng(0)
    codes, values = rng.integers(0, 5, (300, 2)), rng.integers(0, 7, (300, 3))
    values[:, 1] = codes[:, 0]
    information = mutual_information(codes, values)
    assert information.shape == (2, 3)
    for (code, factor), found in np.ndenumerate(information):
        assert found == pytest.approx(mutual_info_score(codes[:, code], values[:, factor]))


def test_bins_hold_equally_many_images_and_categories_keep_a_bin_each():
    columns = np.stack(
        [np.exp(np.arange(400.0)[::-1] / 40), np.repeat([0.0, 1.0, 7.0, 9.0], 100)], 1
    )
    columns[:150, 1] = 0.0
    bins = discretise(columns)
    assert np.bincount(bins[:, 0]).tolist() == [400 // NUM_BINS] * NUM_BINS
    assert bins[0, 0] == NUM_BINS - 1
    assert np.bincount(bins[:, 1]).tolist() == [150, 50, 100, 100]


def test_mig_is_1_for_perfect_codes_and_0_for_duplicated_ones():
    # The second best code shares nothing with the factor but the counts' bias, 19^2 / 2n nats.
    bias = (NUM_BINS - 1) ** 2 / (2 * NUM_IMAGES) / math.log(NUM_BINS)
    assert mutual_information_gap(perfect_codes(), VALUES) == pytest.approx(1 - bias, abs=0.01)
    assert mutual_information_gap(duplicated_codes(), VALUES) == pytest.approx(0, abs=1e-9)


def test_mig_of_a_single_code_is_its_share_of_the_factors():
    assert mutual_information_gap(VALUES[:, [0]], VALUES) == pytest.approx(1 / 4, abs=0.02)


# FactorVAE score.


def test_vae_score_is_1_for_perfect_codes_and_for_duplicated_ones():
    # A code that goes around the circle jumps within 64 of the 4,000 groups that hold it.
    jumps = 64 / NUM_IMAGES / 4
    for codes in (perfect_codes(), duplicated_codes()):
        assert 1 - 3 * jumps <= vae(codes) <= 1


def test_vae_score_is_the_guessing_rate_for_useless_and_constant_codes():
    # 800 votes: standard error 0.015; the majority is fitted on other votes.
    assert vae(useless_codes()) == pytest.approx(1 / 4, abs=0.06)
    assert vae(np.full((NUM_IMAGES, 2), 0.3)) == 1 / 4


def test_vae_score_is_the_same_for_the_same_seed():
    codes = useless_codes()
    assert vae(codes) == vae(codes)
    assert len({vae(codes, seed=seed) for seed in range(4)}) > 1
