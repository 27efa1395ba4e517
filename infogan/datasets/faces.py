"""The paper's Faces: renders of a licensed model of faces, which a person has to make."""

import math

from infogan.base.dataset import DataSet, Factor

DATA_SET = DataSet(
    name="faces",
    image_shape=(1, 32, 32),
    value_range=(0.0, 1.0),
    # What a list of renders is to say of each, in radians; 0 faces the viewer and the light.
    factors=tuple(Factor(n, -math.pi / 2, math.pi / 2) for n in ("azimuth", "elevation", "light")),
    networks="faces",
    reader="faces",
    files={"faces.csv": None},
    figure=3,
)
