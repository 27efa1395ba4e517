"""Arrays on disk, as `.npy` files that end in the CRC-32 of what comes before.

`np.load` reads them too: it stops where the array ends.
"""

import io
import zlib
from pathlib import Path

import numpy as np

from infogan.writing import write_file

CHECKSUM_BYTES = 4


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array, whole or not at all; the same array gives the same bytes."""
    encoded = io.BytesIO()
    np.save(encoded, array, allow_pickle=False)
    contents = encoded.getvalue()
    write_file(path, contents + _checksum(contents))


def load_array(path: Path) -> np.ndarray:
    """Read what `save_array` wrote; ValueError names a file that was changed."""
    contents = path.read_bytes()
    if contents[-CHECKSUM_BYTES:] != _checksum(contents[:-CHECKSUM_BYTES]):
        raise ValueError(f"{path}: its checksum is wrong: the file was changed")
    loaded: np.ndarray = np.load(io.BytesIO(contents), allow_pickle=False)
    return loaded


def _checksum(contents: bytes) -> bytes:
    return zlib.crc32(contents).to_bytes(CHECKSUM_BYTES, "big")
