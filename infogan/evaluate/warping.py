"""What an affine map leaves of the difference between two images."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from infogan.method.optimisation import Adam

NUM_STEPS = 150
LEARNING_RATE = 0.03


def affine_residual(
    first: Float[Tensor, "image channel height width"],
    second: Float[Tensor, "image channel height width"],
) -> Float[Tensor, " image"]:
    """Squared difference of each pair that remains after the best affine maps and brightness.

    Each image of a pair is mapped half the way towards the other, A^(1/2) and A^(-1/2) to first
    order, so that both are blurred alike by the interpolation; rotation, shear, stretch and shift
    are free, and so is a factor on the brightness. Fitted by Adam per pair, from the identity. Near
    0 where one image is the other moved and stretched; all of it where no map brings them closer.
    """
    motion = torch.zeros(len(first), 6, requires_grad=True)
    brightness = torch.zeros(len(first), 1, 1, 1, requires_grad=True)
    optimizer = Adam([motion, brightness], lr=LEARNING_RATE, fused=False)
    best = _difference(first, second, motion, brightness).detach()
    for _ in range(NUM_STEPS):
        after = _difference(first, second, motion, brightness)
        best = torch.minimum(best, after.detach())
        motion.grad = brightness.grad = None
        after.sum().backward()
        optimizer.step()
    return best


def _difference(first: Tensor, second: Tensor, motion: Tensor, brightness: Tensor) -> Tensor:
    """Sum of squares per pair, each image mapped by half the motion in opposite directions."""
    gain = (brightness / 2).exp()
    difference = gain * _warp(first, motion / 2) - _warp(second, -motion / 2) / gain
    return difference.square().flatten(1).sum(dim=1)


def _warp(images: Tensor, motion: Tensor) -> Tensor:
    identity = torch.eye(2, 3).expand(len(images), 2, 3)
    grid = F.affine_grid(identity + motion.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", align_corners=False)
