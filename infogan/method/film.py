"""Pictures of the same latents in the course of a training."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from infogan.base.images import unscale
from infogan.method.networks import Generator
from infogan.method.runtime import Backend
from infogan.method.traversal import categorical_traversal, continuous_traversal
from infogan.params import Params


def film_steps(num_steps: int, num_frames: int) -> list[int]:
    """The steps after which a frame is taken: first to last, closer together where more happens."""
    last = max(num_frames - 1, 1)
    return sorted({round(num_steps * (frame / last) ** 2) for frame in range(num_frames)} | {0})


class Camera:
    """Takes pictures of G: three draws of noise and codes, each swept along c1."""

    ROWS, COLUMNS = 3, 10

    def __init__(
        self,
        params: Params,
        backend: Backend,
        value_range: tuple[float, float],
        rng: torch.Generator,
    ) -> None:
        self.backend, self.value_range = backend, value_range
        layout = params.codes
        self.steps = film_steps(params.num_steps, params.training.film_frames)
        if layout.categorical:
            self.latents = categorical_traversal(layout, 0, self.ROWS, rng)
        else:
            values = torch.linspace(-1, 1, self.COLUMNS)
            self.latents = continuous_traversal(layout, 0, values, self.ROWS, rng)
        self.frames: list[UInt8[Tensor, "row column channel height width"]] = []

    @torch.no_grad()
    def film(self, step: int, generator: Generator) -> None:
        """Take a picture if one is due, with batch norm on its running statistics."""
        if step not in self.steps or len(self.frames) > self.steps.index(step):
            return
        generator.eval()
        latents = self.latents.flatten(0, 1).to(self.backend.device, self.backend.precision)
        images = generator(latents).float().cpu()
        generator.train()
        frame = unscale(images.contiguous(), self.value_range)
        self.frames.append(frame.unflatten(0, self.latents.shape[:2]))
