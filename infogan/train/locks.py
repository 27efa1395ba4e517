"""Locks by which trainings know of one another; the system lifts them when a process ends."""

import fcntl
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from infogan.base.files import write_file

Say = Callable[[str], None]

SECONDS_BETWEEN_BEATS = 5.0
# A holder that has not renewed its claim for so long is on a machine that died.
SECONDS_OF_LEASE = 20.0
# How long to wait for a holder that may be about to end, or be dead.
SECONDS_TO_WAIT = 30.0


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


class Held(Exception):
    """Another process, which the message names, has the lease."""


class Lease:
    """The sole use of a folder, among the processes of all machines that share it.

    On one machine the system's lock on the file `lock` decides, which ends with its process. Other
    machines may not see that lock, or still see a dead machine's: between machines the file
    `holder` decides, which names the process and is renewed every few seconds. Raises Held where
    another goes on to hold it, OSError or ValueError where files are in the way.
    """

    def __init__(self, folder: Path, say: Say) -> None:
        self._file = folder / "holder"
        self._us = f"process {os.getpid()} on {platform.node()}"
        self._lock = open_lock(folder / "lock", create=True)
        self._is_released = threading.Event()
        try:
            self._wait(say)
            write_file(self._file, self._us)
        except BaseException:
            os.close(self._lock)
            raise
        # Where no thread is to be had, another machine may take over after a while.
        with suppress(RuntimeError):
            threading.Thread(target=self._beat, daemon=True).start()

    def is_ours(self) -> bool:
        """Whether no other has taken it over, as from a process that stood still for long."""
        return self._holder() in ("", self._us)

    def release(self) -> None:
        """Leave the folder to the next."""
        if not self._is_released.is_set():
            self._is_released.set()
            if self._holder() == self._us:
                self._file.unlink(missing_ok=True)
            os.close(self._lock)

    def _wait(self, say: Say) -> None:
        give_up, named = time.monotonic() + SECONDS_TO_WAIT, ""
        while holder := self._other():
            if time.monotonic() >= give_up:
                raise Held(holder)
            if holder != named:
                say(f"waits for {holder}, which runs the same training")
            named = holder
            time.sleep(0.2)

    def _other(self) -> str:
        """Who else holds it, "" if nobody does."""
        is_free, named = _is_free(self._lock), self._holder()
        if named and not named.endswith(f" on {platform.node()}"):
            if self._age() < SECONDS_OF_LEASE:
                return named
            if not is_free:  # a dead machine's lock, on a file system that keeps it
                self._replace_lock()
            return ""
        return "" if is_free else holder(self._lock)

    def _holder(self) -> str:
        try:
            check_regular(self._file)
            return self._file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def _age(self) -> float:
        """Seconds since the holder's last beat, both times by the file system's clock."""
        os.utime(self._lock)
        with self._file.open() as opened:  # on a network, opening asks for the time anew
            return os.fstat(self._lock).st_mtime - os.fstat(opened.fileno()).st_mtime

    def _replace_lock(self) -> None:
        path = self._file.with_name("lock")
        other = path.with_name(f".lock.{os.getpid()}.partial")
        descriptor = open_lock(other, create=True)
        _is_free(descriptor)
        os.replace(other, path)
        os.close(self._lock)
        self._lock = descriptor

    def _beat(self) -> None:
        while not self._is_released.wait(SECONDS_BETWEEN_BEATS):
            with suppress(OSError, ValueError):  # the folder may come back
                if self._holder() == self._us:
                    os.utime(self._file)
