"""Outputs on disk: each file whole or not at all, whatever happens while it is written.

Arrays are `.npy` files that end in the CRC-32 of what comes before; `np.load` reads them too, since
it stops where the array ends.
"""

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from infogan.base.errors import InfoGANError, explain


def write_file(path: Path, contents: bytes | str) -> None:
    """Write a file as `whole_file` does; text is UTF-8."""
    with whole_file(path) as temporary:
        temporary.write_bytes(contents.encode() if isinstance(contents, str) else contents)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write under, in a folder made if need be; renamed to `path` at the end.

    Readers see the earlier file or the new one. An InfoGANError says what could not be written,
    why, and what to do; the earlier file, if any, then stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with suppress(FileExistsError):  # a file: writing then says that it is no folder
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InfoGANError(f"cannot write {explain(error, path)}") from error


CHECKSUM_BYTES = 4


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array, whole or not at all; the same array gives the same bytes."""
    encoded = io.BytesIO()
    np.save(encoded, array, allow_pickle=False)
    contents = encoded.getvalue()
    write_file(path, contents + _checksum(contents))


def load_array(path: Path) -> np.ndarray:
    """Read what `save_array` wrote; ValueError names a file that was changed."""
    return parse_array(path.read_bytes(), str(path))


def parse_array(contents: bytes, name: str) -> np.ndarray:
    """The array in the bytes of such a file; ValueError, with its name, where they were changed."""
    if contents[-CHECKSUM_BYTES:] != _checksum(contents[:-CHECKSUM_BYTES]):
        raise ValueError(f"{name}: its checksum is wrong: the file was changed")
    loaded: np.ndarray = np.load(io.BytesIO(contents), allow_pickle=False)
    return loaded


def _checksum(contents: bytes) -> bytes:
    return zlib.crc32(contents).to_bytes(CHECKSUM_BYTES, "big")
