"""A trained run at hand in a notebook: its generator draws images, its Q reads them.

Images are uint8 NumPy arrays [..., channel, height, width], and batch norm uses its running
statistics.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from infogan.base.dataset import DataSet
from infogan.base.errors import InfoGANError
from infogan.base.images import unscale
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate.sorting import recognise_images
from infogan.method.codes import sample
from infogan.method.networks import Discriminator, Generator
from infogan.method.traversal import code_traversals, generate
from infogan.method.weights import load_weights
from infogan.params import Params, load_params
from infogan.report.grids import grid_image

PICTURE_COLUMNS = 10


class Reading(NamedTuple):
    """Q(c|x) by the code's name, with the leading axes of the images that were read.

    `std` is 1 where the layout has it fixed.
    """

    probabilities: dict[str, Float[np.ndarray, "*grid category"]]
    mean: dict[str, Float[np.ndarray, "*grid"]]
    std: dict[str, Float[np.ndarray, "*grid"]]


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """What one training made: G, and D with Q, under the parameters that describe them."""

    name: str
    params: Params
    generator: Generator
    discriminator: Discriminator

    def __repr__(self) -> str:
        layout = self.params.codes
        sizes = [f" ({size} categories)" for size in layout.categorical] + [""] * layout.continuous
        codes = ", ".join(name + size for name, size in zip(layout.names, sizes, strict=True))
        return f"{self.name} on {self.params.dataset}: {codes}"

    @property
    def data_set(self) -> DataSet:
        """The data set that it was trained on."""
        return lookup(self.params.dataset)

    def sample(self, num: int, seed: int = 0) -> UInt8[np.ndarray, "num channel height width"]:
        """Images of latents from the prior; InfoGANError for less than one."""
        _at_least_one("num", num)
        return self._draw(sample(self.params.codes, num, random_stream(seed, "samples")))

    def traverse(
        self,
        code: str,
        values: Iterable[float] | None = None,
        rows: int | None = None,
        seed: int = 0,
    ) -> UInt8[np.ndarray, "row column channel height width"]:
        """A grid that varies one code: a draw of all else per row, a value of the code per column.

        A categorical code takes all its categories, a continuous one `values`; what is left out is
        as in `traverse:` of the parameters, and with the run's own seed the grid is that of the
        stage `traverse`. InfoGANError for an unknown code, for values of a categorical one, or for
        no rows or values.
        """
        layout, defaults = self.params.codes, self.params.traverse
        if code not in layout.names:
            raise InfoGANError(f"no code {code!r}: this run has {', '.join(layout.names)}")
        if values is None:
            swept = torch.linspace(-defaults.limit, defaults.limit, defaults.columns)
        elif code in layout.names[: len(layout.categorical)]:
            raise InfoGANError(f"{code} is categorical and takes all its categories: no values")
        else:
            swept = torch.tensor([float(value) for value in values])
        num_rows = defaults.rows if rows is None else rows
        _at_least_one("rows", num_rows)
        _at_least_one("values", len(swept))
        grids = code_traversals(layout, swept, num_rows, random_stream(seed, "traversal"))
        return self._draw(grids[code])

    def recognise(self, images: np.ndarray | Tensor) -> Reading:
        """Q's reading of images, real or generated, one or any grid of them.

        InfoGANError for what are not uint8 images of the data set's shape.
        """
        pixels = _pixels(images, self.data_set.image_shape)
        grid, layout = pixels.shape[:-3], self.params.codes
        batch = torch.from_numpy(pixels.reshape(-1, *self.data_set.image_shape))
        q = recognise_images(self.discriminator, layout, batch, self.data_set.value_range)

        def by_name(codes: Sequence[str], values: Iterable[Tensor]) -> dict[str, np.ndarray]:
            arrays = [value.numpy().reshape((*grid, *value.shape[1:])) for value in values]
            return dict(zip(codes, arrays, strict=True))

        num = len(layout.categorical)
        # With a fixed std nothing trains Q's own.
        std = q.log_std.exp() if layout.learned_std else torch.ones_like(q.log_std)
        return Reading(
            by_name(layout.names[:num], [logits.softmax(1) for logits in q.logits]),
            by_name(layout.names[num:], q.mean.unbind(1)),
            by_name(layout.names[num:], std.unbind(1)),
        )

    def _draw(
        self, latents: Float[Tensor, "*grid latent"]
    ) -> UInt8[np.ndarray, "*grid channel height width"]:
        return unscale(generate(self.generator, latents), self.data_set.value_range).numpy()


def load(folder: str | Path, params: str | Path | None = None) -> TrainedRun:
    """The run that the train stage left in a folder, such as "runs/train/infogan-0", on the CPU.

    `params` is the file that it was trained under, by default the nearest params.yaml in the folder
    or above it. InfoGANError when there is none, or when the weights are missing, damaged or of
    other networks.
    """
    folder = Path(folder).absolute()
    values = load_params(_nearest_params(folder) if params is None else params)
    return TrainedRun(folder.name, values, *load_weights(folder / "weights.safetensors", values))


def picture(images: np.ndarray | Tensor) -> Image.Image:
    """A grid [row, column, ...] of images as one, any other images in rows of ten.

    InfoGANError for what are not uint8 images.
    """
    pixels = _pixels(images)
    if pixels.ndim != 5:
        pixels = pixels.reshape(-1, *pixels.shape[-3:])
        columns = min(len(pixels), PICTURE_COLUMNS)
        white = np.full((-len(pixels) % columns, *pixels.shape[1:]), 255, np.uint8)
        pixels = np.concatenate([pixels, white]).reshape(-1, columns, *pixels.shape[1:])
    return Image.fromarray(grid_image(pixels))


def _nearest_params(folder: Path) -> Path:
    for parent in (folder, *folder.parents):
        if (parent / "params.yaml").is_file():
            return parent / "params.yaml"
    raise InfoGANError(
        f"{folder}: no params.yaml in this folder or above it; say which with load(folder, params)"
    )


def _at_least_one(name: str, count: int) -> None:
    if count < 1:
        raise InfoGANError(f"{name}: expected at least 1, not {count}")


def _pixels(
    images: np.ndarray | Tensor, image_shape: tuple[int, int, int] | None = None
) -> UInt8[np.ndarray, "*grid channel height width"]:
    pixels = images.numpy(force=True) if isinstance(images, Tensor) else np.array(images)
    fits = image_shape in (None, pixels.shape[-3:])
    if pixels.dtype != np.uint8 or pixels.ndim < 3 or not pixels.size or not fits:
        expected = "channel, height, width" if image_shape is None else str(image_shape)[1:-1]
        raise InfoGANError(
            f"images are {pixels.dtype} of shape {list(pixels.shape)}; expected at least one, "
            f"uint8 and of shape [..., {expected}]"
        )
    return pixels
