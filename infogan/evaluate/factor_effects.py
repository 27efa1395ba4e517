"""What the codes do to known factors of generated images.

The counterpart of `shape_effects` for factors, with its conventions: in a trajectory one continuous
code takes the given values while noise and other codes stay fixed, and `measured[code, trajectory,
position, factor]` is what was read off the images. Which code stands for which factor, and its
direction, is decided on one half of the trajectories and scored on the other.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from infogan.base.dataset import Factor
from infogan.evaluate.effects import (
    Role,
    leakage_matrix,
    rank_correlation,
    trained_range,
    variance_share,
)
from infogan.evaluate.factor_metrics import discretise, entropies, mutual_information, targets
from infogan.judge.regressor import unwrap_circular
from infogan.method.codes import sample
from infogan.method.networks import Generator
from infogan.method.traversal import continuous_traversal, generate
from infogan.params import CodeLayout

# Images, in the data set's value range, to their factors.
Read = Callable[[Float[Tensor, "*grid channel height width"]], Float[Tensor, "*grid factor"]]


def measure_trajectories(
    generator: Generator,
    read: Read,
    layout: CodeLayout,
    num_trajectories: int,
    values: Float[np.ndarray, " position"],
    rng: torch.Generator,
) -> Float[np.ndarray, "code trajectory position factor"]:
    """The factors that `read` finds along trajectories of every continuous code."""
    measured = []
    for code in range(layout.continuous):
        latents = continuous_traversal(layout, code, list(values), num_trajectories, rng)
        measured.append(read(generate(generator, latents)).numpy())
    return np.stack(measured)


def factor_effects(
    measured: Float[np.ndarray, "code trajectory position factor"],
    values: Float[np.ndarray, " position"],
    factors: Sequence[Factor],
) -> tuple[dict[str, float], dict[str, Role]]:
    """How the one code that stands for a factor moves it, and which code that is.

    Over the trained range, abs(c) <= 1. `<factor>_spearman`: mean rank correlation along
    trajectories, in the assigned direction.
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
    roles = {}
    for code, column in zip(*linear_sum_assignment(-np.abs(pairing)), strict=True):
        sign = 1 if pairing[code, column] >= 0 else -1
        rows = followed[code, half:, :, column]
        slope = np.polyfit(values[inside], rows.mean(axis=0), 1)[0]
        name = factors[column].name
        scores[f"{name}_spearman"] = sign * rank_correlation(rows, values[inside])
        scores[f"{name}_share"] = _share(rows, factors[column])
        scores[f"{name}_change"] = float(sign * 2 * slope)
        roles[name] = Role(int(code), sign)
    return scores, roles


def category_information(
    generator: Generator,
    read: Read,
    layout: CodeLayout,
    factors: Sequence[Factor],
    num_samples: int,
    rng: torch.Generator,
) -> Float[np.ndarray, "code factor"]:
    """Share of each factor's entropy that each categorical code gives away: I(c; v) / H(v).

    `num_samples` images with all codes and the noise drawn from the prior; v is what `read` finds
    in them, in bins of equally many images, a binary factor by which half of its range it is in.
    Between 0 and 1; 0 for a factor that never changes. Counting finds some information in chance,
    about (categories - 1) (values - 1) / 2n nats.
    """
    latents = sample(layout, num_samples, rng)
    values = read(generate(generator, latents)).double().numpy()
    for i, factor in enumerate(factors):
        if factor.binary:
            values[:, i] = values[:, i] > (factor.low + factor.high) / 2
    codes = range(len(layout.categorical))
    categories = [latents[:, layout.categorical_slice(code)].argmax(dim=1) for code in codes]
    bins = discretise(values)
    nats = mutual_information(torch.stack(categories, dim=1).cpu().numpy(), bins)
    possible = entropies(bins)
    return nats / np.where(possible > 0, possible, 1)


def read_luminance(
    images: Float[Tensor, "*grid channel height width"], value_range: tuple[float, float]
) -> Float[Tensor, "*grid 1"]:
    """The LUMINANCE of images in the data set's value range."""
    low, high = value_range
    return (images.mean(dim=(-3, -2, -1))[..., None] - low) / (high - low)


def _share(rows: Float[np.ndarray, "trajectory position"], factor: Factor) -> float:
    """The share of variance of a factor's coordinates, weighted by their variances."""
    same = np.zeros(len(rows), dtype=np.int64)
    [columns] = targets(rows.reshape(-1, 1), [factor])
    grids = [column.reshape(rows.shape) for column in columns.T]
    variances = np.array([grid.var() for grid in grids])
    shares = np.array([variance_share(grid, same) for grid in grids])
    return float(shares @ variances / variances.sum()) if variances.sum() > 0 else 0.0
