"""Readers of the paper's other data sets, SVHN, CelebA, Chairs and Faces, as they are published.

Nothing in a file is run: MATLAB files are of version 5, pictures PNG or JPEG, the rest text. What
the paper does not say is ours: crops are central squares, and what is larger than the network's
images is averaged over the area of each pixel. JPEG decoders may differ by single grey levels.
Every reader raises an InfoGANError that names the file and what was expected of it.
"""

import csv
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, UInt8
from PIL import Image, UnidentifiedImageError
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from infogan.base.errors import InfoGANError

Images = UInt8[np.ndarray, "image channel height width"]

SVHN_SIZE = 32
# Of 178 x 218 pixels: chin to hair, as wide as the eyes, nose and hair need.
CELEBA_CROP, CELEBA_SIZE = 148, 32
# Of 600 x 600 pixels, most of which are white.
CHAIR_CROP, CHAIR_SIZE = 480, 64
FACE_SIZE = 32
# rendered_chairs/<model>/renders/image_001_p020_t011_r096.png: elevation p, rotation t, in degrees.
CHAIR_RENDER = re.compile(r"([^/]+)/renders/image_\d+_p(\d+)_t(\d+)_r\d+\.png$")


# Of a file that is missing, no MATLAB file, of version 7.3, truncated, or without X and y.
_MATLAB_ERRORS = (
    *(OSError, MatReadError, NotImplementedError, zlib.error),
    *(ValueError, LookupError, TypeError),
)


class ChairViews(NamedTuple):
    """Renders of chairs, sorted by model, elevation and rotation; angles in radians."""

    images: Images
    models: Int[np.ndarray, " image"]
    rotation: Float32[np.ndarray, " image"]
    elevation: Float32[np.ndarray, " image"]


class FaceViews(NamedTuple):
    """Renders of faces, and the factors that are known of them, in the order of `names`."""

    images: Images
    names: tuple[str, ...]
    factors: Float32[np.ndarray, "image factor"]


def read_svhn(path: Path) -> tuple[Images, UInt8[np.ndarray, " image"]]:
    """Images and digits of `train_32x32.mat`, `test_32x32.mat` or `extra_32x32.mat`.

    The file holds X [height, width, channel, image] and y, in which the digit 0 is written 10.
    """
    try:
        contents = loadmat(path, appendmat=False, variable_names=["X", "y"])
        pixels, digits = contents["X"], contents["y"]
    except _MATLAB_ERRORS as error:
        raise InfoGANError(f"{path}: expected a MATLAB 5 file with X and y ({error!r})") from error
    num_images = pixels.shape[-1]
    if pixels.dtype != np.uint8 or pixels.shape != (SVHN_SIZE, SVHN_SIZE, 3, num_images):
        raise InfoGANError(f"{path}: X is {pixels.dtype} {pixels.shape}, expected uint8 32x32x3xN")
    if digits.shape != (num_images, 1) or digits.min() < 1 or digits.max() > 10:
        raise InfoGANError(f"{path}: y is {digits.shape}, expected a digit from 1 to 10 per image")
    return np.ascontiguousarray(pixels.transpose(3, 2, 0, 1)), (digits[:, 0] % 10).astype(np.uint8)


def celeba_names(partition: Path, part: int) -> list[str]:
    """Files of a part in `list_eval_partition.txt`: 0 training, 1 validation, 2 test."""
    rows = _rows(partition, columns=2)
    return [name for name, where in rows if where == str(part)]


def read_celeba_images(archive: Path, names: Sequence[str]) -> Images:
    """Images of `img_align_celeba.zip`, cropped to the central CELEBA_CROP square, 32x32 colour."""
    images = np.empty((len(names), 3, CELEBA_SIZE, CELEBA_SIZE), dtype=np.uint8)
    try:
        with zipfile.ZipFile(archive) as files:
            for i, name in enumerate(names):
                contents = files.read(f"img_align_celeba/{name}")
                pixels = _square(contents, "RGB", CELEBA_CROP, CELEBA_SIZE)
                images[i] = pixels.transpose(2, 0, 1)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, UnidentifiedImageError) as error:
        raise InfoGANError(f"{archive}: expected a zip of aligned JPEG files ({error})") from error
    return images


def read_celeba_attributes(
    path: Path, names: Sequence[str]
) -> tuple[tuple[str, ...], UInt8[np.ndarray, "image attribute"]]:
    """Names of the attributes in `list_attr_celeba.txt`, and which of them each image has.

    The file's first line is the number of images, its second the attributes' names; 1 is yes and -1
    no.
    """
    lines = _lines(path)
    attributes = tuple(lines[1].split()) if len(lines) > 1 else ()
    given = {row[0]: row[1:] for row in (line.split() for line in lines[2:]) if row}
    table = [given.get(name, []) for name in names]
    if any(len(row) != len(attributes) or not set(row) <= {"1", "-1"} for row in table):
        raise InfoGANError(f"{path}: expected {len(attributes)} values 1 or -1 for every image")
    return attributes, (np.array(table) == "1").astype(np.uint8).reshape(len(names), -1)


def read_chairs(archive: Path) -> ChairViews:
    """All renders in `rendered_chairs.tar`, from its central CHAIR_CROP square, 64x64 grey.

    Models are numbered in the order of their names. There are 1,393 of them, each from 31 sides and
    two heights.
    """
    found = {}
    try:
        with tarfile.open(archive) as files:
            for member in files:
                match = CHAIR_RENDER.search(member.name)
                file = files.extractfile(member) if match and member.isreg() else None
                if match and file:
                    model, elevation, rotation = match.groups()
                    pixels = _square(file.read(), "L", CHAIR_CROP, CHAIR_SIZE)
                    found[model, int(elevation), int(rotation)] = pixels
    except (OSError, ValueError, tarfile.TarError, UnidentifiedImageError) as error:
        raise InfoGANError(f"{archive}: expected a tar of rendered chairs ({error})") from error
    if not found:
        raise InfoGANError(f"{archive}: holds no <model>/renders/image_*_p*_t*_r*.png")
    keys = sorted(found)
    models = sorted({model for model, _, _ in keys})
    degrees = np.array([(rotation, elevation) for _, elevation, rotation in keys], np.float32)
    return ChairViews(
        images=np.stack([found[key] for key in keys])[:, np.newaxis],
        models=np.array([models.index(model) for model, _, _ in keys]),
        rotation=np.deg2rad((degrees[:, 0] + 180) % 360 - 180),
        elevation=np.deg2rad(degrees[:, 1]),
    )


def read_faces(folder: Path) -> FaceViews:
    """Renders of a face model that a person has put into a folder, 32x32 grey, whole and square.

    The folder's `faces.csv` lists them: a column `file`, relative to the folder, and one column per
    known factor, such as `azimuth`, `elevation` and `light` in radians.
    """
    path = folder / "faces.csv"
    rows = list(csv.DictReader(_lines(path)))
    if not rows or "file" not in rows[0]:
        raise InfoGANError(f"{path}: expected a column `file` and one per factor, and some rows")
    names = tuple(name for name in rows[0] if name != "file")
    images = np.empty((len(rows), 1, FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    factors = np.empty((len(rows), len(names)), dtype=np.float32)
    for i, row in enumerate(rows):
        try:
            images[i, 0] = _square((folder / row["file"]).read_bytes(), "L", None, FACE_SIZE)
            factors[i] = [float(row[name]) for name in names]
        except (OSError, TypeError, ValueError, UnidentifiedImageError) as error:
            raise InfoGANError(f"{path}: row {i + 1} has no square picture ({error})") from error
    if not np.isfinite(factors).all():
        raise InfoGANError(f"{path}: expected a finite number for every factor")
    return FaceViews(images, names, factors)


def _square(contents: bytes, mode: str, crop: int | None, size: int) -> UInt8[np.ndarray, "..."]:
    """A picture's central square of `crop` pixels, or the whole, brought to `size` pixels."""
    with Image.open(io.BytesIO(contents), formats=("PNG", "JPEG")) as picture:
        width, height = picture.size
        if crop is None and width != height:
            raise ValueError(f"{width} x {height} pixels")
        side = crop or width
        if side > min(width, height):
            raise ValueError(f"{width} x {height} pixels, expected at least {side} x {side}")
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        resized = picture.convert(mode).resize((size, size), Image.Resampling.BOX, box=box)
        return np.array(resized)


def _rows(path: Path, columns: int) -> list[list[str]]:
    """The lines of a text file with so many words each."""
    rows = [line.split() for line in _lines(path) if line.strip()]
    if not rows or any(len(row) != columns for row in rows):
        raise InfoGANError(f"{path}: expected {columns} words in every line")
    return rows


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InfoGANError(f"{path}: cannot be read ({error})") from error
