"""Pictures of the same latents in the course of a training."""

from collections.abc import Callable

import torch
from jaxtyping import UInt8
from torch import Tensor

from infogan.base.images import unscale
from infogan.method.networks import Generator
from infogan.method.traversal import categorical_traversal, continuous_traversal
from infogan.params import Params, film_steps


class Camera:
    """Takes pictures of G: three draws of noise and codes, each swept along c1."""

    ROWS, COLUMNS = 3, 10

    def __init__(
        self,
        params: Params,
        device: torch.device,
        value_range: tuple[float, float],
        rng: torch.Generator,
    ) -> None:
        self.device, self.value_range = device, value_range
        layout = params.codes
        self.steps = film_steps(params.num_steps, params.training.film_frames)
        if layout.categorical:
            self.latents = categorical_traversal(layout, 0, self.ROWS, rng)
        else:
            values = torch.linspace(-1, 1, self.COLUMNS)
            self.latents = continuous_traversal(layout, 0, values, self.ROWS, rng)
        self.frames: list[UInt8[Tensor, "row column channel height width"]] = []

    @torch.no_grad()
    def film(self, step: int, show: Callable[[], Generator]) -> None:
        """Take a picture of the generator that `show` gives, if one is due after this step."""
        if step in self.steps and len(self.frames) <= self.steps.index(step):
            latents = self.latents.flatten(0, 1).to(self.device)
            images = show().eval()(latents).cpu()
            frame = unscale(images.contiguous(), self.value_range)
            self.frames.append(frame.unflatten(0, self.latents.shape[:2]))
