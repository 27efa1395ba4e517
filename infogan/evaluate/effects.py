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
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from torch import Tensor

from infogan.base.dataset import Factor
from infogan.base.errors import InfoGANError
from infogan.evaluate.factor_metrics import targets
from infogan.evaluate.readers import Reader
from infogan.evaluate.subject import Measurements, Role, Subject
from infogan.evaluate.warping import affine_residual
from infogan.judge.classifier import classify
from infogan.judge.judge import Judge
from infogan.method.networks import Generator
from infogan.method.traversal import continuous_traversal, generate
from infogan.params import CodeLayout

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
    """What the continuous codes do; `num_trajectories` of each are scored, as many assign them."""
    if not subject.layout.continuous:
        return Measurements(roles={})
    subject.progress("reading factors along the continuous codes")
    reader = subject.reader
    effects = trajectory_effects(
        subject.generator,
        subject.layout,
        reader,
        subject.params.evaluate.num_trajectories,
        TRAJECTORY,
        subject.stream("trajectories"),
        subject.judge if subject.data_set.class_names else None,
    )
    leakage = {
        "shapes": [factor.name for factor in reader.factors],
        "codes": effects.leakage.tolist(),
    }
    roles = {name: role._asdict() for name, role in effects.roles.items()}
    return Measurements(effects.scores, roles=roles, leakage=leakage)


def trajectory_effects(
    generator: Generator,
    layout: CodeLayout,
    reader: Reader,
    num_trajectories: int,
    values: Float[np.ndarray, " position"],
    rng: torch.Generator,
    judge: Judge | None = None,
) -> Effects:
    """The effects on what `reader` reads, and with a judge of classes on what it sees.

    `digit_kept`: the share of images in which the judge sees the digit that it sees at the
    middle value of the same trajectory, over abs(c) <= 1; `digit_kept_extrapolated` beyond it.
    `beyond_affine`: what `affine_residual` leaves of the change from -1 to 1, as a share of the
    squared difference between images of two trajectories, on average over the codes.
    """
    measured, kept, strata, residuals = [], [], [], []
    low, high = np.abs(values + 1).argmin(), np.abs(values - 1).argmin()
    for code in range(layout.continuous):
        latents = continuous_traversal(layout, code, list(values), 2 * num_trajectories, rng)
        images = generate(generator, latents)
        measured.append(reader.read(images).numpy())
        strata.append(_categories(layout, latents[num_trajectories:, 0]))
        if judge is not None:
            scored = images[num_trajectories:]
            kept.append(_keeps_digit(scored, judge))
            change = affine_residual(scored[:, low], scored[:, high]).sum()
            others = (scored[:, low] - scored[:, low].roll(1, dims=0)).square().sum()
            residuals.append(float(change / others) if others > 0 else 0.0)
    told = np.stack(strata) if reader.within_category else np.zeros_like(np.stack(strata))
    effects = factor_effects(np.stack(measured), told, values, reader.factors, reader.paired)
    if judge is None:
        return effects
    same, inside = np.stack(kept), trained_range(values)
    seen = {
        "beyond_affine": float(np.mean(residuals)),
        "digit_kept": float(same[..., inside].mean()),
        "digit_kept_extrapolated": float(same[..., ~inside].mean()),
    }
    return effects._replace(scores=effects.scores | seen)


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
    without a code scores 0. Angles are followed through a full turn.
    """
    half = measured.shape[1] // 2
    followed = unwrap_circular(measured, factors)
    names = [factor.name for factor in factors]
    columns = [names.index(name) for name in paired]
    roles = assign_roles(followed[:, :half, :, columns], values, paired)
    scored, inside = followed[:, half:], trained_range(values)
    ranges = {"spearman": inside, "spearman_extrapolated": extrapolated_range(values)}
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


def extrapolated_range(values: Float[np.ndarray, " position"]) -> Bool[np.ndarray, " position"]:
    """Which values lie beyond the prior's range, as far as the paper shows: 1 < abs(c) <= 2."""
    return ~trained_range(values) & (np.abs(values) <= 2 + ROUNDING)


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
    code_ranks = _centred_ranks(values[None])
    shape_ranks = _centred_ranks(measured)
    covariance = (shape_ranks * code_ranks).sum(axis=1)
    scale = np.sqrt((shape_ranks**2).sum(axis=1) * (code_ranks**2).sum())
    correlations: Float[np.ndarray, " trajectory"] = covariance / np.where(scale > 0, scale, 1)
    return correlations


def _centred_ranks(
    rows: Float[np.ndarray, "trajectory position"],
) -> Float[np.ndarray, "trajectory position"]:
    ranks = rankdata(rows, axis=1)
    return ranks - ranks.mean(axis=1, keepdims=True)


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


def unwrap_circular(
    measured: Float[np.ndarray, "*grid position factor"], factors: Sequence[Factor]
) -> Float[np.ndarray, "*grid position factor"]:
    """Angles along trajectories without jumps of 2 pi, so that ranks and changes mean something.

    Holds where neighbouring positions are less than half a turn apart.
    """
    unwrapped = measured.copy()
    for i, factor in enumerate(factors):
        if factor.circular:
            unwrapped[..., i] = np.unwrap(measured[..., i], axis=-1)
    return unwrapped


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


def _categories(
    layout: CodeLayout, latents: Float[Tensor, "row latent"]
) -> Int[np.ndarray, " row"]:
    """Category of c1 of each row; all the same in a layout without categories."""
    if not layout.categorical:
        return np.zeros(len(latents), dtype=np.int64)
    return latents[:, layout.categorical_slice(0)].argmax(dim=1).cpu().numpy()


def _keeps_digit(
    images: Float[Tensor, "row column channel height width"], judge: Judge
) -> Int[np.ndarray, "row column"]:
    digits = classify(judge, images.flatten(0, 1)).view(images.shape[:2])
    middle = digits[:, images.shape[1] // 2, None]
    return (digits == middle).int().numpy()
