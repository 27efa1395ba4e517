"""Git, whose own reason ends a command where it refuses."""

import subprocess
from pathlib import Path

from infogan.base.errors import InfoGANError


def git(*arguments: str, folder: Path = Path()) -> bytes:
    """What a Git command prints; an InfoGANError says in one line why it could not."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise InfoGANError(f"git: {' '.join(done.stderr.decode().split())}")
    return done.stdout


def head(folder: Path = Path()) -> str:
    """The commit that is checked out."""
    return git("rev-parse", "HEAD", folder=folder).decode().strip()


def refs_of(commit: str) -> str:
    """Where DVC keeps the refs of the experiments that are based on a commit."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}"


def bundle(*revisions: str) -> bytes:
    """Revisions of the repository that this is in, as a Git bundle."""
    # In a folder below its top, Git 2.39 makes a file named "-".
    top = Path(git("rev-parse", "--show-toplevel").decode().strip())
    return git("bundle", "create", "--quiet", "-", *revisions, folder=top)


def refuse_shallow_clone(folder: Path = Path()) -> None:
    """DVC trains an experiment in a shallow clone and then cannot keep it, without a word."""
    if git("rev-parse", "--is-shallow-repository", folder=folder).strip() == b"true":
        raise InfoGANError(
            "this clone is shallow, and DVC keeps no experiment in one; run git fetch --unshallow"
        )
