"""What the continuous codes do to factors of generated images, along trajectories.

A trajectory is a row of generated images in which one code takes the given values while the noise
and all other codes stay fixed. `measured[code, trajectory, position, factor]` is what was read off
the image in which `code` took `values[position]`: shapes of a digit's strokes, or factors.

Protocol. Which code means which factor is not known beforehand: `assign_roles` decides it, with the
direction, on the first half of the trajectories and the trained range alone, and the second half is
scored, against the assigned direction: a code that leans some digits left and others right scores
near 0. The trained range, abs(c) <= 1, and what lies beyond it, -2 <= c < -1 and 1 < c <= 2, are
scored apart. A rank correlation says how steadily a factor follows a code, and nothing about how
far it goes: a code of an ordinary GAN moves a shape steadily too, by next to nothing. Shares and
changes say how far.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.integrate import simpson
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from infogan.base.dataset import Factor
from infogan.evaluate.subject import Measurements, Role, Subject
from infogan.evaluate.warping import affine_residual
from infogan.judge.judge import classify
from infogan.method.traversal import code_traversal, generate

# Values of a continuous code along a trajectory: from -2 to 2, as far as the paper shows.
TRAJECTORY = np.linspace(-2, 2, 17)


class Effects(NamedTuple):
    """Scores by name, the code that stands for each factor, and the leakage.

    That is the signed rank correlation of every code with every factor, over the trained range: a
    code that moves one factor alone has one entry near 1 or -1 in its row and the rest near 0.
    """

    scores: dict[str, float]
    roles: dict[str, Role]
    leakage: Float[np.ndarray, "code factor"]


def measure(subject: Subject) -> Measurements:
    """What the continuous codes do; `num_trajectories` of each are scored, as many assign them.

    With a judge of classes, `digit_kept`: the share of images in which it sees the digit that it
    sees at the middle of the same trajectory, over the other values of abs(c) <= 1;
    `digit_kept_extrapolated` beyond it. `beyond_affine`: what `affine_residual` leaves of the
    change from -1 to 1, as a share of the squared difference between images of two trajectories,
    on average over the codes.
    """
    layout, reader, rng = subject.layout, subject.reader, subject.stream("trajectories")
    num = subject.params.evaluate.num_trajectories
    if not layout.continuous:
        return Measurements(roles={})
    subject.progress("reading factors along the continuous codes")
    measured, kept, strata, residuals = [], [], [], []
    low, middle, high = (np.abs(TRAJECTORY - value).argmin() for value in (-1, 0, 1))
    values = torch.tensor(TRAJECTORY, dtype=torch.float32)
    for code in range(len(layout.categorical), len(layout.names)):
        latents = code_traversal(layout, code, values, 2 * num, rng)
        images = generate(subject.generator, latents)
        measured.append(reader.read(images).numpy())
        strata.append(np.zeros(num, dtype=np.int64))
        if subject.data_set.class_names:
            scored = images[num:]
            digits = classify(subject.judge, scored.flatten(0, 1)).view(scored.shape[:2]).numpy()
            kept.append(digits == digits[:, middle, None])
            if reader.within_class:
                strata[-1] = digits[:, middle]
            change = affine_residual(scored[:, low], scored[:, high]).sum()
            any_two = (scored[:, low] - scored[:, low].roll(1, dims=0)).square().sum()
            residuals.append(float(change / any_two) if any_two > 0 else 0.0)
    scores, roles, matrix = factor_effects(
        np.stack(measured), np.stack(strata), TRAJECTORY, reader.factors, reader.paired
    )
    if kept:
        same, inside = np.stack(kept), np.abs(TRAJECTORY) <= 1
        others = inside & (np.arange(len(TRAJECTORY)) != middle)
        scores |= {
            "beyond_affine": float(np.mean(residuals)),
            "digit_kept": float(same[..., others].mean()),
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
    `_spearman_extrapolated` likewise, the lower one of the two sides; `_spearman_unsigned` in each
    trajectory's own direction. `<factor>_share`: the first-order Sobol index of the code,
    Var(E[factor | code]) / Var(factor), for the priors of the codes, U(-1, 1), and of the noise,
    among trajectories of the same one of `strata`; 1 if the code alone decides the factor, 0 if it
    does not at all; for an angle, of its sine and cosine together. `<factor>_change`: mean change
    from code -1 to 1 by the least-squares line, in the factor's unit and the assigned direction. A
    factor that is left without a code scores 0. Angles are followed through a full turn, where
    neighbouring positions are less than half a turn apart.
    """
    along = np.ascontiguousarray(measured.transpose(0, 3, 1, 2))
    for i, factor in enumerate(factors):
        if factor.circular:
            along[:, i] = np.unwrap(along[:, i])
    half = measured.shape[1] // 2
    inside, low, high = np.abs(values) <= 1, values < -1, values > 1
    correlations = rank_correlations(np.compress(inside, along, axis=-1), values[inside])
    assigning, leakage = correlations[..., :half].mean(axis=-1), correlations[..., half:].mean(-1)
    names = [factor.name for factor in factors]
    columns = [names.index(name) for name in paired]
    roles = assign_roles(assigning[:, columns], paired)
    weights = prior_weights(values[inside])
    keys = ("spearman", "spearman_extrapolated", "spearman_unsigned", "share", "change")
    scores = {f"{name}_{key}": 0.0 for name in paired for key in keys}
    for name, (code, sign) in roles.items():
        column = names.index(name)
        whole = along[code, column, half:]
        rows = whole[:, inside]
        slope = np.polyfit(values[inside], rows.mean(axis=0), 1)[0]
        scores |= {
            f"{name}_spearman": sign * float(leakage[code, column]),
            f"{name}_spearman_extrapolated": min(
                sign * float(rank_correlations(whole[:, side], values[side]).mean())
                for side in (low, high)
            ),
            f"{name}_spearman_unsigned": float(np.abs(correlations[code, column, half:]).mean()),
            f"{name}_share": variance_share(
                coordinates(rows, factors[column]), strata[code], weights
            ),
            f"{name}_change": float(sign * 2 * slope),
        }
    return Effects(scores, roles, leakage)


def assign_roles(
    correlations: Float[np.ndarray, "code factor"], names: Sequence[str]
) -> dict[str, Role]:
    """Which code stands for which factor, one-to-one.

    The pairing maximises the sum of the absolute values of the mean signed rank correlations. With
    fewer codes than factors some are left without; with more, the codes left over have none.
    """
    pairs = zip(*linear_sum_assignment(-np.abs(correlations)), strict=True)
    of_column = {column: code for code, column in pairs}
    return {
        name: Role(int(code), 1 if correlations[code, column] >= 0 else -1)
        for column, name in enumerate(names)
        if (code := of_column.get(column)) is not None
    }


def rank_correlations(
    measured: Float[np.ndarray, "*grid position"], values: Float[np.ndarray, " position"]
) -> Float[np.ndarray, "*grid"]:
    """Spearman's rank correlation of code and measure along each trajectory, signed.

    Ties share their mean rank. A trajectory along which the measure is constant counts as 0: the
    code does nothing there.
    """
    # Less their mean, which is that of 1 to n also where some are tied.
    code_ranks, shape_ranks = (
        rankdata(each, axis=-1) - (len(values) + 1) / 2 for each in (values, measured)
    )
    covariance = (shape_ranks * code_ranks).sum(axis=-1)
    scale = np.sqrt((shape_ranks**2).sum(axis=-1) * (code_ranks**2).sum())
    return covariance / np.where(scale > 0, scale, 1)


def prior_weights(values: Float[np.ndarray, " position"]) -> Float[np.ndarray, " position"]:
    """Weights with which a mean over the values is one over U(-1, 1), by Simpson's rule.

    The values rise from -1 to 1; equal weights would count the two ends twice over.
    """
    return simpson(np.eye(len(values)), x=values) / 2


def variance_share(
    measured: Float[np.ndarray, "trajectory position part"],
    strata: Int[np.ndarray, " trajectory"],
    weights: Float[np.ndarray, " position"],
) -> float:
    """Share of the variance within a stratum that the position along the trajectory explains.

    Positions count by their weights, whose sum is 1; variances are summed over the parts of a
    measure. Among n trajectories of one stratum their average follows the position with a variance
    that exceeds the share's by noise; that part, how far single trajectories depart from their
    average's course, over n, is taken off, so that a code without effect scores 0 on average.
    Strata are weighted by their trajectories; those with a single one are left out. 0 where nothing
    varies.
    """
    explained = total = 0.0
    for stratum in np.unique(strata):
        rows = measured[strata == stratum]
        if len(rows) < 2:
            continue
        rows = rows - rows[0, 0]  # so that nothing is left of what does not vary, not even rounding
        average = rows.mean(axis=0)
        departures = _variance_along(rows - average, weights) / (len(rows) - 1)
        between = _variance_along(average[None], weights) - departures / len(rows)
        within = weights @ rows.var(axis=0, ddof=1).sum(axis=-1)
        explained += len(rows) * between
        total += len(rows) * (between + within)
    return float(explained / total) if total > 0 else 0.0


def _variance_along(
    curves: Float[np.ndarray, "curve position part"], weights: Float[np.ndarray, " position"]
) -> float:
    """The variance over positions, counted by their weights; summed over the curves and parts."""
    mean = np.einsum("cpk,p->ck", curves, weights)[:, None]
    return float(np.einsum("cpk,p->", (curves - mean) ** 2, weights))


def coordinates(
    measured: Float[np.ndarray, "row column"], factor: Factor
) -> Float[np.ndarray, "row column part"]:
    """What has a variance: the factor itself, or an angle's sine and cosine."""
    parts = [np.sin(measured), np.cos(measured)] if factor.circular else [measured]
    return np.stack(parts, axis=-1)
