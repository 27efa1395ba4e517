"""The paper's Chairs (Aubry et al. 2014): 1,393 models, each rendered from 62 sides."""

import math

from infogan.base.dataset import DataSet, Factor, rotation

DATA_SET = DataSet(
    name="chairs",
    image_shape=(1, 64, 64),
    value_range=(0.0, 1.0),
    # The sides and the two heights from which each model is rendered, in radians.
    factors=(rotation("rotation"), Factor("elevation", math.radians(20), math.radians(30))),
    networks="chairs",
    reader="chairs",
    files={"rendered_chairs.tar": None},
    figure=4,
)
