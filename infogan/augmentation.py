"""Small random maps of images, differentiable in nothing and drawn from a given stream."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

MESH_SIZE = 4


@dataclass(frozen=True)
class MapLimits:
    """Largest magnitudes, each drawn uniformly from [-limit, limit].

    `rotation` and `shear` in radians, `scale` as a relative change per axis, `shift` as a share
    of half the image's width. `elastic`, a share of it, too, is how far each point of a 4x4 mesh
    over the image is moved along each axis, and what lies between follows smoothly. `thickness`,
    at most 1, is how much of a pixel bright strokes gain on every side, or lose.
    """

    rotation: float
    shear: float
    scale: float
    shift: float
    elastic: float = 0.0
    thickness: float = 0.0


@dataclass(frozen=True)
class Maps:
    """A map for each image of a batch, and what it does to the shape of what the image shows.

    `lean` is the angle in radians by which it tips an upright line to the right, `stretch` the log
    of the factor by which it widens what stands upright; neither counts the bending of the mesh.
    """

    grid: Float[Tensor, "batch height width 2"]  # where each pixel comes from, -1 to 1
    thickening: Float[Tensor, " batch"] | None
    lean: Float[Tensor, " batch"]
    stretch: Float[Tensor, " batch"]

    def __call__(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """The mapped images: bilinear, and zero outside the image."""
        if self.thickening is not None:
            images = thicken(images, self.thickening)
        return grid_sample(
            images, self.grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )


def draw_maps(
    images: Float[Tensor, "batch channel height width"], limits: MapLimits, rng: torch.Generator
) -> Maps:
    """A map of its own for each of the images, of which the size alone matters."""
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
    # A pixel shows what was at linear @ its place, so shapes change by the inverse, and y grows
    # downwards. Of the inverse, the second column is where an upright line goes, and its
    # determinant over that column's second entry is the width once the lean is taken off.
    across, along = linear[:, 0, 0], linear[:, 0, 1]
    return Maps(
        grid,
        draw(limits.thickness) if limits.thickness else None,
        lean=torch.atan(along / across),
        stretch=-across.log(),
    )


def random_map(
    images: Float[Tensor, "batch channel height width"],
    limits: MapLimits,
    rng: torch.Generator,
) -> Float[Tensor, "batch channel height width"]:
    """Map every image by its own draw."""
    return draw_maps(images, limits, rng)(images)


def thicken(
    images: Float[Tensor, "batch channel height width"], amount: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channel height width"]:
    """Part of the way, from -1 to 1, to the darkest or brightest of each pixel's 3x3 neighbours."""
    images = images.contiguous()
    brightest, darkest = max_pool2d(images, 3, 1, 1), -max_pool2d(-images, 3, 1, 1)
    gain, loss = amount.clamp(min=0).view(-1, 1, 1, 1), (-amount).clamp(min=0).view(-1, 1, 1, 1)
    return images + gain * (brightest - images) + loss * (darkest - images)
