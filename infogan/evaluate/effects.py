"""What each continuous code does to the shape of a digit, as rank correlations along trajectories.

A trajectory is a row of generated images in which one code takes the given values while the noise,
the category and the other codes stay fixed. `measured[code, trajectory, position, shape]` holds one
shape measure of the image in which `code` took `values[position]`.

Protocol. Which code means slant and which means width is not known beforehand, so `assign_roles`
decides it, with the direction, on one set of trajectories and the trained range alone. Other
trajectories are then scored by `role_correlations`, whose sign is against the assigned direction: a
code that leans some digits left and others right scores near 0. The trained range, abs(c) <= 1, and
the extrapolated one, 1 < abs(c) <= 2 with both its sides together, are scored apart. A rank
correlation says how steadily a shape follows a code, and nothing about how far it goes: a code of
an ordinary GAN moves a shape steadily too, by next to nothing. `role_effects` says how far.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from infogan.base.errors import InfoGANError

ROLE_NAMES = {"slant": "rotation", "width": "width"}  # the paper's words
ROLES = tuple(ROLE_NAMES)

# The ends of the ranges belong to them though np.linspace may put a value just outside.
ROUNDING = 1e-6


class Role(NamedTuple):
    """The code that plays a role, and the direction: 1 if the shape grows with it, else -1."""

    code: int
    sign: int


def trained_range(values: Float[np.ndarray, " position"]) -> Bool[np.ndarray, " position"]:
    """Which values the prior U(-1, 1) can draw: abs(c) <= 1."""
    return np.abs(values) <= 1 + ROUNDING


def extrapolated_range(values: Float[np.ndarray, " position"]) -> Bool[np.ndarray, " position"]:
    """Which values lie beyond the prior's range, as far as the paper shows: 1 < abs(c) <= 2."""
    return ~trained_range(values) & (np.abs(values) <= 2 + ROUNDING)


def rank_correlation(
    measured: Float[np.ndarray, "trajectory position"], values: Float[np.ndarray, " position"]
) -> float:
    """Spearman's rank correlation of code and measure, signed, averaged over trajectories.

    Ties share their mean rank. A trajectory along which the measure is constant counts as 0: the
    code does nothing there. InfoGANError where there are no trajectories, or fewer than two
    different values to rank.
    """
    if len(measured) == 0:
        raise InfoGANError("rank correlation: no trajectories; sample at least one")
    if len(np.unique(values)) < 2:
        raise InfoGANError(
            f"rank correlation: needs two different code values in the range, got {values.tolist()}"
            "; traverse the code over more values"
        )
    code_ranks = _centred_ranks(values[None])
    shape_ranks = _centred_ranks(measured)
    covariance = (shape_ranks * code_ranks).sum(axis=1)
    scale = np.sqrt((shape_ranks**2).sum(axis=1) * (code_ranks**2).sum())
    return float(np.mean(covariance / np.where(scale > 0, scale, 1)))


def _centred_ranks(
    rows: Float[np.ndarray, "trajectory position"],
) -> Float[np.ndarray, "trajectory position"]:
    ranks = rankdata(rows, axis=1)
    return ranks - ranks.mean(axis=1, keepdims=True)


def leakage_matrix(
    measured: Float[np.ndarray, "code trajectory position shape"],
    values: Float[np.ndarray, " position"],
) -> Float[np.ndarray, "code shape"]:
    """Signed rank correlation of every code with every shape, over the trained range.

    A code that plays one role alone has one entry near 1 or -1 in its row and the rest near 0.
    """
    num_codes, _, _, num_shapes = measured.shape
    inside = trained_range(values)
    matrix = np.zeros((num_codes, num_shapes))
    for code, shape in np.ndindex(*matrix.shape):
        matrix[code, shape] = rank_correlation(measured[code][:, inside, shape], values[inside])
    return matrix


def assign_roles(
    measured: Float[np.ndarray, "code trajectory position shape"],
    values: Float[np.ndarray, " position"],
    shapes: Sequence[str],
) -> dict[str, Role | None]:
    """Which code is slant and which is width, one-to-one, over the trained range.

    The pairing maximises the sum of the absolute values of the mean signed rank correlations. With
    fewer codes than roles a role that is left over is None; with more, the codes left over have
    none.
    """
    correlations = leakage_matrix(measured, values)[:, [shapes.index(role) for role in ROLES]]
    roles: dict[str, Role | None] = dict.fromkeys(ROLES)
    for code, column in zip(*linear_sum_assignment(-np.abs(correlations)), strict=True):
        sign = 1 if correlations[code, column] >= 0 else -1
        roles[ROLES[column]] = Role(int(code), sign)
    return roles


def role_correlations(
    measured: Float[np.ndarray, "code trajectory position shape"],
    values: Float[np.ndarray, " position"],
    shapes: Sequence[str],
    roles: dict[str, Role | None],
) -> dict[str, float]:
    """Rank correlation of each role's code with its shape, times the assigned sign, in [-1, 1].

    Keys `<role>_spearman` for the trained range and `<role>_spearman_extrapolated` beyond it; a
    role that no code plays has none. Meant for trajectories on which the roles were not assigned.
    """
    ranges = {"": trained_range(values), "_extrapolated": extrapolated_range(values)}
    scores = {}
    for name, role in roles.items():
        if role is None:
            continue
        shape = measured[role.code, :, :, shapes.index(name)]
        for suffix, inside in ranges.items():
            correlation = rank_correlation(shape[:, inside], values[inside])
            scores[f"{name}_spearman{suffix}"] = role.sign * correlation
    return scores


def role_effects(
    measured: Float[np.ndarray, "code trajectory position shape"],
    categories: Int[np.ndarray, "code trajectory"],
    values: Float[np.ndarray, " position"],
    shapes: Sequence[str],
    roles: dict[str, Role | None],
) -> dict[str, float]:
    """How much of a shape each role's code decides, over the trained range.

    `<role>_share`: the first-order Sobol index, Var(E[shape | code]) / Var(shape), among images of
    one category, for the codes' and the noise's prior; 1 if the shape depends on the code alone, 0
    if not at all. `<role>_change`: mean change of the shape from code -1 to 1, in the assigned
    direction and the shape's unit, by the least-squares line. `categories` are the trajectories'.
    """
    inside = trained_range(values)
    scores = {}
    for name, role in roles.items():
        if role is None:
            continue
        shape = measured[role.code][:, inside, shapes.index(name)]
        scores[f"{name}_share"] = variance_share(shape, categories[role.code])
        slope = np.polyfit(values[inside], shape.mean(axis=0), 1)[0]
        scores[f"{name}_change"] = float(role.sign * 2 * slope)
    return scores


def variance_share(
    measured: Float[np.ndarray, "trajectory position"],
    categories: Int[np.ndarray, " trajectory"],
) -> float:
    """Share of the variance within a category that the position along the trajectory explains.

    Among n trajectories of one category their average follows the position with a variance that
    exceeds the share's by noise; that part, the remaining variance over n, is taken off, so that a
    code without effect scores 0 on average. Categories are weighted by their trajectories; those
    with a single one are left out. 0 where nothing varies.
    """
    explained = total = 0.0
    for category in np.unique(categories):
        rows = measured[categories == category]
        if len(rows) < 2:
            continue
        between = rows.mean(axis=0).var()
        within = rows.var(axis=0, ddof=1).mean()
        explained += len(rows) * (between - _trajectory_noise(rows))
        total += len(rows) * (between + within)
    return float(explained / total) if total > 0 else 0.0


def _trajectory_noise(rows: Float[np.ndarray, "trajectory position"]) -> float:
    """Variance over positions of the average trajectory that is due to their finite number.

    A trajectory's own level shifts all positions alike and adds nothing.
    """
    interaction = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0) + rows.mean()
    num_rows, num_positions = rows.shape
    if num_positions < 2:
        return 0.0
    variance = (interaction**2).sum() / ((num_rows - 1) * (num_positions - 1))
    return float(variance / num_rows * (num_positions - 1) / num_positions)
