"""Readers of the paper's other data sets, SVHN, CelebA, Chairs and Faces, as they are published.

Nothing in a file is run: MATLAB files are of version 5, pictures PNG or JPEG, the rest text. What
the paper does not say is ours: crops are central squares, and what is larger than the network's
images is averaged over the area of each pixel. JPEG decoders may differ by single grey levels.
Where a picture is transparent, it lies on the background that the others have. Every reader takes
files gzipped or not. Of files with a published checksum, SVHN's and CelebA's, nothing is checked
again; of the others an InfoGANError names the file and what was expected of it.
"""

import csv
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import ExifTags, Image

from infogan.base.dataset import SplitName
from infogan.base.errors import InfoGANError
from infogan.datasets import lookup
from infogan.download.sources import open_raw, stream_raw

Images = UInt8[np.ndarray, "image channel height width"]
Labels = UInt8[np.ndarray, " image"]
Factors = Float32[np.ndarray, "image factor"]
Arrays = tuple[Images, Labels] | tuple[Images, Factors]
RawFiles = Mapping[str, Path]

# Where the publisher names no test images: one in so many, of rows or of models.
TEST_SHARE = 10

# Of 178 x 218 pixels: chin to hair, as wide as the eyes, nose and hair need.
CELEBA_CROP, CELEBA_SIZE = 148, 32
# Of 600 x 600 pixels, most of which are white.
CHAIR_CROP, CHAIR_SIZE = 480, 64
CHAIR_BACKGROUND, FACE_BACKGROUND = 255, 0  # of published renders; ours, as of the stand-in
FACE_SIZE = 32
# rendered_chairs/<model>/renders/image_001_p020_t011_r096.png: elevation p, rotation t, in degrees.
CHAIR_RENDER = re.compile(r"([^/]+)/renders/image_\d+_p(\d+)_t(\d+)_r\d+\.png$")


@contextmanager
def expecting(path: Path, what: str) -> Iterator[None]:
    """Whatever is raised while a file is read becomes an InfoGANError of what was expected of it.

    Pillow raises errors of nearly every kind for files that are damaged.
    """
    try:
        yield
    except Exception as error:
        raise InfoGANError(f"{path}: expected {what} ({error})") from error


def read_svhn(files: RawFiles, split: SplitName) -> Arrays:
    """One split of SVHN's cropped digits; the 531,131 extra ones are not used.

    A file holds X [height, width, channel, image] and y, in which the digit 0 is written 10.
    """
    from scipy.io import loadmat

    with stream_raw(files[f"{split}_32x32.mat"]) as file:
        contents = loadmat(file, variable_names=["X", "y"])
    return contents["X"].transpose(3, 2, 0, 1), (contents["y"][:, 0] % 10).astype(np.uint8)


def read_celeba(files: RawFiles, split: SplitName) -> Arrays:
    """CelebA's own training or test images with their attributes; its validation part is left.

    Images are the central CELEBA_CROP squares, 32x32 colour. The list of attributes starts with the
    number of images and the attributes' names; 1 is yes and -1 no.
    """
    part = {"train": "0", "test": "2"}[split]
    rows = [line.split() for line in _lines(files["list_eval_partition.txt"])]
    names = [name for name, where in rows if where == part]
    _, listed, *lines = _lines(files["list_attr_celeba.txt"])
    if listed.split() != [factor.name for factor in lookup("celeba").factors]:
        raise InfoGANError(f"{files['list_attr_celeba.txt']}: lists {listed}: correct the registry")
    given = {name: values for name, *values in map(str.split, lines)}
    attributes = np.array([given[name] for name in names]) == "1"
    images = np.empty((len(names), 3, CELEBA_SIZE, CELEBA_SIZE), dtype=np.uint8)
    with stream_raw(files["img_align_celeba.zip"]) as stream, zipfile.ZipFile(stream) as archive:
        for image, name in zip(images, names, strict=True):
            contents = archive.read(f"img_align_celeba/{name}")
            pixels = _square(name, contents, "RGB", CELEBA_CROP, CELEBA_SIZE)
            image[:] = pixels.transpose(2, 0, 1)
    return images, attributes.astype(np.float32)


def read_chairs(files: RawFiles, split: SplitName) -> Arrays:
    """Renders of nine models in ten, or of the tenth, with rotation and elevation in radians.

    From the central CHAIR_CROP square, 64x64 grey, in the order of the models' names, elevation and
    rotation. There are 1,393 models, each from 31 sides and two heights.
    """
    archive = files["rendered_chairs.tar"]
    found: dict[tuple[str, int, int], np.ndarray] = {}
    with expecting(archive, "a tar of rendered chairs"), tarfile.open(archive) as tar:
        renders = [(CHAIR_RENDER.search(member.name), member) for member in tar]
        models = sorted({match[1] for match, _ in renders if match})
        chosen = {model for number, model in enumerate(models) if _is_of(split, number)}
        for match, member in renders:
            if match and match[1] in chosen and (file := tar.extractfile(member)):
                square = CHAIR_CROP, CHAIR_SIZE, CHAIR_BACKGROUND
                pixels = _square(member.name, file.read(), "L", *square)
                found[match[1], int(match[2]), int(match[3])] = pixels
    if not models:
        raise InfoGANError(f"{archive}: holds no <model>/renders/image_*_p*_t*_r*.png")
    keys = sorted(found)
    degrees = np.array([(t, p) for _, p, t in keys], np.float32).reshape(-1, 2)
    degrees[:, 0] = (degrees[:, 0] + 180) % 360 - 180
    images = [found[key] for key in keys]
    return np.array(images, np.uint8).reshape(-1, 1, CHAIR_SIZE, CHAIR_SIZE), np.deg2rad(degrees)


def read_faces(files: RawFiles, split: SplitName) -> Arrays:
    """Nine in ten of the renders that a person lists in a file, or the tenth; 32x32 grey, square.

    The list has a column `file`, relative to the list's folder, and one column for every factor of
    the data set, in radians.
    """
    path = files["faces.csv"]
    names = [factor.name for factor in lookup("faces").factors]
    with expecting(path, f"rows under columns file, {', '.join(names)}"):
        rows = list(csv.DictReader(_lines(path)))
        if not rows or not {"file", *names} <= rows[0].keys():
            raise ValueError("no row, or a column is missing")
    chosen = [number for number in range(len(rows)) if _is_of(split, number)]
    images = np.empty((len(chosen), 1, FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    factors = np.empty((len(chosen), len(names)), dtype=np.float32)
    for i, number in enumerate(chosen):
        row = rows[number]
        with expecting(path, f"a square picture and a number for each factor in row {number + 1}"):
            if None in row:
                raise ValueError("more values than columns")
            contents = (path.parent / row["file"]).read_bytes()
            images[i, 0] = _square(row["file"], contents, "L", None, FACE_SIZE, FACE_BACKGROUND)
            factors[i] = [float(row[name]) for name in names]
    return images, factors


def _is_of(split: SplitName, number: int) -> bool:
    """Whether a row or a model belongs to a split: the last of every TEST_SHARE is for testing."""
    return (number % TEST_SHARE == TEST_SHARE - 1) == (split == "test")


def _square(
    name: str, contents: bytes, mode: str, crop: int | None, size: int, background: int = 0
) -> UInt8[np.ndarray, "..."]:
    """A picture's central square of `crop` pixels, or the whole, brought to `size` pixels.

    Where it is transparent, it lies on an even grey. ValueError names what is no such picture.
    """
    try:
        with Image.open(io.BytesIO(contents), formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
            side = crop or width
            if side > min(width, height) or (crop is None and width != height):
                wanted = f"at least {crop} x {crop}" if crop else "a square"
                raise ValueError(f"{width} x {height} pixels, expected {wanted}")
            if crop is None and picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                raise ValueError("turned by its EXIF data; save it upright")
            # Pillow compares a transparent colour of other than 8 bits with what it made of it.
            keyed = "transparency" in picture.info and picture.mode != "P"
            if keyed or picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
                what = f"mode {picture.mode}{' with a transparent colour' if keyed else ''}"
                cure = "as grey or RGB of 8 bits, with an alpha channel if it is transparent"
                raise ValueError(f"{what}; save it {cure}")
            if picture.has_transparency_data:
                even = Image.new("RGBA", picture.size, (background, background, background, 255))
                opaque = Image.alpha_composite(even, picture.convert("RGBA")).convert(mode)
            else:
                opaque = picture.convert(mode)
            left, top = (width - side) // 2, (height - side) // 2
            box = (left, top, left + side, top + side)
            return np.array(opaque.resize((size, size), Image.Resampling.BOX, box=box))
    except Exception as error:
        raise ValueError(f"{name}: {error}") from error


def _lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8, however they end."""
    return open_raw(path).decode("utf-8-sig").splitlines()
