"""What a person can cause and cure, in one line each."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

CURES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "make it writable or choose another folder",
    errno.EACCES: "make it accessible or choose another folder",
    errno.EPERM: "make it accessible or choose another folder",
}


class InfoGANError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do."""


def explain(error: OSError, path: Path | str) -> str:
    """One line for what the system refused at `path`."""
    cure = CURES.get(error.errno or 0, "check the path, its space and its permissions")
    reason = error.strerror or " ".join(str(error).split())
    return f"{path}: {reason}; {cure} and run again"


def end_in_one_line(main: Callable[[], None]) -> None:
    """Run a command; an InfoGANError ends it with its one line and status 1."""
    try:
        main()
    except InfoGANError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
