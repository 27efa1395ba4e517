"""Latents for a grid that varies one code, their images, and the grid as one image.

In a grid every row is one draw from the prior, and every column one value of the code that is
varied: noise and all other codes are the same along a row and differ between rows.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from infogan.base.images import AT_ONCE
from infogan.method.codes import sample
from infogan.method.networks import Generator
from infogan.params import CodeLayout


def code_traversals(
    layout: CodeLayout, values: Float[Tensor, " column"], rows: int, rng: torch.Generator
) -> dict[str, Float[Tensor, "row _ latent"]]:
    """One grid per code, by the code's name."""
    return {
        name: code_traversal(layout, code, values, rows, rng)
        for code, name in enumerate(layout.names)
    }


def code_traversal(
    layout: CodeLayout,
    code: int,
    values: Float[Tensor, " column"],
    rows: int,
    rng: torch.Generator,
) -> Float[Tensor, "row _ latent"]:
    """Vary the code at this place of `layout.names`.

    A categorical code takes all its categories, in their own order; a continuous one `values`,
    which may lie outside the prior's [-1, 1].
    """
    place = code - len(layout.categorical)
    if place < 0:
        columns = layout.categorical_slice(code)
        swept = torch.eye(layout.categorical[code])
    else:
        start = layout.continuous_slice.start + place
        columns = slice(start, start + 1)
        swept = values[:, None]
    latents = sample(layout, rows, rng)[:, None].repeat(1, len(swept), 1)
    latents[:, :, columns] = swept.to(latents.device)
    return latents


def generate(
    generator: Generator, latents: Float[Tensor, "*grid latent"], batch_size: int = AT_ONCE
) -> Float[Tensor, "*grid channel height width"]:
    """Images G(z, c) of a grid of latents, in the data set's value range, on the CPU."""
    device = next(generator.parameters()).device
    batches = latents.flatten(0, -2).split(batch_size)
    with torch.no_grad():
        images = torch.cat([generator(batch.to(device)).cpu() for batch in batches])
    return images.unflatten(0, latents.shape[:-1])
