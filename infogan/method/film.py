"""Pictures of the same latents in the course of a training."""

from collections.abc import Callable

import torch
from jaxtyping import UInt8
from torch import Tensor

from infogan.base.images import unscale
from infogan.method.networks import Generator
from infogan.method.traversal import code_traversal, generate
from infogan.params import Params, film_steps


class Camera:
    """Takes pictures of G: three draws of noise and codes, each swept along c1."""

    ROWS, COLUMNS = 3, 10

    def __init__(
        self, params: Params, value_range: tuple[float, float], rng: torch.Generator
    ) -> None:
        self.value_range = value_range
        self.steps = film_steps(params.num_steps, params.training.film_frames)
        values = torch.linspace(-1, 1, self.COLUMNS)
        self.latents = code_traversal(params.codes, 0, values, self.ROWS, rng)
        self.frames: list[UInt8[Tensor, "row column channel height width"]] = []

    def film(self, step: int, show: Callable[[], Generator]) -> None:
        """Take a picture of the generator that `show` gives, if one is due after this step."""
        if step in self.steps and len(self.frames) <= self.steps.index(step):
            images = generate(show().eval(), self.latents)
            self.frames.append(unscale(images, self.value_range))
