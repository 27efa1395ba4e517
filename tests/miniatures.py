"""Raw files in the true formats of the paper's data sets, with a few random pictures in them."""

import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from scipy.io import savemat

from infogan.datasets.celeba import CELEBA_ATTRIBUTES
from tests.toy_data import PREFIXES, idx_bytes

NUM = {"train": 60, "test": 60}


def picture_bytes(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """A picture file of grey or colour pixels."""
    contents = io.BytesIO()
    Image.fromarray(pixels).save(contents, kind)
    return contents.getvalue()


def tar_bytes(files: Iterable[tuple[str, bytes]], kind: Literal["w", "w:gz"] = "w") -> bytes:
    """A tar of these files, gzipped or not."""
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode=kind) as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return contents.getvalue()


def write_idx(folder: Path) -> None:
    """MNIST's or Fashion-MNIST's four files, with every class in both splits."""
    rng = np.random.default_rng(0)
    for split, prefix in PREFIXES.items():
        images = rng.integers(0, 256, (NUM[split], 28, 28), dtype=np.uint8)
        labels = (np.arange(NUM[split]) % 10).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))


def write_svhn(folder: Path) -> None:
    """SVHN's two files of cropped digits."""
    rng = np.random.default_rng(0)
    for split, num in NUM.items():
        pixels = rng.integers(0, 256, (32, 32, 3, num), dtype=np.uint8)
        digits = (np.arange(num) % 10 + 1).astype(np.uint8)[:, None]
        savemat(folder / f"{split}_32x32.mat", {"X": pixels, "y": digits}, do_compression=True)


def write_celeba(folder: Path) -> None:
    """CelebA's zip of aligned images, its partition and its attributes."""
    rng = np.random.default_rng(0)
    names = [f"{number:06}.jpg" for number in range(1, sum(NUM.values()) + 5)]
    parts = [0] * NUM["train"] + [1] * 4 + [2] * NUM["test"]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for name in names:
            pixels = rng.integers(0, 256, (218, 178, 3), dtype=np.uint8)
            archive.writestr(f"img_align_celeba/{name}", picture_bytes(pixels, "JPEG"))
    rows = [f"{name} {part}" for name, part in zip(names, parts, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(rows) + "\n")
    header = " ".join(factor.name for factor in CELEBA_ATTRIBUTES)
    values = rng.choice(["-1", " 1"], (len(names), len(CELEBA_ATTRIBUTES)))
    rows = [f"{name} {' '.join(row)}" for name, row in zip(names, values, strict=True)]
    text = "\n".join([str(len(names)), header, *rows]) + "\n"
    (folder / "list_attr_celeba.txt").write_text(text)


def write_chairs(folder: Path) -> None:
    """The tar of rendered chairs: ten models, two heights, two sides."""
    rng = np.random.default_rng(0)
    files = {}
    for model in range(10):
        for elevation, rotation in ((20, 11), (20, 197), (30, 11), (30, 348)):
            pixels = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8).repeat(10, 0)
            data = picture_bytes(pixels.repeat(10, 1))
            view = f"image_000_p{elevation:03}_t{rotation:03}_r096.png"
            files[f"rendered_chairs/model{model}/renders/{view}"] = data
    (folder / "rendered_chairs.tar").write_bytes(tar_bytes(files.items()))


def write_faces(folder: Path, num: int = 40) -> None:
    """A person's renders and the list of them."""
    rng = np.random.default_rng(0)
    (folder / "renders").mkdir()
    rows = ["file,azimuth,elevation,light"]
    for number in range(num):
        pixels = rng.integers(0, 256, (64, 64), dtype=np.uint8)
        (folder / "renders" / f"{number}.png").write_bytes(picture_bytes(pixels))
        angles = ",".join(f"{angle:.4f}" for angle in rng.uniform(-1.5, 1.5, 3))
        rows.append(f"renders/{number}.png,{angles}")
    (folder / "faces.csv").write_text("\n".join(rows) + "\n")


WRITERS = {
    "mnist": write_idx,
    "fashion_mnist": write_idx,
    "svhn": write_svhn,
    "celeba": write_celeba,
    "chairs": write_chairs,
    "faces": write_faces,
    **dict.fromkeys(["heads", "seats"], lambda folder: None),  # which are rendered
}
