"""Latents for a grid that varies one code, their images, and the grid as one image.

In a grid every row is one draw from the prior, and every column one value of the code that is
varied: noise and all other codes are the same along a row and differ between rows.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.images import AT_ONCE
from infogan.method.codes import sample
from infogan.method.networks import Generator
from infogan.params import CodeLayout


def code_traversals(
    layout: CodeLayout,
    values: Sequence[float] | Float[Tensor, " column"],
    rows: int,
    rng: torch.Generator,
) -> dict[str, Float[Tensor, "row _ latent"]]:
    """One grid per code, by the code's name: all categories, or `values` of a continuous code."""
    num_categorical = len(layout.categorical)
    grids = {}
    for index, name in enumerate(layout.names):
        if index < num_categorical:
            grids[name] = categorical_traversal(layout, index, rows, rng)
        else:
            code = index - num_categorical
            grids[name] = continuous_traversal(layout, code, values, rows, rng)
    return grids


def categorical_traversal(
    layout: CodeLayout, code: int, rows: int, rng: torch.Generator
) -> Float[Tensor, "row column latent"]:
    """Vary one categorical code over all its categories, in their own order.

    Raises InfoGANError when the layout has no such code.
    """
    _check_code("categorical", code, len(layout.categorical))
    size = layout.categorical[code]
    latents = sample(layout, rows, rng)[:, None].repeat(1, size, 1)
    latents[:, :, layout.categorical_slice(code)] = torch.eye(size, device=rng.device)
    return latents


def continuous_traversal(
    layout: CodeLayout,
    code: int,
    values: Sequence[float] | Float[Tensor, " column"],
    rows: int,
    rng: torch.Generator,
) -> Float[Tensor, "row column latent"]:
    """Set one continuous code to each of `values`, which may lie outside the prior's [-1, 1].

    Raises InfoGANError when the layout lacks the code.
    """
    _check_code("continuous", code, layout.continuous)
    swept = torch.as_tensor(values, dtype=torch.float32, device=rng.device)
    latents = sample(layout, rows, rng)[:, None].repeat(1, len(swept), 1)
    latents[:, :, layout.continuous_slice.start + code] = swept
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


def _check_code(kind: str, code: int, available: int) -> None:
    if not 0 <= code < available:
        raise InfoGANError(
            f"{kind} code {code} cannot be varied: the layout has {available} {kind} codes, "
            "numbered from 0"
        )
