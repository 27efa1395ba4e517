"""Generators and judges made by hand, whose measurements are known."""

import torch
from torch import Tensor, nn

from infogan.judge.judge import Judge
from infogan.method.networks import Generator


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
