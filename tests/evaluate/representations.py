"""Known factors of made-up images, and representations of them that are good or bad in known ways.

Four factors, the third of them a circle. Representations never have four codes.
"""

import numpy as np

from infogan.base.dataset import Factor, rotation
from infogan.base.factors import sample_factors
from tests.layouts import seeded

FACTORS = (
    Factor("lean", -0.5, 1.5),
    Factor("size", 20.0, 30.0),
    rotation("turn"),
    Factor("grey", 0.0, 1.0),
)
TURN = 2
NUM_IMAGES = 4000


VALUES = sample_factors(FACTORS, NUM_IMAGES, seeded()).numpy()


def perfect_codes(values=VALUES):
    """One code per factor in another order, bent and turned over, and one that never changes."""
    lean, size, turn, grey = values.T
    return np.stack(
        [turn / np.pi, -lean, np.full(len(lean), 0.3), grey**3, np.exp(size / 10)], axis=1
    )


def useless_codes(num=6):
    """Codes that have nothing to do with the images."""
    return np.random.default_rng(1).uniform(-1, 1, (NUM_IMAGES, num)).astype(np.float32)


def duplicated_codes(values=VALUES):
    """Two codes per factor."""
    return np.concatenate([values, -2 * values], axis=1)


def mixed_codes(values=VALUES):
    """Each of the two codes depends as much on the lean as on the grey."""
    lean, _, _, grey = values.T
    return np.stack([lean / 2 + grey, lean / 2 - grey], axis=1)
