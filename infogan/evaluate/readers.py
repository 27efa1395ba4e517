"""What can be read off generated images: the strokes' shapes, the luminance, or known factors."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from infogan.base.dataset import LUMINANCE, DataSet, Factor
from infogan.evaluate.morphometrics import SHAPES, measure_shapes
from infogan.evaluate.record import ROLE_NAMES
from infogan.judge.judge import Judge, read_factors

# Images, in the data set's value range, to their factors.
Read = Callable[[Float[Tensor, "*grid channel height width"]], Float[Tensor, "*grid factor"]]


class Reader(NamedTuple):
    """How factors are read, which of them codes are paired with, and among which images.

    `within_class`: what a code explains is told among images in which the judge sees one class.
    """

    read: Read
    factors: tuple[Factor, ...]
    paired: tuple[str, ...]
    within_class: bool = False


def reader_for(data_set: DataSet, judge: Judge) -> Reader:
    """The factors that are known, or shapes where there are strokes, or else the luminance."""
    if data_set.factors:
        names = tuple(factor.name for factor in data_set.factors)
        return Reader(partial(read_factors, judge, data_set.factors), data_set.factors, names)
    if data_set.shows_strokes:
        return STROKES
    read = partial(read_luminance, value_range=data_set.value_range)
    return Reader(read, (LUMINANCE,), (LUMINANCE.name,))


def read_luminance(
    images: Float[Tensor, "*grid channel height width"], value_range: tuple[float, float]
) -> Float[Tensor, "*grid 1"]:
    """The LUMINANCE of images in the data set's value range."""
    low, high = value_range
    return (images.mean(dim=(-3, -2, -1))[..., None] - low) / (high - low)


def read_shapes(
    images: Float[Tensor, "*grid channel height width"],
) -> Float[Tensor, "*grid shape"]:
    """The SHAPES of the strokes, over all channels' mean."""
    grey = images.mean(dim=-3).flatten(0, -3).numpy()
    return torch.from_numpy(measure_shapes(grey)).unflatten(0, images.shape[:-3])


STROKES = Reader(
    read_shapes,
    tuple(Factor(shape, -math.inf, math.inf) for shape in SHAPES),
    tuple(ROLE_NAMES),
    within_class=True,
)
