"""scikit-learn's small digits, for tests and first tries: they need no network."""

from infogan.base.dataset import DataSet

DATA_SET = DataSet(
    name="digits",
    image_shape=(1, 28, 28),
    value_range=(0.0, 1.0),
    class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    split_sizes={"train": 1_437, "test": 360},
    networks="mnist",
    reader="digits",
    shows_strokes=True,
)
