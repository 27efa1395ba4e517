"""SVHN (Netzer et al. 2011): house numbers in colour, cropped to one digit."""

from infogan.base.dataset import DataSet

DATA_SET = DataSet(
    name="svhn",
    image_shape=(3, 32, 32),
    value_range=(-1.0, 1.0),
    class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    split_sizes={"train": 73_257, "test": 26_032},
    networks="svhn",
    reader="svhn",
    files={
        "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
        "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
    },
    sources=("torchvision:SVHN",),
    figure=5,
)
