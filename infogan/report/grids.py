"""A grid of images as one image."""

import numpy as np
from jaxtyping import UInt8

from infogan.base.errors import InfoGANError

PADDING = 2  # white pixels between neighbours


def grid_image(
    images: UInt8[np.ndarray, "row column channel height width"],
) -> UInt8[np.ndarray, "grid_height grid_width *colour"]:
    """Tile images into one, PADDING white pixels between neighbours and none around the grid.

    Grey images give [height, width], colour images [height, width, channel].
    """
    rows, columns, channels, height, width = images.shape
    if channels not in (1, 3):
        raise InfoGANError(f"images with {channels} channels: a grid shows 1 (grey) or 3 (colour)")
    pitch_y, pitch_x = height + PADDING, width + PADDING
    tiles = np.full((rows, pitch_y, columns, pitch_x, channels), 255, dtype=np.uint8)
    tiles[:, :height, :, :width] = images.transpose(0, 3, 1, 4, 2)
    grid = tiles.reshape(rows * pitch_y, columns * pitch_x, channels)[:-PADDING, :-PADDING]
    return grid[:, :, 0] if channels == 1 else grid
