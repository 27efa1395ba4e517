"""What a data set is: its images, what is known of each, and what it is made from."""

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "test")


class Factor(NamedTuple):
    """One factor between `low` and `high`; a circular one runs from -pi to pi.

    A binary one is either `low` or `high`.
    """

    name: str
    low: float
    high: float
    circular: bool = False
    binary: bool = False


def rotation(name: str) -> Factor:
    """An angle over the full circle, in radians."""
    return Factor(name, -math.pi, math.pi, circular=True)


def attribute(name: str) -> Factor:
    """What an image has (1) or has not (0)."""
    return Factor(name, 0.0, 1.0, binary=True)


LUMINANCE = Factor("luminance", 0.0, 1.0)  # mean of all channels and pixels, 0 black, 1 white


@dataclass(frozen=True)
class DataSet:
    """One data set: what its images are, what is known of them, and what it is made from.

    Of each image either its class is known or its factors.
    """

    name: str  # that of its file in `infogan.datasets`
    image_shape: tuple[int, int, int]  # channel, height, width
    value_range: tuple[float, float]  # what 0 and 255 become in the networks
    networks: str  # name of the table of layers that fits the images
    reader: str  # key of `infogan.download.packing.READERS`: raw files to arrays
    class_names: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    split_sizes: dict[SplitName, int] = field(default_factory=dict)  # empty: as many as there are
    # Raw file: MD5, both uncompressed; None: the publisher gives none, and any file is taken.
    files: dict[str, str | None] = field(default_factory=dict)
    # "kind:package", kinds in `infogan.download.sources.FETCHERS`, in the order they are tried.
    sources: tuple[str, ...] = ()
    shows_strokes: bool = False  # of handwriting, bright on black: slant and width have meaning
    stands_in_for: str = ""  # what of the paper's these images are not, but take the place of
    figure: int = 2  # the paper's figure of traversals over such images

    @property
    def num_classes(self) -> int:
        """Number of true classes."""
        return len(self.class_names)

    @property
    def truth(self) -> str:
        """What of an image is known: the array packed beside the images."""
        return "factors" if self.factors else "labels"
