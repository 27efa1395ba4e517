"""Known factors of variation: how they are drawn, and as what they are read.

Factors of images are float32 [image, factor], each in its own unit. A circular factor, such as a
rotation over the full circle, has no beginning: its two ends are the same image. Wherever a factor
is predicted or correlated it is therefore taken as its coordinates: its sine and cosine if it is
circular, itself if not.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from infogan.base.dataset import Factor


def sample_factors(
    factors: Sequence[Factor], num: int, rng: torch.Generator
) -> Float32[Tensor, "num factor"]:
    """Independent draws, each factor uniform over its range."""
    low = torch.tensor([factor.low for factor in factors])
    high = torch.tensor([factor.high for factor in factors])
    return low + (high - low) * torch.rand(num, len(factors), generator=rng)


def coordinates(
    values: Float[Tensor, "image factor"], factors: Sequence[Factor]
) -> Float[Tensor, "image coordinate"]:
    """What a regression is to predict: sine and cosine of a circular factor, [-1, 1] of the rest.

    A factor that is not circular is moved and scaled so that its range becomes [-1, 1].
    """
    columns = []
    for value, factor in zip(values.unbind(1), factors, strict=True):
        if factor.circular:
            columns += [value.sin(), value.cos()]
        else:
            columns.append(2 * (value - factor.low) / (factor.high - factor.low) - 1)
    return torch.stack(columns, dim=1)


def num_coordinates(factors: Sequence[Factor]) -> int:
    """How many columns `coordinates` has."""
    return sum(2 if factor.circular else 1 for factor in factors)


def from_coordinates(
    columns: Float[Tensor, "image coordinate"], factors: Sequence[Factor]
) -> Float[Tensor, "image factor"]:
    """Inverse of `coordinates`; an angle is that of the point (cosine, sine), at any radius."""
    waiting = iter(columns.unbind(1))
    values = []
    for factor in factors:
        first = next(waiting)
        if factor.circular:
            values.append(torch.atan2(first, next(waiting)))
        else:
            values.append(factor.low + (factor.high - factor.low) * (first + 1) / 2)
    return torch.stack(values, dim=1)
