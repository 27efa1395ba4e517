import gzip
import io
import sys
import tarfile

import pytest

from infogan.base.errors import InfoGANError
from infogan.download import sources
from infogan.download.sources import SourceError, obtain, open_raw, unpack_tar
from tests.toy_data import TOY, toy_files, toy_from, write_raw

TRAIN_IMAGES = "train-images-idx3-ubyte"


def silent(message):
    pass


def gives_all(package, folder):
    write_raw(folder / "deep" / "inside", zipped=True)


def gives_one(package, folder):
    (folder / TRAIN_IMAGES).write_bytes(toy_files()[TRAIN_IMAGES])


def gives_wrong_bytes(package, folder):
    for name, contents in toy_files().items():
        (folder / name).write_bytes(contents[:-1] + b"?")


def gives_truncated_gzip(package, folder):
    for name, contents in toy_files().items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(contents)[:-9])


def gives_nothing(package, folder):
    pass


def has_no_network(package, folder):
    raise SourceError(f"{package}: name not known")


def breaks_off(package, folder):
    gives_one(package, folder)
    (folder / "train-labels-idx1-ubyte").write_bytes(b"half")
    raise OSError("connection reset")


def is_interrupted(package, folder):
    gives_one(package, folder)
    (folder / "train-labels-idx1-ubyte").write_bytes(b"half")
    raise KeyboardInterrupt


FETCHERS = {
    function.__name__: function
    for function in (
        *(gives_all, gives_one, gives_wrong_bytes, gives_truncated_gzip, gives_nothing),
        *(has_no_network, breaks_off, is_interrupted),
    )
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("folder", ["", "toy"])
def test_files_that_a_person_put_there_are_taken_before_any_source(tmp_path, folder, zipped):
    write_raw(tmp_path / folder, zipped=zipped)
    paths = obtain("toy", toy_from("is_interrupted:x"), tmp_path, silent, FETCHERS)
    assert {path.parent for path in paths.values()} == {tmp_path / folder}
    assert {name: open_raw(path) for name, path in paths.items()} == toy_files()


def test_a_source_is_asked_when_the_files_that_are_there_are_wrong(tmp_path):
    gives_wrong_bytes("", tmp_path)
    lines = []
    paths = obtain("toy", toy_from("gives_all:x"), tmp_path, lines.append, FETCHERS)
    assert {name: open_raw(path) for name, path in paths.items()} == toy_files()
    assert f"toy: ignored {tmp_path / TRAIN_IMAGES}" in lines[0]


def test_sources_are_tried_in_order_until_all_files_are_there(tmp_path):
    chain = toy_from("has_no_network:x", "gives_one:x", "gives_all:x", "is_interrupted:x")
    lines = []
    paths = obtain("toy", chain, tmp_path, lines.append, FETCHERS)
    assert {name: open_raw(path) for name, path in paths.items()} == toy_files()
    assert lines[:2] == [
        "toy: trying has_no_network:x ...",
        "toy: has_no_network:x failed (x: name not known)",
    ]
    assert paths[TRAIN_IMAGES].name == TRAIN_IMAGES  # from the second source, not the third's .gz


def test_what_was_obtained_is_not_fetched_again(tmp_path):
    first = obtain("toy", toy_from("gives_all:x"), tmp_path, silent, FETCHERS)
    assert obtain("toy", TOY, tmp_path, silent, FETCHERS) == first


def test_without_any_source_the_error_names_every_attempt_and_the_cure(tmp_path):
    chain = toy_from("has_no_network:pkg", "gives_wrong_bytes:x", "gives_nothing:y")
    with pytest.raises(InfoGANError) as failure:
        obtain("toy", chain, tmp_path, silent, FETCHERS)
    message = str(failure.value)
    assert "has_no_network:pkg: pkg: name not known" in message
    assert f"gives_wrong_bytes:x: t10k-images-idx3-ubyte: {16 + 4 * 3 * 5} bytes" in message
    assert f"gives_nothing:y: does not hold {TRAIN_IMAGES}" in message
    assert f"into {tmp_path / 'toy'}" in message
    assert all(f"{name} (MD5 {md5})" in message for name, md5 in TOY.files.items())
    assert "\n" not in message


@pytest.mark.parametrize("source", ["gives_wrong_bytes", "gives_truncated_gzip", "gives_nothing"])
def test_nothing_of_a_bad_source_is_kept(tmp_path, source):
    with pytest.raises(InfoGANError, match=f"{source}:x"):
        obtain("toy", toy_from(f"{source}:x"), tmp_path, silent, FETCHERS)
    assert list((tmp_path / "toy").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "ends_in"), [("breaks_off", InfoGANError), ("is_interrupted", KeyboardInterrupt)]
)
def test_an_interrupted_download_keeps_whole_files_only(tmp_path, source, ends_in):
    with pytest.raises(ends_in):
        obtain("toy", toy_from(f"{source}:x"), tmp_path, silent, FETCHERS)
    assert [path.name for path in (tmp_path / "toy").iterdir()] == [TRAIN_IMAGES]


def test_a_raw_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "raw").write_text("a file where the folder should be")
    with pytest.raises(InfoGANError, match=r"gives_all:x: .*raw"):
        obtain("toy", toy_from("gives_all:x"), tmp_path / "raw", silent, FETCHERS)


def test_an_archive_cannot_write_outside_its_folder(tmp_path):
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("../../escaped", f"{tmp_path}/absolute", "package/data/plain"):
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    unpack_tar(archive, folder)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    inside = {f"deep/folder/{name}" for name in ("escaped", "absolute", "plain")}
    assert written == {"package.tgz", "deep", "deep/folder"} | inside


@pytest.mark.parametrize("kept", [0, 40, -40])
def test_a_truncated_archive_is_a_failed_source(tmp_path, kept):
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("data")
        member.size = 50_000
        tar.addfile(member, io.BytesIO(bytes(range(250)) * 200))
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises((SourceError, OSError), match=r"."):
        unpack_tar(archive, tmp_path)


def test_a_program_that_hangs_is_ended_after_its_time(tmp_path):
    with pytest.raises(SourceError, match="did not end within 1 seconds"):
        sources._run(
            sys.executable, "-c", "import time; time.sleep(60)", folder=tmp_path, seconds=1
        )


def test_a_program_that_is_missing_or_fails_says_so(tmp_path):
    with pytest.raises(SourceError, match="no-such-program is not installed"):
        sources._run("no-such-program", folder=tmp_path)
    with pytest.raises(SourceError, match="not today"):
        sources._run(sys.executable, "-c", "raise SystemExit('not today')", folder=tmp_path)


STAND_IN = """
from pathlib import Path

class Whole:
    mirrors = []
    def __init__(self, folder, download):
        Path(folder, "whole").write_text(" ".join(self.mirrors))

class Halves:
    split_list = {"train": 1, "test": 1, "extra": 1}
    def __init__(self, folder, split, download):
        Path(folder, split).write_text("")
"""


def test_torchvision_is_asked_for_what_each_of_its_classes_downloads_at_once(tmp_path, monkeypatch):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("from . import datasets")
    (tmp_path / "torchvision" / "datasets.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    whole, halves = tmp_path / "a", tmp_path / "b"
    for folder in (whole, halves):
        folder.mkdir()
    sources.fetch_torchvision("Whole", whole, mirrors=["here"])
    sources.fetch_torchvision("Halves", halves)
    assert (whole / "whole").read_text() == "here"
    assert sorted(path.name for path in halves.iterdir()) == ["test", "train"]
