"""Heads, rendered here in place of the paper's Faces: they need no network."""

import math

from infogan.base.dataset import DataSet, Factor

# What the renderer varies besides identity.
HEAD_FACTORS = (
    Factor("azimuth", -math.pi / 3, math.pi / 3),  # radians; positive: looks to the picture's right
    Factor("elevation", -math.pi / 8, math.pi / 8),  # radians; positive: seen from above
    Factor("light", -0.45 * math.pi, 0.45 * math.pi),  # radians; positive: lit from the right
    Factor("width", 0.8, 1.25),  # of the head, over that of its identity
)

DATA_SET = DataSet(
    name="heads",
    image_shape=(1, 32, 32),
    value_range=(0.0, 1.0),
    factors=HEAD_FACTORS,
    split_sizes={"train": 20_000, "test": 10_000},
    networks="faces",
    reader="heads",
    stands_in_for="Faces",
    figure=3,
)
