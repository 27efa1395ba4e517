"""Outputs on disk: each file whole or not at all, whatever happens while it is written."""

import os
from contextlib import suppress
from pathlib import Path

from infogan.errors import InfoGANError, explain


def write_file(path: Path, contents: bytes | str) -> None:
    """Write a file under a temporary name beside it, then rename it; text is UTF-8.

    Readers see the earlier file or the new one. An InfoGANError says what could not be written,
    why, and what to do; the earlier file, if any, then stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with suppress(FileExistsError):  # a file: writing then says that it is no folder
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(contents.encode() if isinstance(contents, str) else contents)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InfoGANError(f"cannot write {explain(error, path)}") from error
