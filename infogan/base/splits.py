"""The file of a packed split: its place, its metadata and its arrays, none of which needs torch.

`images` uint8 [image, channel, height, width], in the order of the raw files, and what is known of
them: `labels` uint8 [image], or `factors` float32 [image, factor]. The SHA-256 of both is in the
file's metadata.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open

from infogan.base.dataset import DataSet, SplitName
from infogan.base.errors import InfoGANError


def split_path(folder: Path, split: SplitName) -> Path:
    """Where a split lies in the folder of a packed data set."""
    return folder / f"{split}.safetensors"


def packed_contents(data_set: DataSet, split: SplitName, arrays: dict[str, Any]) -> dict[str, str]:
    """The metadata of a packed file: what it holds, and the SHA-256 of each C-ordered array."""
    digests = {key: hashlib.sha256(array).hexdigest() for key, array in arrays.items()}
    contents = {"dataset": data_set.name, "split": split, "sha256": digests}
    # One key: safetensors writes several in no fixed order, and the file is to be byte-identical.
    return {"contents": json.dumps(contents, sort_keys=True)}


def load_arrays(
    folder: Path,
    data_set: DataSet,
    split: SplitName,
    keys: tuple[str, ...],
    framework: Literal["numpy", "pt"] = "numpy",
) -> dict[str, Any]:
    """Some arrays of a packed file, checked: NumPy's, or torch's, which map it into memory.

    An InfoGANError names a file that is missing, damaged, or of another data set.
    """
    name = data_set.name
    path = split_path(folder, split)
    cure = "delete it and run `dvc repro download`"
    try:
        with safe_open(path, framework=framework) as packed:
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
        "images": ("uint8", (num_images, *data_set.image_shape)),
        "labels": ("uint8", (num_images,)),
        "factors": ("float32", (num_images, len(data_set.factors))),
    }
    for key, array in arrays.items():
        values = np.asarray(array)
        dtype, shape = expected[key]
        if values.dtype != dtype or values.shape != shape:
            raise InfoGANError(
                f"{path}: {key} are {values.dtype} of shape {values.shape}, expected {dtype} of "
                f"shape {shape}; {cure}"
            )
        digest = hashlib.sha256(values.data).hexdigest()
        if digest != digests[key]:
            raise InfoGANError(
                f"{path}: SHA-256 of {key} is {digest[:12]}..., expected "
                f"{str(digests[key])[:12]}...: the file was changed; {cure}"
            )
    return arrays
