"""What the continuous codes do to factors of generated images, along trajectories.

A trajectory is a row of generated images in which one code takes the given values while the noise
and all other codes stay fixed. `measured[code, trajectory, position, factor]` is what was read off
the image in which `code` took `values[position]`: shapes of a digit's strokes, or factors.

Protocol. Which code means which factor is not known beforehand: `assign_roles` decides it, with the
direction, on the first half of the trajectories and the trained range alone, and the second half is
scored, against the assigned direction: a code that leans some digits left and others right scores
near 0. The trained range, abs(c) <= 1, and the extrapolated one, 1 < abs(c) <= 2 with both its
sides together, are scored apart. A rank correlation says how steadily a factor follows a code, and
nothing about how far it goes: a code of an ordinary GAN moves a shape steadily too, by next to
nothing. Shares and changes say how far.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from infogan.base.dataset import Factor
from infogan.base.errors import InfoGANError
from infogan.evaluate.factor_metrics import targets
from infogan.evaluate.subject import Measurements, Role, Subject
from infogan.evaluate.warping import affine_residual
from infogan.judge.classifier import classify
from infogan.method.traversal import continuous_traversal, generate

# Values of a continuous code along a trajectory: from -2 to 2, as far as the paper shows.
TRAJECTORY = np.linspace(-2, 2, 17)

# The ends of the ranges belong to them though np.linspace may put a value just outside.
ROUNDING = 1e-6


class Effects(NamedTuple):
    """Scores by name, the code that stands for each factor, and the leakage of codes x factors."""

    scores: dict[str, float]
    roles: dict[str, Role]
    leakage: Float[np.ndarray, "code factor"]


def measure(subject: Subject) -> Measurements:
    """What the continuous codes do; `num_trajectories` of each are scored, as many assign them.

    With a judge of classes, `digit_kept`: the share of images in which it sees the digit that it
    sees at the middle value of the same trajectory, over abs(c) <= 1; `digit_kept_extrapolated`
    beyond it. `beyond_affine`: what `affine_residual` leaves of the change from -1 to 1, as a share
    of the squared difference between images of two trajectories, on average over the codes.
    """
    layout, reader, rng = subject.layout, subject.reader, subject.stream("trajectories")
    num = subject.params.evaluate.num_trajectories
    if not layout.continuous:
        return Measurements(roles={})
    subject.progress("reading factors along the continuous codes")
    measured, kept, strata, residuals = [], [], [], []
    low, high = np.abs(TRAJECTORY + 1).argmin(), np.abs(TRAJECTORY - 1).argmin()
    for code in range(layout.continuous):
        latents = continuous_traversal(layout, code, list(TRAJECTORY), 2 * num, rng)
        images = generate(subject.generator, latents)
        measured.append(reader.read(images).numpy())
        strata.append(np.zeros(num, dtype=np.int64))
        if reader.within_category and layout.categorical:
            of_c1 = latents[num:, 0, layout.categorical_slice(0)]
            strata[-1] = of_c1.argmax(dim=1).cpu().numpy()
        if subject.data_set.class_names:
            scored = images[num:]
            digits = classify(subject.judge, scored.flatten(0, 1)).view(scored.shape[:2])
            kept.append((digits == digits[:, len(TRAJECTORY) // 2, None]).numpy())
            change = affine_residual(scored[:, low], scored[:, high]).sum()
            others = (scored[:, low] - scored[:, low].roll(1, dims=0)).square().sum()
            residuals.append(float(change / others) if others > 0 else 0.0)
    scores, roles, matrix = factor_effects(
        np.stack(measured), np.stack(strata), TRAJECTORY, reader.factors, reader.paired
    )
    if kept:
        same, inside = np.stack(kept), trained_range(TRAJECTORY)
        scores |= {
            "beyond_affine": float(np.mean(residuals)),
            "digit_kept": float(same[..., inside].mean()),
            "digit_kept_extrapolated": float(same[..., ~inside].mean()),
        }
    return Measurements(
        scores,
        roles={name: role._asdict() for name, role in roles.items()},
        leakage={
            "shapes": [factor.name for factor in reader.factors],
            "codes": matrix.tolist(),
        },
    )


def factor_effects(
    measured: Float[np.ndarray, "code trajectory position factor"],
    strata: Int[np.ndarray, "code scored"],
    values: Float[np.ndarray, " position"],
    factors: Sequence[Factor],
    paired: Sequence[str],
) -> Effects:
    """How the one code that stands for each of the `paired` factors moves it.

    `<factor>_spearman`: mean rank correlation along trajectories, in the assigned direction;
    `_spearman_extrapolated` likewise; `_spearman_unsigned` in each trajectory's own direction.
    `<factor>_share`: the first-order Sobol index over the trained range,
    Var(E[factor | code]) / Var(factor), for the codes' and the noise's prior, among trajectories of
    the same one of `strata`; 1 if the code alone decides the factor, 0 if it does not at all; for
    an angle, of its sine and cosine together. `<factor>_change`: mean change from code -1 to 1 by
    the least-squares line, in the factor's unit and the assigned direction. A factor that is left
    without a code scores 0. Angles are followed through a full turn, where neighbouring
    positions are less than half a turn apart.
    """
    half = measured.shape[1] // 2
    followed = measured.copy()
    for i, factor in enumerate(factors):
        if factor.circular:
            followed[..., i] = np.unwrap(measured[..., i], axis=-1)
    names = [factor.name for factor in factors]
    columns = [names.index(name) for name in paired]
    roles = assign_roles(followed[:, :half, :, columns], values, paired)
    scored, inside = followed[:, half:], trained_range(values)
    ranges = {"spearman": inside, "spearman_extrapolated": ~inside}
    scores = {f"{name}_{key}": 0.0 for name in paired for key in ranges}
    others = ("spearman_unsigned", "share", "change")
    scores |= {f"{name}_{key}": 0.0 for name in paired for key in others}
    for name, (code, sign) in roles.items():
        rows = scored[code, :, :, names.index(name)]
        for key, positions in ranges.items():
            correlations = rank_correlations(rows[:, positions], values[positions])
            scores[f"{name}_{key}"] = sign * float(correlations.mean())
        rows = rows[:, inside]
        unsigned = np.abs(rank_correlations(rows, values[inside])).mean()
        scores[f"{name}_spearman_unsigned"] = float(unsigned)
        slope = np.polyfit(values[inside], rows.mean(axis=0), 1)[0]
        scores[f"{name}_share"] = _share(rows, strata[code], factors[names.index(name)])
        scores[f"{name}_change"] = float(sign * 2 * slope)
    return Effects(scores, roles, leakage_matrix(scored, values))


def assign_roles(
    measured: Float[np.ndarray, "code trajectory position factor"],
    values: Float[np.ndarray, " position"],
    names: Sequence[str],
) -> dict[str, Role]:
    """Which code stands for which factor, one-to-one, over the trained range.

    The pairing maximises the sum of the absolute values of the mean signed rank correlations. With
    fewer codes than factors some are left without; with more, the codes left over have none.
    """
    correlations = leakage_matrix(measured, values)
    pairs = zip(*linear_sum_assignment(-np.abs(correlations)), strict=True)
    of_column = {column: code for code, column in pairs}
    return {
        name: Role(int(code), 1 if correlations[code, column] >= 0 else -1)
        for column, name in enumerate(names)
        if (code := of_column.get(column)) is not None
    }


def trained_range(values: Float[np.ndarray, " position"]) -> Bool[np.ndarray, " position"]:
    """Which values the prior U(-1, 1) can draw: abs(c) <= 1."""
    return np.abs(values) <= 1 + ROUNDING


def rank_correlations(
    measured: Float[np.ndarray, "trajectory position"], values: Float[np.ndarray, " position"]
) -> Float[np.ndarray, " trajectory"]:
    """Spearman's rank correlation of code and measure along each trajectory, signed.

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
    # Less their mean, which is that of 1 to n also where some are tied.
    code_ranks, shape_ranks = (
        rankdata(each, axis=-1) - (len(values) + 1) / 2 for each in (values, measured)
    )
    covariance = (shape_ranks * code_ranks).sum(axis=1)
    scale = np.sqrt((shape_ranks**2).sum(axis=1) * (code_ranks**2).sum())
    return covariance / np.where(scale > 0, scale, 1)


def leakage_matrix(
    measured: Float[np.ndarray, "code trajectory position factor"],
    values: Float[np.ndarray, " position"],
) -> Float[np.ndarray, "code factor"]:
    """Signed rank correlation of every code with every factor, over the trained range.

    A code that moves one factor alone has one entry near 1 or -1 in its row and the rest near 0.
    """
    num_codes, _, _, num_factors = measured.shape
    inside = trained_range(values)
    matrix = np.zeros((num_codes, num_factors))
    for code, factor in np.ndindex(*matrix.shape):
        rows = measured[code][:, inside, factor]
        matrix[code, factor] = rank_correlations(rows, values[inside]).mean()
    return matrix


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
        num_rows, num_positions = rows.shape
        if num_rows < 2:
            continue
        between = rows.mean(axis=0).var()
        within = rows.var(axis=0, ddof=1).mean()
        # A trajectory's own level shifts all positions alike and adds nothing to the noise.
        interaction = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0) + rows.mean()
        noise = (interaction**2).sum() / ((num_rows - 1) * (num_positions - 1))
        noise = noise / num_rows * (num_positions - 1) / num_positions
        explained += num_rows * (between - noise)
        total += num_rows * (between + within)
    return float(explained / total) if total > 0 else 0.0


def _share(
    rows: Float[np.ndarray, "trajectory position"],
    strata: Int[np.ndarray, " trajectory"],
    factor: Factor,
) -> float:
    """The share of variance; of an angle, of sine and cosine, weighted by their variances."""
    if not factor.circular:
        return variance_share(rows, strata)
    [columns] = targets(rows.reshape(-1, 1), [factor])
    grids = [column.reshape(rows.shape) for column in columns.T]
    variances = np.array([grid.var() for grid in grids])
    shares = np.array([variance_share(grid, strata) for grid in grids])
    return float(shares @ variances / variances.sum()) if variances.sum() > 0 else 0.0
