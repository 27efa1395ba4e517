"""A packed data set: a folder with one safetensors file per split.

`images` uint8 [image, channel, height, width], in the order of the raw files, and what is known of
them: `labels` uint8 [image], or `factors` float32 [image, factor]. The SHA-256 of both is in the
file's metadata. Loading maps the file into memory and checks what it hands out.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from infogan.base.dataset import DataSet, SplitName
from infogan.base.errors import InfoGANError
from infogan.base.images import FactorImages, Split


def split_path(folder: Path, split: SplitName) -> Path:
    """Where a split lies in the folder of a packed data set."""
    return folder / f"{split}.safetensors"


def load_images(
    folder: Path, data_set: DataSet, split: SplitName
) -> UInt8[Tensor, "image channel height width"]:
    """The images of one split, their labels left unread.

    An InfoGANError names a file that is missing, damaged, or of another data set.
    """
    return _load(folder, data_set, split, ("images",))["images"]


def load_split(folder: Path, data_set: DataSet, split: SplitName) -> Split:
    """Images and labels of one split; errors as for `load_images`."""
    return Split(**_load(folder, data_set, split, ("images", "labels")))


def load_factors(folder: Path, data_set: DataSet, split: SplitName) -> FactorImages:
    """Images and factors of one split; errors as for `load_images`."""
    return FactorImages(**_load(folder, data_set, split, ("images", "factors")))


def packed_contents(data_set: DataSet, split: SplitName, arrays: dict[str, Any]) -> dict[str, str]:
    """The metadata of a packed file: what it holds, and the SHA-256 of each C-ordered array."""
    digests = {key: hashlib.sha256(array).hexdigest() for key, array in arrays.items()}
    contents = {"dataset": data_set.name, "split": split, "sha256": digests}
    # One key: safetensors writes several in no fixed order, and the file is to be byte-identical.
    return {"contents": json.dumps(contents, sort_keys=True)}


def _load(
    folder: Path, data_set: DataSet, split: SplitName, keys: tuple[str, ...]
) -> dict[str, Tensor]:
    """Map some arrays of a packed file into memory and check them."""
    name = data_set.name
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
