"""DCI (Eastwood & Williams 2018): which code a regression needs for which factor."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import RandomForestRegressor

from infogan.base.dataset import Factor
from infogan.evaluate.factor_metrics import targets

# Large enough leaves that a forest finds little in noise.
NUM_TREES, LEAF_IMAGES = 50, 10


def code_importance(
    codes: Float[np.ndarray, "image code"],
    values: Float[np.ndarray, "image factor"],
    factors: Sequence[Factor],
    seed: int,
) -> tuple[Float[np.ndarray, "code factor"], Float[np.ndarray, " factor"]]:
    """Importances and R2 of random forests that predict each factor from all codes.

    They are trained on the first half of the images. The importance of a code is the variance that
    its splits remove, over that of all splits: 1 in sum over codes. A circular factor is predicted
    as its sine and cosine, by one forest. R2 is that of the second half, 1 - squared error /
    variance, 0 for a forest as good as the mean, possibly below; 0 for a factor that does not vary.
    """
    half = len(codes) // 2
    importance = np.zeros((codes.shape[1], len(factors)))
    r2 = np.zeros(len(factors))
    for factor, target in enumerate(targets(values, factors)):
        forest = RandomForestRegressor(
            NUM_TREES, min_samples_leaf=LEAF_IMAGES, random_state=seed, n_jobs=1
        )
        forest.fit(codes[:half], target[:half, 0] if target.shape[1] == 1 else target[:half])
        predicted = forest.predict(codes[half:]).reshape(len(codes) - half, -1)
        error = (target[half:] - predicted) ** 2
        variance = target[half:].var(axis=0).sum()
        r2[factor] = 1 - error.mean(axis=0).sum() / variance if variance > 0 else 0.0
        importance[:, factor] = forest.feature_importances_
    return importance, r2


def dci_scores(
    importance: Float[np.ndarray, "code factor"], r2: Float[np.ndarray, " factor"]
) -> dict[str, float]:
    """Disentanglement, completeness and informativeness, each 1 at best.

    `dci_disentanglement`: 1 - entropy of a code's importance over factors, relative to the largest
    possible, averaged over codes weighted by their importance. `dci_completeness`: the same of a
    factor over codes, averaged over factors. `dci_informativeness`: mean R2 (the original gives an
    error instead). With a single factor, or a single code, nothing can be mixed and the first, or
    the second, is 1.
    """
    per_code = _concentration(importance)
    per_factor = _concentration(importance.T)
    weights = importance.sum(axis=1)
    total = weights.sum()
    return {
        "dci_disentanglement": float(weights @ per_code / total) if total > 0 else 0.0,
        "dci_completeness": float(per_factor.mean()),
        "dci_informativeness": float(r2.mean()),
    }


def _concentration(
    weights: Float[np.ndarray, "row column"],
) -> Float[np.ndarray, " row"]:
    """1 - entropy / log(columns) of each row as a distribution; 0 for a row of zeros."""
    num_columns = weights.shape[1]
    if num_columns == 1:
        return np.ones(len(weights))
    total = weights.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / num_columns)
    logs = np.log(np.where(shares > 0, shares, 1))
    return 1 + (shares * logs).sum(axis=1) / math.log(num_columns)
