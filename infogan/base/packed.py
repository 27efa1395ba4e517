"""A packed data set as tensors: a folder with one file per split (`infogan.base.splits`).

Loading maps the file into memory and checks what it hands out.
"""

from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from infogan.base.dataset import DataSet, SplitName
from infogan.base.images import FactorImages, Split
from infogan.base.splits import load_arrays


def load_images(
    folder: Path, data_set: DataSet, split: SplitName
) -> UInt8[Tensor, "image channel height width"]:
    """The images of one split, their labels left unread; errors as for `load_arrays`."""
    images: Tensor = load_arrays(folder, data_set, split, ("images",), "pt")["images"]
    return images


def load_split(folder: Path, data_set: DataSet, split: SplitName) -> Split:
    """Images and labels of one split; errors as for `load_arrays`."""
    return Split(**load_arrays(folder, data_set, split, ("images", "labels"), "pt"))


def load_factors(folder: Path, data_set: DataSet, split: SplitName) -> FactorImages:
    """Images and factors of one split; errors as for `load_arrays`."""
    return FactorImages(**load_arrays(folder, data_set, split, ("images", "factors"), "pt"))
