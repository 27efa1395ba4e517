"""Images with what is known of them, and their pixels as the networks see them."""

from typing import NamedTuple

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

# Images that a network is asked about at once: what it computes of them stays in the processor's
# cache, and the memory is used again in place of being asked for anew.
AT_ONCE = 200


class Split(NamedTuple):
    """The images of one split with their true classes."""

    images: UInt8[Tensor, "image channel height width"]
    labels: UInt8[Tensor, " image"]


class FactorImages(NamedTuple):
    """Images with their factors, such as those that they were rendered from."""

    images: UInt8[Tensor, "image channel height width"]
    factors: Float32[Tensor, "image factor"]


def scale(
    images: UInt8[Tensor, "*shape"], value_range: tuple[float, float]
) -> Float32[Tensor, "*shape"]:
    """Pixels 0..255 as the values that the networks see, 0 at the range's low end."""
    low, high = value_range
    return images.to(torch.float32) / 255 * (high - low) + low


def unscale(
    images: Float32[Tensor, "*shape"], value_range: tuple[float, float]
) -> UInt8[Tensor, "*shape"]:
    """Inverse of `scale`, rounded to the nearest pixel value."""
    low, high = value_range
    return ((images - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)
