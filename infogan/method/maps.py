"""Small random maps of images, drawn from a given stream."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from infogan.params import Maps

MESH_SIZE = 4


def random_map(
    images: Float[Tensor, "batch channel height width"],
    limits: Maps,
    rng: torch.Generator,
) -> Float[Tensor, "batch channel height width"]:
    """Map every image by its own draw; bilinear, and zero outside the image."""
    batch = len(images)

    def draw(limit: float, *shape: int) -> Tensor:
        noise = torch.empty(batch, *shape, device=images.device)
        return limit * noise.uniform_(-1, 1, generator=rng)

    angle, shear = draw(limits.rotation), draw(limits.shear)
    scale = 1 + draw(limits.scale, 2)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1)
    shearing = torch.stack(
        [torch.ones_like(shear), shear.tan(), torch.zeros_like(shear), torch.ones_like(shear)], 1
    )
    linear = rotation.view(-1, 2, 2) @ shearing.view(-1, 2, 2) * scale[:, None, :]
    shift = draw(limits.shift, 2, 1)
    grid = affine_grid(torch.cat([linear, shift], dim=2), list(images.shape), align_corners=False)
    if limits.elastic:
        mesh = draw(limits.elastic, 2, MESH_SIZE, MESH_SIZE)
        moved = interpolate(mesh, size=images.shape[-2:], mode="bicubic", align_corners=True)
        grid = grid + moved.permute(0, 2, 3, 1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
