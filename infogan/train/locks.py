"""Locks by which trainings know of one another; the system lifts them when a process ends."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

Say = Callable[[str], None]


def check_regular(path: Path) -> None:
    """ValueError for what is no plain file: a pipe would be waited for, a link be followed."""
    if not S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path.name} is no regular file")


def open_lock(path: Path, *, create: bool = False) -> int:
    """Open a lock's file as it is; OSError or ValueError where there is none."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        check_regular(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def take_lock(descriptor: int) -> bool:
    """Whether what is open is locked for this process from now on, until it is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def sole_writer(folder: Path, say: Say) -> Iterator[None]:
    """Be the only one that writes into a folder: wait for another to end, and say so.

    The lock is on the folder itself, so that it leaves nothing there. A file system that knows no
    such locks gives none.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _is_free(descriptor):
            say(f"waits for {holder(descriptor)}, which writes into {folder}")
        while not _is_free(descriptor):
            time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        return take_lock(descriptor)
    except OSError:
        return True


def holder(descriptor: int) -> str:
    """Who has locked what is open, by its process id where Linux tells it."""
    inode = str(os.fstat(descriptor).st_ino)
    try:
        locks = Path("/proc/locks").read_text(encoding="utf-8").splitlines()
    except OSError:
        locks = []
    for kind, _, _, process, file in (line.split()[1:6] for line in locks):
        if kind == "FLOCK" and file.split(":")[-1] == inode:
            return f"process {process}"
    return "another process"
