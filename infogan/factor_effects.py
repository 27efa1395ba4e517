"""What each continuous code does to each known factor of generated images, along trajectories.

The counterpart of `shape_effects` for rendered data, with its conventions: in a trajectory one code
takes the given values while noise and other codes stay fixed, and `measured[code, trajectory,
position, factor]` is what the regressor reads off the images. Which code stands for which factor,
and its direction, is decided on one half of the trajectories and scored on the other.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from infogan.codes import CodeLayout, NoisePrior
from infogan.factor_metrics import targets
from infogan.factor_regressor import FactorRegressor, read_factors, unwrap_circular
from infogan.factors import Factor
from infogan.networks import Generator
from infogan.shape_effects import leakage_matrix, rank_correlation, trained_range, variance_share
from infogan.traversal import continuous_traversal, generate


def measure_trajectories(
    generator: Generator,
    regressor: FactorRegressor,
    layout: CodeLayout,
    noise_prior: NoisePrior,
    value_range: tuple[float, float],
    num_trajectories: int,
    values: Float[np.ndarray, " position"],
    rng: torch.Generator,
) -> Float[np.ndarray, "code trajectory position factor"]:
    """The factors that the regressor reads along trajectories of every continuous code."""
    measured = []
    for code in range(layout.continuous):
        latents = continuous_traversal(
            layout, code, list(values), num_trajectories, noise_prior, rng
        )
        images = generate(generator, latents)
        measured.append(read_factors(regressor, images, value_range).numpy())
    return np.stack(measured)


def factor_effects(
    measured: Float[np.ndarray, "code trajectory position factor"],
    values: Float[np.ndarray, " position"],
    factors: Sequence[Factor],
) -> dict[str, float]:
    """How the one code that stands for a factor moves it, over the trained range, abs(c) <= 1.

    `<factor>_spearman`: mean rank correlation along trajectories, in the assigned direction.
    `<factor>_share`: share of the factor's variance over codes and noise that the code decides
    (`variance_share`; for an angle, of its sine and cosine together). `<factor>_change`: mean
    change from code -1 to 1 by the least-squares line, in the factor's unit and the assigned
    direction. Codes and factors are paired one-to-one by the first half of the trajectories, and
    scored on the second; a factor that is left without a code scores 0. Angles are followed
    through a full turn.
    """
    half, inside = measured.shape[1] // 2, trained_range(values)
    followed = unwrap_circular(measured[:, :, inside], factors)
    pairing = leakage_matrix(followed[:, :half], values[inside])
    keys = ("spearman", "share", "change")
    scores = {f"{factor.name}_{key}": 0.0 for factor in factors for key in keys}
    for code, column in zip(*linear_sum_assignment(-np.abs(pairing)), strict=True):
        sign = 1 if pairing[code, column] >= 0 else -1
        rows = followed[code, half:, :, column]
        slope = np.polyfit(values[inside], rows.mean(axis=0), 1)[0]
        name = factors[column].name
        scores[f"{name}_spearman"] = sign * rank_correlation(rows, values[inside])
        scores[f"{name}_share"] = _share(rows, factors[column])
        scores[f"{name}_change"] = float(sign * 2 * slope)
    return scores


def _share(rows: Float[np.ndarray, "trajectory position"], factor: Factor) -> float:
    """The share of variance of a factor's coordinates, weighted by their variances."""
    same = np.zeros(len(rows), dtype=np.int64)
    [columns] = targets(rows.reshape(-1, 1), [factor])
    grids = [column.reshape(rows.shape) for column in columns.T]
    variances = np.array([grid.var() for grid in grids])
    shares = np.array([variance_share(grid, same) for grid in grids])
    return float(shares @ variances / variances.sum()) if variances.sum() > 0 else 0.0
