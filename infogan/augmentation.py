"""Small random maps of images, differentiable in nothing and drawn from a given stream."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

MESH_SIZE = 4
# A map moves a code at most as far as the paper's Fig. 2 takes it.
LARGEST_MOVE = 2.0


@dataclass(frozen=True)
class MapLimits:
    """Largest magnitudes, each drawn uniformly from [-limit, limit].

    `rotation` and `shear` in radians, `scale` as a relative change per axis, `shift` as a share
    of half the image's width. `elastic`, a share of it, too, is how far each point of a 4x4 mesh
    over the image is moved along each axis, and what lies between follows smoothly.
    """

    rotation: float
    shear: float
    scale: float
    shift: float
    elastic: float = 0.0


def random_map(
    images: Float[Tensor, "batch channel height width"],
    limits: MapLimits,
    rng: torch.Generator,
) -> Float[Tensor, "batch channel height width"]:
    """Map every image by its own draw; bilinear, and zero outside the image."""
    batch = len(images)
    angle = _draw(limits.rotation, rng, batch)
    shear = _draw(limits.shear, rng, batch)
    scale = 1 + _draw(limits.scale, rng, batch, 2)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1)
    shearing = torch.stack(
        [torch.ones_like(shear), shear.tan(), torch.zeros_like(shear), torch.ones_like(shear)], 1
    )
    linear = rotation.view(-1, 2, 2) @ shearing.view(-1, 2, 2) * scale[:, None, :]
    return _resample(images, linear, limits, rng)


def code_map(
    images: Float[Tensor, "batch channel height width"],
    slant: float,
    width: float,
    thickness: float,
    limits: MapLimits,
    rng: torch.Generator,
) -> tuple[Float[Tensor, "batch channel height width"], Float[Tensor, "batch 2"]]:
    """Lean and widen every image by its own draw, and say how far that moves two codes.

    A move of 1 of the first code leans what stands upright by `slant` radians to the right, of the
    second it widens it by the factor exp(`width`); moves are drawn uniformly up to LARGEST_MOVE
    either way. What moves no code is drawn besides: bright strokes gain or lose up to `thickness`
    of a pixel on each side, and height, place and bending change within `limits`.
    """
    batch = len(images)
    moves = _draw(LARGEST_MOVE, rng, batch, 2)
    height = 1 + _draw(limits.scale, rng, batch)
    images = thicken(images, _draw(thickness, rng, batch))
    # A pixel shows what was at linear @ its place, the inverse of what happens to shapes, and y
    # grows downwards.
    across = torch.exp(-width * moves[:, 1])
    along = across * torch.tan(slant * moves[:, 0])
    linear = torch.stack([across, along, torch.zeros_like(height), height], 1).view(-1, 2, 2)
    return _resample(images, linear, limits, rng), moves


def thicken(
    images: Float[Tensor, "batch channel height width"], amount: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channel height width"]:
    """Part of the way, from -1 to 1, to the darkest or brightest of each pixel's 3x3 neighbours."""
    images = images.contiguous()
    brightest, darkest = max_pool2d(images, 3, 1, 1), -max_pool2d(-images, 3, 1, 1)
    gain, loss = amount.clamp(min=0).view(-1, 1, 1, 1), (-amount).clamp(min=0).view(-1, 1, 1, 1)
    return images + gain * (brightest - images) + loss * (darkest - images)


def _draw(limit: float, rng: torch.Generator, *shape: int) -> Float[Tensor, "..."]:
    noise = torch.empty(*shape, device=rng.device)
    return limit * noise.uniform_(-1, 1, generator=rng)


def _resample(
    images: Float[Tensor, "batch channel height width"],
    linear: Float[Tensor, "batch 2 2"],
    limits: MapLimits,
    rng: torch.Generator,
) -> Float[Tensor, "batch channel height width"]:
    """Let every pixel show what was at linear @ its place, after a shift and a bending."""
    batch = len(images)
    shift = _draw(limits.shift, rng, batch, 2, 1)
    grid = affine_grid(torch.cat([linear, shift], dim=2), list(images.shape), align_corners=False)
    if limits.elastic:
        mesh = _draw(limits.elastic, rng, batch, 2, MESH_SIZE, MESH_SIZE)
        moved = interpolate(mesh, size=images.shape[-2:], mode="bicubic", align_corners=True)
        grid = grid + moved.permute(0, 2, 3, 1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
