"""From verified raw files to the packed arrays of `infogan.datasets`.

The same data set packs to the same bytes, whichever source its raw files came from.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from safetensors.numpy import save
from sklearn.datasets import load_digits

from infogan.datasets import SPLITS, SplitName, lookup, packed_contents, split_path
from infogan.errors import InfoGANError
from infogan.sources import FETCHERS, Fetcher, Progress, SourceError, obtain, open_raw
from infogan.writing import write_file

Images = UInt8[np.ndarray, "image channel height width"]
Labels = UInt8[np.ndarray, " image"]
Arrays = tuple[Images, Labels]
Reader = Callable[[Mapping[str, Path], SplitName], Arrays]

UPSCALED = 20  # pixels: the box in which MNIST centres its digits, in 28 x 28


def prepare(
    name: str,
    raw_folder: Path,
    out_folder: Path,
    progress: Progress = lambda message: None,
    fetchers: Mapping[str, Fetcher] = FETCHERS,
) -> None:
    """Obtain a data set and write its packed splits into `out_folder`.

    `progress` is called with one line of text per event. An InfoGANError says what could not be
    obtained, read or written; a split is written whole or not at all.
    """
    data_set = lookup(name)
    files = obtain(name, data_set, raw_folder, progress, fetchers)
    for split in SPLITS:
        images, labels = READERS[data_set.reader](files, split)
        expected = (data_set.split_sizes[split], *data_set.image_shape)
        if images.shape != expected or labels.shape != expected[:1]:
            raise InfoGANError(
                f"data set {name}: {split} images and labels are {images.shape} and {labels.shape} "
                f"in the raw files, expected {expected} and {expected[:1]}: correct the registry"
            )
        if labels.max() >= data_set.num_classes:
            raise InfoGANError(
                f"data set {name}: {split} has a label {labels.max()}, expected labels below "
                f"{data_set.num_classes}: correct the registry"
            )
        path = split_path(out_folder, split)
        arrays = {"images": np.ascontiguousarray(images), "labels": np.ascontiguousarray(labels)}
        write_file(path, save(arrays, packed_contents(name, split, arrays)))
        progress(f"{path} {path.stat().st_size / 1e6:.2f} MB written")


def read_idx(files: Mapping[str, Path], split: SplitName) -> Arrays:
    """One split of a data set of gray images in the four IDX files of MNIST."""
    prefix = {"train": "train", "test": "t10k"}[split]
    images = parse_idx(files[f"{prefix}-images-idx3-ubyte"], num_axes=3)
    return images[:, np.newaxis], parse_idx(files[f"{prefix}-labels-idx1-ubyte"], num_axes=1)


def parse_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """The array in an IDX file of unsigned bytes, gzipped or not.

    An InfoGANError says where the file departs from the format.
    """
    try:
        contents = open_raw(path)
    except (SourceError, OSError) as error:
        raise InfoGANError(f"{path}: cannot be read ({error}); delete it and run again") from error
    # Two zero bytes, 8 for unsigned bytes, the number of axes; then big-endian sizes.
    start = 4 + 4 * num_axes
    if len(contents) < start or contents[:4] != bytes([0, 0, 8, num_axes]):
        raise InfoGANError(
            f"{path}: starts with {contents[:4].hex() or 'nothing'}, expected an IDX file of "
            f"unsigned bytes with {num_axes} axes; delete it and run again"
        )
    shape = tuple(int(size) for size in np.frombuffer(contents, ">u4", num_axes, offset=4))
    if len(contents) - start != math.prod(shape):
        raise InfoGANError(
            f"{path}: {len(contents) - start} bytes of data, expected {math.prod(shape)} for shape "
            f"{shape}; delete it and run again"
        )
    return np.frombuffer(contents, np.uint8, offset=start).reshape(shape)


def read_digits(files: Mapping[str, Path], split: SplitName) -> Arrays:
    """One split of scikit-learn's 1,797 digits of 8x8 pixels, brought to the look of MNIST.

    Sorted by class, every fifth image is a test image (360, the others 1,437), so the classes keep
    their shares to within one image; within a split scikit-learn's order stays. Writers are not
    known, so some may be in both splits.
    """
    pixels, labels = load_digits(return_X_y=True)
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    chosen = is_test if split == "test" else ~is_test
    small = pixels[chosen].reshape(-1, 8, 8).astype(np.int64)
    return enlarge_digits(small), labels[chosen].astype(np.uint8)


def enlarge_digits(small: np.ndarray) -> Images:
    """Digits of 8x8 pixels 0..16 as 28x28 pixels 0..255: bilinear to 20x20, centred on black.

    Computed in whole numbers, so that every machine gives the same bytes.
    """
    # Pixel i of 20 has its centre at (i + 0.5) * 8 / 20 - 0.5 = (4 i - 3) / 10 of the 8, held
    # inside; it mixes its two neighbours in tenths.
    tenths = np.clip(4 * np.arange(UPSCALED) - 3, 0, 70)
    left, share = tenths // 10, tenths % 10
    weights = np.zeros((UPSCALED, 9), dtype=np.int64)
    weights[np.arange(UPSCALED), left] = 10 - share
    weights[np.arange(UPSCALED), left + 1] += share
    weights = weights[:, :8]  # the ninth neighbour only ever gets weight 0

    hundredths = weights @ small @ weights.T  # 100 * the value on the scale of 0..16
    pixels = (hundredths * 255 + 800) // 1600  # rounded half up
    margin = (28 - UPSCALED) // 2
    framed = np.pad(pixels, ((0, 0), (margin, margin), (margin, margin)))
    return framed.astype(np.uint8)[:, np.newaxis]


READERS: dict[str, Reader] = {"idx": read_idx, "digits": read_digits}
