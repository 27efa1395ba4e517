"""Fashion-MNIST (Xiao et al. 2017): 70,000 pictures of clothes, in MNIST's format."""

from infogan.base.dataset import DataSet

DATA_SET = DataSet(
    name="fashion_mnist",
    image_shape=(1, 28, 28),
    value_range=(0.0, 1.0),
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    split_sizes={"train": 60_000, "test": 10_000},
    networks="mnist",
    reader="idx",
    files={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    sources=("torchvision:FashionMNIST", "debian:dataset-fashion-mnist"),
)
