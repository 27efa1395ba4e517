"""A data set of a few tiny images in IDX files, and sources on the local disk that give it."""

import gzip
import hashlib
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from infogan.base.dataset import DataSet
from infogan.datasets import names

NUM_IMAGES = {"train": 7, "test": 4}
PREFIXES = {"train": "train", "test": "t10k"}


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX file of an array of unsigned bytes, written from the format's description."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def toy_arrays(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [image, 3, 5] and labels below 3, different for each split."""
    rng = np.random.default_rng(NUM_IMAGES[split])
    images = rng.integers(0, 256, (NUM_IMAGES[split], 3, 5), dtype=np.uint8)
    return images, rng.integers(0, 3, NUM_IMAGES[split], dtype=np.uint8)


def toy_files() -> dict[str, bytes]:
    """The four raw files."""
    files = {}
    for split, prefix in PREFIXES.items():
        images, labels = toy_arrays(split)
        files[f"{prefix}-images-idx3-ubyte"] = idx_bytes(images)
        files[f"{prefix}-labels-idx1-ubyte"] = idx_bytes(labels)
    return files


TOY = DataSet(
    name="toy",
    image_shape=(1, 3, 5),
    value_range=(0.0, 1.0),
    class_names=("a", "b", "c"),
    split_sizes={"train": 7, "test": 4},
    networks="mnist",
    reader="idx",
    files={name: hashlib.md5(contents).hexdigest() for name, contents in toy_files().items()},
)


def toy_from(*sources: str) -> DataSet:
    """The toy data set with these sources."""
    return replace(TOY, sources=sources)


def write_raw(folder: Path, *, zipped: bool = False, level: int = 9) -> None:
    """Put the raw files into a folder, as a person or a source would."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in toy_files().items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(contents, level))
        else:
            (folder / name).write_bytes(contents)


def register(monkeypatch: pytest.MonkeyPatch, name: str, data_set: DataSet) -> None:
    """Let `lookup(name)` find this data set, and parameters name it, for the rest of a test."""
    module = SimpleNamespace(DATA_SET=replace(data_set, name=name))
    monkeypatch.setitem(sys.modules, f"infogan.datasets.{name}", module)
    monkeypatch.setattr("infogan.params.names", lambda: [name, *names()])
