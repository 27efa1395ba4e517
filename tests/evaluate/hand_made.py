"""Generators and judges made by hand, whose measurements are known."""

import torch
from torch import Tensor, nn

from infogan.base.dataset import DataSet
from infogan.base.images import Split
from infogan.evaluate.subject import Subject
from infogan.judge.judge import Judge
from infogan.method.networks import Discriminator, Generator
from infogan.method.runtime import Backend

DATA_SET = DataSet(
    name="corners",
    image_shape=(1, 28, 28),
    value_range=(0.0, 1.0),
    networks="mnist",
    reader="idx",
    class_names=("a", "b", "c", "d"),
)


class HandMade(Generator):
    """A generator given as a function of the latents."""

    def __init__(self, draw) -> None:
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))
        self.draw = draw

    def forward(self, latents: Tensor) -> Tensor:
        return self.draw(latents)


class FirstRow(Judge):
    """Names the brightest of the first `num_classes` pixels of the first row."""

    def __init__(self, num_classes: int) -> None:
        nn.Module.__init__(self)
        self.value_range = (0.0, 1.0)
        self.features = nn.Flatten()
        self.decision = nn.Linear(28 * 28, num_classes, bias=False)
        nn.init.zeros_(self.decision.weight)
        with torch.no_grad():
            self.decision.weight[:, :num_classes] = torch.eye(num_classes)


class Reading(Discriminator):
    """A Q given as a function of the images; one that nobody asks, without."""

    def __init__(self, read=None) -> None:
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))
        self.recognise = read


def corners(shown: Tensor) -> Tensor:
    """Images, uint8, whose first row says which class they show."""
    images = torch.zeros(len(shown), 1, 28, 28, dtype=torch.uint8)
    images[torch.arange(len(shown)), 0, 0, shown] = 255
    return images


NO_IMAGES = Split(torch.zeros(0, 1, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.uint8))


def subject_of(
    params, draw, judge, data_set=DATA_SET, *, q=None, train=NO_IMAGES, test=NO_IMAGES, seed=0
) -> Subject:
    """A run whose generator is given as a function of the latents."""
    backend = Backend(torch.device("cpu"), torch.float32, threads=1)
    rest = (judge, data_set, params, seed, backend, train, test, lambda text: None)
    return Subject(HandMade(draw), q or Reading(), *rest)
