"""Slant, stroke thickness, width, height, area and length of single-digit images.

Images are grey in [0, 1] with background 0, and every measure is a length in pixels, an area in
pixels or an angle in radians. Ink is judged relative to the brightest pixel of its own image, so
that a faint digit has the shape of a bold one. Thickness, width, height and length are measured
after the shear that undoes the slant, so that leaning alone does not change them. Width and height
are spanned by the pen's path, the middle of the stroke: pressing harder does not widen a digit.
An image without a pixel above 0.1 is blank, and each of its measures is 0.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

SHAPES = ("slant", "thickness", "width", "height", "area", "length")

BLANK_BELOW = 0.1
# Grey levels, as shares of the image's maximum, at which a pixel begins to count and counts fully.
# Symmetric about 0.5, so that ink's edge is where half the maximum is.
INK_FROM, INK_FULL = 0.25, 0.75
# Strokes are 2 to 4 pixels thick: without a finer grid the distance transform sees three levels.
FINER = 3
# Share of ink beyond each end of a span: a speck must not set the width of a digit.
TAIL = 0.01
BATCH_SIZE = 64  # images that stay together in the processor's cache; changes the speed alone


class Lean(NamedTuple):
    """Ink mass, its centre in pixels (y points up, from the image's middle), and its shear."""

    mass: Float[np.ndarray, " image"]
    x: Float[np.ndarray, " image"]
    y: Float[np.ndarray, " image"]
    shear: Float[np.ndarray, " image"]


def measure_shapes(
    images: Float[np.ndarray, "image height width"],
) -> Float[np.ndarray, "image shape"]:
    """The measures named in SHAPES, in that order; 10,000 images of MNIST take 7 to 9 s on a core.

    slant: angle of the shear, positive when the top leans right. thickness: of the stroke. width
    and height: of the pen's path, the bounding box less one thickness, so that width + thickness is
    the box's width (near 0, and possibly a little below, for a digit 1). A stretch that also
    broadens the strokes therefore takes a little off the other side: of 5 pixels wider, MNIST
    digits lose 0.6 in height. area: ink mass. length: of the skeleton, which stops about half a
    thickness before each end of a stroke.
    """
    starts = range(0, len(images), BATCH_SIZE)
    return np.concatenate([_measure_batch(images[i : i + BATCH_SIZE]) for i in starts])


def _measure_batch(
    images: Float[np.ndarray, "image height width"],
) -> Float[np.ndarray, "image shape"]:
    lean = measure_lean(ink(images))
    upright = ink(deslant(images, lean))
    mask = upright > 0.5

    thickness = stroke_thickness(mask)
    # A blank image has neither span nor thickness, so the difference stays 0.
    width = span(upright.sum(axis=1)) - thickness
    height = span(upright.sum(axis=2)) - thickness
    columns = np.arctan(lean.shear), thickness / FINER, width / FINER, height / FINER
    return np.stack([*columns, lean.mass, skeleton_length(mask) / FINER], axis=1)


def ink(
    images: Float[np.ndarray, "image height width"],
) -> Float[np.ndarray, "image height width"]:
    """How much of each pixel is ink, in [0, 1]: a ramp between two shares of the image's maximum.

    The haze that a generator leaves on the background counts as nothing.
    """
    brightest = images.max(axis=(1, 2), keepdims=True)
    relative = images / np.maximum(brightest, BLANK_BELOW)
    ramp = np.clip((relative - INK_FROM) / (INK_FULL - INK_FROM), 0, 1)
    return np.where(brightest > BLANK_BELOW, ramp, 0).astype(np.float64)


def measure_lean(ink: Float[np.ndarray, "image height width"]) -> Lean:
    """First and second moments: shear = mu11 / mu02, the x gained per y climbed.

    0 for a blank image and for one whose ink lies in a single row.
    """
    _, height, width = ink.shape
    x = np.arange(width) - (width - 1) / 2
    y = (height - 1) / 2 - np.arange(height)

    mass = ink.sum(axis=(1, 2))
    safe_mass = np.where(mass > 0, mass, 1)
    rows, columns = ink.sum(axis=2), ink.sum(axis=1)
    # Sums rather than matrix products, whose rounding would depend on the batch size.
    centre_x = (columns * x).sum(axis=1) / safe_mass
    centre_y = (rows * y).sum(axis=1) / safe_mass
    mu11 = ((ink * x).sum(axis=2) * y).sum(axis=1) / safe_mass - centre_x * centre_y
    mu02 = (rows * y**2).sum(axis=1) / safe_mass - centre_y**2
    # Rounding leaves a single row with a variance just off 0.
    upright = mu02 < 1e-6
    shear = np.where(upright, 0, mu11 / np.where(upright, 1, mu02))
    return Lean(mass, centre_x, centre_y, shear)


def deslant(
    images: Float[np.ndarray, "image height width"], lean: Lean
) -> Float[np.ndarray, "image fine_height fine_width"]:
    """The images sheared upright about their centre, which moves to the middle column.

    The grid is FINER times finer, with a margin of one fine pixel of background on every side.
    """
    _, height, width = images.shape
    fine_x = (np.arange(width * FINER) + 0.5) / FINER - width / 2
    fine_y = height / 2 - (np.arange(height * FINER) + 0.5) / FINER
    climb = fine_y - lean.y[:, None]
    source_x = fine_x + (lean.x[:, None] + lean.shear[:, None] * climb)[:, :, None]
    source_y = np.broadcast_to(-fine_y[:, None], source_x.shape)

    grid = np.stack([source_x / (width / 2), source_y / (height / 2)], axis=-1)
    upright = F.grid_sample(
        torch.from_numpy(images).float()[:, None],
        torch.from_numpy(grid).float(),
        mode="bicubic",
        align_corners=False,
    )
    return F.pad(upright[:, 0], (1, 1, 1, 1)).numpy()


def stroke_thickness(mask: Bool[np.ndarray, "image height width"]) -> Float[np.ndarray, " image"]:
    """Four times the mean distance of ink to the nearest edge, in the mask's pixels.

    Exact for a long straight stroke, whose points are on average a quarter of its thickness from
    its edge; a bar of thickness t and length l has t (1 - t / 3l). Unlike the distance along the
    skeleton it does not depend on which spurs the skeleton grew. Needs a margin of background.
    """
    num_images, _, width = mask.shape
    # One tall picture costs one call; the margins keep each image's distances to itself.
    distance = distance_transform_edt(mask.reshape(-1, width)).reshape(num_images, -1)
    num_ink = mask.sum(axis=(1, 2))
    # Distances run between pixel centres, and the edge lies half a pixel nearer.
    total = distance.sum(axis=1) - 0.5 * num_ink
    return 4 * total / np.maximum(num_ink, 1)


def span(profile: Float[np.ndarray, "image position"]) -> Float[np.ndarray, " image"]:
    """Length that holds all but TAIL of the ink at each end, scaled to be exact for even ink."""
    mass = profile.sum(axis=1, keepdims=True)
    reached = np.cumsum(profile, axis=1) / np.where(mass > 0, mass, 1)
    reached = np.pad(reached, ((0, 0), (1, 0)))
    length = _crossing(reached, 1 - TAIL) - _crossing(reached, TAIL)
    return np.where(mass[:, 0] > 0, length / (1 - 2 * TAIL), 0)


def _crossing(
    rising: Float[np.ndarray, "image position"], level: float
) -> Float[np.ndarray, " image"]:
    """Position, between samples, at which each row that rises from 0 first reaches the level."""
    after = np.maximum((rising >= level).argmax(axis=1), 1)
    row = np.arange(len(rising))
    low, high = rising[row, after - 1], rising[row, after]
    return after - 1 + (level - low) / np.where(high > low, high - low, 1)


def skeleton_length(mask: Bool[np.ndarray, "image height width"]) -> Float[np.ndarray, " image"]:
    """Length of the skeleton's steps, straight ones 1 and diagonal ones root 2, in mask pixels.

    Needs a margin of background.
    """
    skeleton = skeletonize(mask.reshape(-1, mask.shape[2])).reshape(mask.shape)
    across = skeleton[:, :, 1:] & skeleton[:, :, :-1]
    down = skeleton[:, 1:] & skeleton[:, :-1]
    # A diagonal counts only where no straight steps go the same way round the corner.
    falling = skeleton[:, 1:, 1:] & skeleton[:, :-1, :-1]
    falling &= ~(skeleton[:, 1:, :-1] | skeleton[:, :-1, 1:])
    rising = skeleton[:, 1:, :-1] & skeleton[:, :-1, 1:]
    rising &= ~(skeleton[:, 1:, 1:] | skeleton[:, :-1, :-1])
    straight = across.sum(axis=(1, 2)) + down.sum(axis=(1, 2))
    return straight + math.sqrt(2) * (falling.sum(axis=(1, 2)) + rising.sum(axis=(1, 2)))
