"""Seats, rendered here in place of the paper's Chairs: they need no network."""

from infogan.base.dataset import DataSet, Factor, rotation

DATA_SET = DataSet(
    name="seats",
    image_shape=(1, 64, 64),
    value_range=(0.0, 1.0),
    factors=(  # what the renderer varies besides style
        rotation("rotation"),  # radians, about the vertical; 0: faces the viewer, pi / 2: right
        Factor("width", 0.7, 1.3),  # of the seat, over that of its style
    ),
    split_sizes={"train": 20_000, "test": 10_000},
    networks="chairs",
    reader="seats",
    stands_in_for="Chairs",
    figure=4,
)
