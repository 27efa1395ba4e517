"""All scores of Q's codes on real images whose factors are known."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from infogan.base.dataset import Factor
from infogan.base.images import FactorImages
from infogan.evaluate.dci import code_importance, dci_scores
from infogan.evaluate.factor_metrics import (
    explained_shares,
    factor_vae_score,
    mutual_information_gap,
    rank_correlations,
)
from infogan.evaluate.sorting import recognise_images
from infogan.evaluate.subject import Measurements, Subject


def measure(subject: Subject) -> Measurements:
    """What Q's continuous codes say of real images whose factors are known."""
    if not subject.layout.continuous or not isinstance(subject.test, FactorImages):
        return Measurements()
    subject.progress("reading the codes of real images")
    images, values = subject.test
    data_set = subject.data_set
    q = recognise_images(subject.discriminator, subject.layout, images, data_set.value_range)
    codes = q.mean.numpy()
    return Measurements(factor_scores(codes, values.numpy(), data_set.factors, subject.seed))


def factor_scores(
    codes: Float[np.ndarray, "image code"],
    values: Float[np.ndarray, "image factor"],
    factors: Sequence[Factor],
    seed: int,
) -> dict[str, float]:
    """Scores of codes that were read from real images, whose `values` of the factors are known.

    `<factor>_code_spearman` and `<factor>_code_r2`: of the one code that stands for the factor.
    Factors and codes are paired one-to-one, by absolute rank correlation, with the sign, on the
    first half of the images, and scored on the second; a factor without a code scores 0 in both.
    `mig`, `factor_vae` and `dci_*` use all codes and images; see `factor_metrics` and `dci`.
    """
    half = len(codes) // 2
    pairing = rank_correlations(codes[:half], values[:half], factors)
    correlations = rank_correlations(codes[half:], values[half:], factors)
    shares = explained_shares(codes[half:], values[half:], factors)
    scores = {f"{factor.name}_code_{key}": 0.0 for factor in factors for key in ("spearman", "r2")}
    for code, factor in zip(*linear_sum_assignment(-np.abs(pairing)), strict=True):
        name = factors[factor].name
        sign = 1 if pairing[code, factor] >= 0 else -1
        scores[f"{name}_code_spearman"] = float(sign * correlations[code, factor])
        scores[f"{name}_code_r2"] = float(shares[code, factor])
    scores["mig"] = mutual_information_gap(codes, values)
    scores["factor_vae"] = factor_vae_score(codes, values, factors, seed)
    return scores | dci_scores(*code_importance(codes, values, factors, seed))
