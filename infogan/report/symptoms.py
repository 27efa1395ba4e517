"""Signs that a training went wrong, read from what was measured of it; a healthy run has none."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from infogan.report.claims import Metrics, shows_nothing

# Shares of the test images. A category is used if it has a tenth of what an equal share would be.
COLLAPSED = 0.95
USED = 0.1
# Grey levels of 255: a change that no eye sees, as far as the rounding to whole levels goes.
VISIBLE = 2

Grid = UInt8[np.ndarray, "row column channel height width"]


def symptoms(
    metrics: Metrics,
    contingency: Sequence[Sequence[int]] | None,
    grids: Mapping[str, Grid],
    codes: Sequence[str],
    floor: float,
) -> list[str]:
    """One phrase for each sign; `contingency` counts test images by category of c1 and class.

    `grids` are the traversals by the name of their code, one of `codes`; `floor` is the Frechet
    distance of real to other real images.
    """
    # Those that are no finite numbers are left out of the means.
    found = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if shows_nothing(metrics, floor):
        distance = metrics["frechet_classifier"]
        found.append(f"the images are nothing like the data: Frechet distance {distance:.1f}")
    if contingency is not None:
        found += unbalanced_categories([sum(counts) for counts in contingency])
    return found + [
        f"{code} does not change the images" for code in codes if is_constant(grids[code])
    ]


def unbalanced_categories(num_images: Sequence[int]) -> list[str]:
    """Whether Q puts nearly all test images into one category of c1, or few into some of them."""
    size, shares = len(num_images), np.array(num_images) / sum(num_images)
    largest = int(shares.argmax())
    if shares[largest] >= COLLAPSED:
        return [f"Q puts {shares[largest]:.1%} of the test images into category {largest} of c1"]
    unused = [str(category) for category in np.flatnonzero(shares < USED / size)]
    if not unused:
        return []
    shown = ", ".join(unused[:10]) + (", ..." if len(unused) > 10 else "")
    return [f"Q hardly uses {len(unused)} of the {size} categories of c1 ({shown})"]


def is_constant(grid: Grid) -> bool:
    """Whether no pixel changes visibly along any row, from column to column."""
    return int((grid.max(axis=1) - grid.min(axis=1)).max()) <= VISIBLE
