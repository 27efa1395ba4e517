"""One training at a time writes into a folder; the system lifts the lock when a process ends."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Say = Callable[[str], None]


@contextmanager
def sole_writer(folder: Path, say: Say) -> Iterator[None]:
    """Be the only one that writes into a folder: wait for another to end, and say so.

    The lock is on the folder itself, so that it leaves nothing there. A file system that knows no
    such locks gives none.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waits for another process, which writes into {folder}")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
