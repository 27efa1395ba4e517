"""A network that reads the known factors off an image: the judge of traversals over rendered data.

An instrument of evaluation alone, as the classifier is for digits: it learns from rendered images
and their factors, sees no generated image in training, and the GAN never sees it. Inside, pixels
run from 0 to 1 and factors are their coordinates (`infogan.factors`), so that an angle over the
full circle is read as its sine and cosine.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from infogan.datasets import scale
from infogan.errors import InfoGANError
from infogan.factors import Factor, coordinates, from_coordinates
from infogan.randomness import random_stream
from infogan.runtime import Backend
from infogan.writing import write_file

CHANNELS = (32, 64)
HIDDEN_DIM = 128
# Convolutions halve the image until no side is longer than this.
SMALLEST_MAP = 8

Log = Callable[[int, float], None]


class RegressorOptions(NamedTuple):
    """The training: passes over the images, images per step, learning rate at its highest, seed."""

    num_epochs: int
    batch_size: int
    lr: float
    seed: int


class FactorRegressor(nn.Module):
    """Convolutions that halve the image to at most 8 x 8, one that keeps its size, a hidden layer.

    Takes images whose pixels run from 0 to 1 and gives the coordinates of `factors`.
    """

    def __init__(self, image_shape: tuple[int, int, int], factors: Sequence[Factor]) -> None:
        super().__init__()
        self.factors = tuple(factors)
        channels, height, width = image_shape
        self.layers = nn.Sequential()
        for halving in range(max(1, math.ceil(math.log2(max(height, width) / SMALLEST_MAP)))):
            wider = CHANNELS[min(halving, len(CHANNELS) - 1)]
            self._append(nn.Conv2d(channels, wider, 4, stride=2, padding=1, bias=False))
            channels, height, width = wider, height // 2, width // 2
        self._append(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
        self.layers.append(nn.Flatten())
        self._append(nn.Linear(channels * height * width, HIDDEN_DIM, bias=False))
        num_coordinates = sum(2 if factor.circular else 1 for factor in factors)
        self.layers.append(nn.Linear(HIDDEN_DIM, num_coordinates))

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch coordinate"]:
        """The factors' coordinates."""
        return self.layers(images)

    def _append(self, linear: nn.Conv2d | nn.Linear) -> None:
        """A layer, batch norm, ReLU."""
        norm: nn.Module
        if isinstance(linear, nn.Conv2d):
            norm = nn.BatchNorm2d(linear.out_channels)
        else:
            norm = nn.BatchNorm1d(linear.out_features)
        self.layers.extend([linear, norm, nn.ReLU()])


def train_regressor(
    images: UInt8[Tensor, "image channel height width"],
    values: Float32[Tensor, "image factor"],
    factors: Sequence[Factor],
    options: RegressorOptions,
    backend: Backend,
    log: Log = lambda epoch, loss: None,
) -> FactorRegressor:
    """A regressor fitted to rendered images, in evaluation mode on the backend's device.

    Least squares on the coordinates by Adam, whose learning rate falls to 0 along a cosine. `log`
    receives the number of epochs done and the mean squared error over the last one. Raises
    InfoGANError when that is not finite.
    """
    device = backend.device
    _, channels, height, width = images.shape
    regressor = FactorRegressor((channels, height, width), factors)
    _initialise(regressor, random_stream(options.seed, "regressor/initialisation"))
    regressor.to(device).to(memory_format=torch.channels_last)
    wanted = coordinates(values, factors).to(device)
    order_rng = random_stream(options.seed, "regressor/batches")

    # Batches of as equal a size as possible: all images are used, and none is a batch by itself.
    num_batches = max(1, len(images) // options.batch_size)
    optimizer = torch.optim.Adam(regressor.parameters(), lr=options.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, options.num_epochs * num_batches
    )
    for epoch in range(1, options.num_epochs + 1):
        total_loss = torch.zeros((), device=device)
        for batch in torch.randperm(len(images), generator=order_rng).tensor_split(num_batches):
            pixels = scale(images[batch].to(device), (0.0, 1.0))
            with backend.autocast():
                read = regressor(pixels.contiguous(memory_format=torch.channels_last)).float()
            loss = mse_loss(read, wanted[batch.to(device)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.detach() * len(batch) / len(images)
        if not math.isfinite(total_loss.item()):
            raise InfoGANError(
                f"the factor regressor's loss is {total_loss.item()} in epoch {epoch}: training "
                "diverged; try a lower learning rate, or runtime.precision: float32"
            )
        log(epoch, total_loss.item())
    return regressor.eval()


@torch.no_grad()
def read_factors(
    regressor: FactorRegressor,
    images: Float[Tensor, "*grid channel height width"],
    value_range: tuple[float, float],
    batch_size: int = 500,
) -> Float[Tensor, "*grid factor"]:
    """The factors of images in the data set's value range, each in its unit, in float32.

    An angle lies between -pi and pi; another factor may be read beyond its range.
    """
    device = next(regressor.parameters()).device
    low, high = value_range
    read = [
        regressor((batch.to(device) - low) / (high - low)).to(images.device)
        for batch in images.flatten(0, -4).split(batch_size)
    ]
    values = from_coordinates(torch.cat(read), regressor.factors)
    return values.unflatten(0, images.shape[:-3])


def save_regressor(path: Path, regressor: FactorRegressor, dataset: str) -> None:
    """Write the weights and the data set that they belong to, whole or not at all."""
    tensors = {key: value.cpu().contiguous() for key, value in regressor.state_dict().items()}
    write_file(path, save(tensors, {"dataset": dataset}))


def load_regressor(
    path: Path, image_shape: tuple[int, int, int], factors: Sequence[Factor], dataset: str
) -> FactorRegressor:
    """The regressor of a data set's factors, in evaluation mode on the CPU.

    Raises InfoGANError when the file is missing or damaged, or belongs to another data set.
    """
    regressor = FactorRegressor(image_shape, factors)
    try:
        with safe_open(path, framework="pt") as file:
            trained_on = (file.metadata() or {}).get("dataset")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if trained_on == dataset:
            regressor.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InfoGANError(
            f"{path}: no readable factor regressor of {dataset} ({reason}); train it again"
        ) from error
    if trained_on != dataset:
        raise InfoGANError(f"{path}: trained on {trained_on}, expected {dataset}; train it again")
    return regressor.eval()


def reading_r2(
    read: Float[Tensor, "image factor"],
    values: Float[Tensor, "image factor"],
    factors: Sequence[Factor],
) -> Float[np.ndarray, " factor"]:
    """1 - squared error / variance of each factor's coordinates, summed over sine and cosine.

    1 if the factor is read exactly, 0 if no better than by its mean.
    """
    scores = []
    for i, factor in enumerate(factors):
        wanted = coordinates(values[:, [i]], [factor])
        error = (coordinates(read[:, [i]], [factor]) - wanted).square().mean(dim=0).sum()
        scores.append(1 - (error / wanted.var(dim=0, correction=0).sum()).item())
    return np.array(scores)


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


def _initialise(regressor: FactorRegressor, rng: torch.Generator) -> None:
    for module in regressor.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
