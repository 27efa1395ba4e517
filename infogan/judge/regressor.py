"""The judge as a regressor: it reads the known factors off a generated image.

Its outputs are the factors' coordinates (`infogan.base.factors`), so that an angle over the full
circle is read as its sine and cosine.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn.functional import mse_loss

from infogan.base.dataset import DataSet, Factor
from infogan.base.factors import coordinates, from_coordinates
from infogan.judge.judge import Judge, Log, ask, train_judge, untrained_judge
from infogan.method.runtime import Backend
from infogan.params import Judging


def train_regressor(
    images: UInt8[Tensor, "image channel height width"],
    values: Float32[Tensor, "image factor"],
    data_set: DataSet,
    options: Judging,
    backend: Backend,
    log: Log = lambda epoch, loss: None,
) -> Judge:
    """A regressor fitted to images and their factors by least squares, see `train_judge`."""
    wanted = coordinates(values, data_set.factors)
    judge = untrained_judge(data_set)
    return train_judge(judge, images, wanted, mse_loss, options, backend, log)


def read_factors(
    judge: Judge,
    factors: Sequence[Factor],
    images: Float[Tensor, "*grid channel height width"],
) -> Float[Tensor, "*grid factor"]:
    """The factors of images in the data set's value range, each in its unit, in float32.

    An angle lies between -pi and pi; another factor may be read beyond its range.
    """
    values = from_coordinates(ask(judge, images.flatten(0, -4)), factors)
    return values.unflatten(0, images.shape[:-3])


def reading_r2(
    read: Float[Tensor, "image factor"],
    values: Float[Tensor, "image factor"],
    factors: Sequence[Factor],
) -> Float[np.ndarray, " factor"]:
    """1 - squared error / variance of each factor's coordinates, summed over sine and cosine.

    1 if the factor is read exactly, 0 if no better than by its mean, or if it does not vary.
    """
    scores = []
    for i, factor in enumerate(factors):
        wanted = coordinates(values[:, [i]], [factor])
        error = (coordinates(read[:, [i]], [factor]) - wanted).square().mean(dim=0).sum()
        variance = wanted.var(dim=0, correction=0).sum()
        scores.append((1 - error / variance).item() if variance > 0 else 0.0)
    return np.array(scores)
