"""A run that is measured, and what a measurement of it gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch

from infogan.base.dataset import DataSet
from infogan.base.images import FactorImages, Split
from infogan.base.randomness import random_stream
from infogan.evaluate.readers import Reader, reader_for
from infogan.judge.judge import Judge
from infogan.method.networks import Discriminator, Generator
from infogan.method.runtime import Backend
from infogan.params import CodeLayout, Params


class Role(NamedTuple):
    """The code that stands for a factor, and the direction: 1 if the factor grows with it."""

    code: int
    sign: int


@dataclass(frozen=True)
class Subject:
    """A run to be measured, its networks on the backend's device, and the judge of its images.

    Of the training images the first `params.evaluate.num_samples` serve: to fit the map from
    category to class, and as the real side of the Frechet distance.
    """

    generator: Generator
    discriminator: Discriminator
    judge: Judge
    data_set: DataSet
    params: Params
    seed: int
    backend: Backend
    train: Split | FactorImages
    test: Split | FactorImages
    progress: Callable[[str], None]  # is told what comes next

    @property
    def layout(self) -> CodeLayout:
        """Columns of the latents."""
        return self.params.codes

    @property
    def num_samples(self) -> int:
        """Generated images of a measurement."""
        return self.params.evaluate.num_samples

    @cached_property
    def reader(self) -> Reader:
        """What is read off its images."""
        return reader_for(self.data_set, self.judge)

    def stream(self, name: str) -> torch.Generator:
        """Random numbers of a measurement's own."""
        return random_stream(self.seed, f"evaluate/{name}", self.backend.device)


@dataclass
class Measurements:
    """Numbers of one run, as `infogan.evaluate.record` describes; what was not measured is None."""

    metrics: dict[str, float] = field(default_factory=dict)
    contingency: list[list[int]] | None = None
    category_to_class: list[int] | None = None
    roles: dict[str, dict[str, int]] | None = None
    leakage: dict[str, Any] | None = None
    information: dict[str, Any] | None = None
