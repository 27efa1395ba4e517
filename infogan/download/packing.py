"""From verified raw files to the packed arrays of `infogan.base.splits`.

The same data set packs to the same bytes, whichever source its raw files came from. What few data
sets need and is slow to import, such as torch, is imported by their readers.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from safetensors.numpy import save

from infogan.base.dataset import SPLITS, DataSet, SplitName
from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.base.splits import packed_contents, split_path
from infogan.datasets import lookup
from infogan.download.archives import (
    TEST_SHARE,
    Arrays,
    Factors,
    Images,
    Labels,
    RawFiles,
    expecting,
    read_celeba,
    read_chairs,
    read_faces,
    read_svhn,
)
from infogan.download.sources import Progress, obtain, open_raw

Reader = Callable[[RawFiles, SplitName], Arrays]

UPSCALED = 20  # pixels: the box in which MNIST centres its digits, in 28 x 28


def prepare(
    name: str,
    raw_folder: Path,
    out_folder: Path,
    progress: Progress = lambda message: None,
) -> None:
    """Obtain a data set and write its packed splits into `out_folder`.

    `progress` is called with one line of text per event. An InfoGANError says what could not be
    obtained, read or written; a split is written whole or not at all.
    """
    data_set = lookup(name)
    files = obtain(name, data_set, raw_folder, progress)
    packed = {}
    for split in SPLITS:
        images, truth = READERS[data_set.reader](files, split)
        _check(name, data_set, split, images, truth)
        packed[split] = {"images": images, data_set.truth: truth}
    for split, named in packed.items():
        path = split_path(out_folder, split)
        arrays = {key: np.ascontiguousarray(array) for key, array in named.items()}
        write_file(path, save(arrays, packed_contents(data_set, split, arrays)))
        progress(f"{path} {path.stat().st_size / 1e6:.2f} MB written")


def _check(
    name: str, data_set: DataSet, split: SplitName, images: Images, truth: Labels | Factors
) -> None:
    """Refuse arrays that are not what the registry says."""
    num_images = data_set.split_sizes.get(split, len(images))
    if num_images == 0:
        raise InfoGANError(
            f"data set {name}: too few raw images to set one in {TEST_SHARE} aside for testing"
        )
    expected = (num_images, *data_set.image_shape)
    expected_truth = (num_images, len(data_set.factors)) if data_set.factors else (num_images,)
    if images.shape != expected or truth.shape != expected_truth:
        raise InfoGANError(
            f"data set {name}: {split} images and {data_set.truth} are {images.shape} and "
            f"{truth.shape} in the raw files, expected {expected} and {expected_truth}: correct "
            "the registry"
        )
    for factor, column in zip(data_set.factors, truth.T, strict=False):
        slack = 1e-4 * (factor.high - factor.low)
        inside = (factor.low - slack <= column) & (column <= factor.high + slack)
        if not inside.all():  # NaN is not inside
            raise InfoGANError(
                f"data set {name}: {split} has {factor.name} from {column.min():.4g} to "
                f"{column.max():.4g}, expected {factor.low:.4g} to {factor.high:.4g}"
            )
    if data_set.class_names and truth.max() >= data_set.num_classes:
        raise InfoGANError(
            f"data set {name}: {split} has a label {truth.max()}, expected labels below "
            f"{data_set.num_classes}: correct the registry"
        )


def read_idx(files: RawFiles, split: SplitName) -> Arrays:
    """One split of a data set of gray images in the four IDX files of MNIST."""
    prefix = {"train": "train", "test": "t10k"}[split]
    images = parse_idx(files[f"{prefix}-images-idx3-ubyte"], num_axes=3)
    return images[:, np.newaxis], parse_idx(files[f"{prefix}-labels-idx1-ubyte"], num_axes=1)


def parse_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """The array in an IDX file of unsigned bytes, gzipped or not.

    An InfoGANError says where the file departs from the format.
    """
    what = f"an IDX file of unsigned bytes with {num_axes} axes; delete it and run again"
    with expecting(path, what):
        contents = open_raw(path)
        # Two zero bytes, 8 for unsigned bytes, the number of axes; then big-endian sizes.
        if contents[:4] != bytes([0, 0, 8, num_axes]):
            raise ValueError(f"starts with {contents[:4].hex() or 'nothing'}")
        shape = np.frombuffer(contents, ">u4", num_axes, offset=4)
        return np.frombuffer(contents, np.uint8, offset=4 + 4 * num_axes).reshape(shape)


def read_digits(files: RawFiles, split: SplitName) -> Arrays:
    """One split of scikit-learn's 1,797 digits of 8x8 pixels, brought to the look of MNIST.

    Sorted by class, every fifth image is a test image (360, the others 1,437), so the classes keep
    their shares to within one image; within a split scikit-learn's order stays. Writers are not
    known, so some may be in both splits.
    """
    from sklearn.datasets import load_digits

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
    weights = np.maximum(10 - abs(tenths[:, np.newaxis] - 10 * np.arange(8)), 0)
    hundredths = weights @ small @ weights.T  # 100 * the value on the scale of 0..16
    pixels = (hundredths * 255 + 800) // 1600  # rounded half up
    margin = (28 - UPSCALED) // 2
    framed = np.pad(pixels, ((0, 0), (margin, margin), (margin, margin)))
    return framed.astype(np.uint8)[:, np.newaxis]


def _rendered(name: str, files: RawFiles, split: SplitName) -> Arrays:
    """A split of a stand-in, rendered; always the same one."""
    from infogan.base.randomness import random_stream
    from infogan.download.heads import IDENTITY, render_heads
    from infogan.download.seats import STYLE, render_seats
    from infogan.download.solids import draw

    traits, render = {"heads": (IDENTITY, render_heads), "seats": (STYLE, render_seats)}[name]
    data_set, rng = lookup(name), random_stream(0, f"{name}/{split}")
    images, factors = draw(data_set.factors, traits, render, data_set.split_sizes[split], rng)
    return images.numpy(), factors.numpy()


READERS: dict[str, Reader] = {
    "idx": read_idx,
    "digits": read_digits,
    "svhn": read_svhn,
    "celeba": read_celeba,
    "chairs": read_chairs,
    "faces": read_faces,
    "heads": partial(_rendered, "heads"),
    "seats": partial(_rendered, "seats"),
}
