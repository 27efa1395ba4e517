import gzip
import os
import random
import sys
from dataclasses import replace

import pytest

from infogan.base.errors import InfoGANError
from infogan.download import sources
from infogan.download.sources import SourceError, obtain, open_raw
from tests.toy_data import TOY, toy_files, toy_from, write_raw

TRAIN_IMAGES = "train-images-idx3-ubyte"


def silent(message):
    pass


def gives_all(package, folder):
    write_raw(folder / "deep" / "inside", zipped=True)


def gives_plain(package, folder):
    write_raw(folder)


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


def breaks_off(package, folder, error: type[BaseException] = OSError):
    gives_one(package, folder)
    (folder / "train-labels-idx1-ubyte").write_bytes(b"half")
    raise error("connection reset")


def is_interrupted(package, folder):
    breaks_off(package, folder, KeyboardInterrupt)


GIVING = (gives_all, gives_plain, gives_one, gives_wrong_bytes, gives_truncated_gzip, gives_nothing)
FETCHERS = {each.__name__: each for each in (*GIVING, has_no_network, breaks_off, is_interrupted)}


def obtained(folder, *names, progress=silent):
    """Where the toy's files lie, with these sources."""
    chain = toy_from(*(f"{name}:x" for name in names))
    return obtain("toy", chain, folder, progress, FETCHERS)


def contents_of(paths):
    return {name: open_raw(path) for name, path in paths.items()}


# What a person has: names as elsewhere, an archive's folders, other files beside.
NAMES = {
    "as published": lambda name: name,
    "gz": lambda name: f"{name}.gz",
    "dots": lambda name: name.replace("-idx", ".idx"),
    "dots, gz": lambda name: f"{name.replace('-idx', '.idx')}.gz",
    "gz that does not say so": lambda name: name.replace("-", "_"),
    "plain that says gz": lambda name: f"{name}.gz",
    "capitals": lambda name: f"{name.upper()}.GZ",
    "in a folder of its name": lambda name: f"{name}/{name}",
    "two folders deep": lambda name: f"archive/{name.replace('-idx', '.idx')}/data",
}
ZIPPED = ("gz", "dots, gz", "gz that does not say so", "capitals")


def tree(folder):
    """Everything below a folder: names, contents and times of change."""
    return {
        path: (path.is_file() and path.read_bytes(), path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def put(folder, kind, seed=0):
    """The toy's files under names of this kind, written in some order, among others."""
    files = list(toy_files().items())
    random.Random(seed).shuffle(files)
    for name, contents in files:
        path = folder / NAMES[kind](name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(contents) if kind in ZIPPED else contents)
    (folder / "README.txt").write_text("of another")
    (folder / "empty").touch()
    (folder / "loop").symlink_to(folder)
    (folder / "nothing").symlink_to("nothing")
    (folder / os.fsdecode(b"!\xff\n")).write_text("no name that can be shown")


@pytest.mark.parametrize("kind", NAMES)
def test_a_persons_files_are_found_by_their_bytes_and_left_as_they_are(tmp_path, kind):
    put(tmp_path / "toy", kind)
    before = tree(tmp_path / "toy")
    paths = obtained(tmp_path, "is_interrupted")
    assert contents_of(paths) == toy_files()
    assert tree(tmp_path / "toy") == before


def test_files_beside_the_data_sets_folder_are_taken_before_any_source(tmp_path):
    write_raw(tmp_path, zipped=True)
    assert contents_of(obtained(tmp_path, "is_interrupted")) == toy_files()


def test_other_names_beside_the_data_sets_folder_are_left_alone(tmp_path):
    put(tmp_path, "dots")
    with pytest.raises(InfoGANError, match="no source gave 4 of its 4 files"):
        obtained(tmp_path)


def test_what_is_fetched_goes_around_what_a_person_put_in_its_way(tmp_path):
    (tmp_path / "toy").mkdir()
    gives_wrong_bytes("", tmp_path / "toy")
    (tmp_path / "toy" / "train-labels-idx1-ubyte").unlink()
    (tmp_path / "toy" / "train-labels-idx1-ubyte").symlink_to("nothing")
    before = tree(tmp_path / "toy")
    lines = []
    paths = obtained(tmp_path, "gives_plain", progress=lines.append)
    assert f"toy: ignored '{tmp_path / 'toy' / 't10k'}" in lines[0]
    assert contents_of(paths) == toy_files()
    assert before.items() <= tree(tmp_path / "toy").items()
    # Nothing is fetched again but what was damaged, also where earlier versions left it.
    paths[TRAIN_IMAGES].write_bytes(b"damaged")
    assert obtained(tmp_path, "gives_one", progress=lines.append) == paths
    assert contents_of(obtained(tmp_path)) == toy_files()
    (tmp_path / "toy" / "fetched").rename(tmp_path / "toy" / "fetched-1")
    assert contents_of(obtained(tmp_path)) == toy_files()


def test_a_truncated_gzip_beside_a_good_file_does_no_harm(tmp_path):
    write_raw(tmp_path / "toy")
    gives_truncated_gzip("", tmp_path / "toy")
    lines = []
    assert contents_of(obtained(tmp_path, progress=lines.append)) == toy_files()
    assert not [line for line in lines if "ignored" in line]


def test_a_file_without_a_checksum_is_told_by_its_name_in_any_case(tmp_path):
    listed = replace(TOY, files={"Table.csv": None})
    folder = tmp_path / "toy" / "from elsewhere"
    folder.mkdir(parents=True)
    (folder / "other.csv").write_text("other")
    with pytest.raises(
        InfoGANError, match=r"other\.csv': 5 bytes .*expected one of Table\.csv.*: Table\.csv$"
    ):
        obtain("toy", listed, tmp_path, silent, FETCHERS)
    (folder / "TABLE.CSV").write_text("this")
    lines = []
    paths = obtain("toy", listed, tmp_path, lines.append)
    assert paths == {"Table.csv": folder / "TABLE.CSV"}
    assert any("its checksum is not published" in line for line in lines)


def test_the_error_names_what_was_seen_and_what_was_expected(tmp_path):
    put(tmp_path / "toy", "dots")
    for number in range(200):
        (tmp_path / "toy" / f"{number:03}.png").write_bytes(b"picture")
    (tmp_path / "toy" / "train-images.idx3-ubyte").write_bytes(b"")
    with pytest.raises(InfoGANError) as failure:
        obtained(tmp_path)
    message = str(failure.value)
    assert f"{str(tmp_path / 'toy' / '000.png')!r}: 7 bytes with MD5" in message
    assert "more files" in message
    assert message.count(".png") == 9
    # Also a name that cannot be shown, or has lines.
    assert message.encode().isascii()
    assert "\n" not in message
    assert r"!\udcff\n': 25 bytes" in message
    assert f"{TRAIN_IMAGES} (MD5 {TOY.files[TRAIN_IMAGES]})" in message


def test_of_many_files_under_other_names_only_the_first_are_read(tmp_path, monkeypatch):
    put(tmp_path / "toy", "dots")
    monkeypatch.setattr(sources, "_MOST_OTHERS", 7)
    assert len(obtained(tmp_path)) == 4
    monkeypatch.setattr(sources, "_MOST_OTHERS", 2)  # those whose names are first, and are others
    with pytest.raises(InfoGANError, match="no source gave 4 of its 4 files"):
        obtained(tmp_path)
    (tmp_path / "toy" / "train-images.idx3-ubyte").rename(tmp_path / "toy" / TRAIN_IMAGES)
    with pytest.raises(InfoGANError, match="no source gave 3 of its 4 files"):
        obtained(tmp_path)


def test_what_may_not_be_read_is_named_and_the_rest_taken(tmp_path):
    put(tmp_path / "toy", "dots")
    hidden = tmp_path / "toy" / "train-images.idx3-ubyte"
    hidden.chmod(0)
    if os.access(hidden, os.R_OK):
        pytest.skip("the superuser may read everything")
    with pytest.raises(InfoGANError, match=r"1 of its 4.*train-images\.idx3-ubyte': .*denied"):
        obtained(tmp_path)


def test_sources_are_tried_in_order_until_all_files_are_there(tmp_path):
    lines, chain = [], ("has_no_network", "gives_one", "gives_all", "is_interrupted")
    paths = obtained(tmp_path, *chain, progress=lines.append)
    assert contents_of(paths) == toy_files()
    assert lines[:2] == [
        "toy: trying has_no_network:x ...",
        "toy: has_no_network:x failed (x: name not known)",
    ]
    assert paths[TRAIN_IMAGES].name == TRAIN_IMAGES  # from the second source, not the third's .gz


def test_of_bad_sources_nothing_is_kept_and_the_error_names_every_attempt_and_the_cure(tmp_path):
    bad = ("has_no_network", "gives_wrong_bytes", "gives_truncated_gzip", "gives_nothing")
    with pytest.raises(InfoGANError) as failure:
        obtained(tmp_path, *bad)
    message = str(failure.value)
    assert "has_no_network:x: x: name not known" in message
    assert f"gives_wrong_bytes:x: t10k-images-idx3-ubyte: {16 + 4 * 3 * 5} bytes" in message
    assert "gives_truncated_gzip:x: t10k-images-idx3-ubyte.gz: truncated" in message
    assert f"gives_nothing:x: does not hold {TRAIN_IMAGES}" in message
    assert f"into {tmp_path / 'toy'}" in message
    assert all(f"{name} (MD5 {md5})" in message for name, md5 in TOY.files.items())
    assert "\n" not in message
    assert list((tmp_path / "toy" / "fetched").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "ends_in"), [("breaks_off", InfoGANError), ("is_interrupted", KeyboardInterrupt)]
)
def test_an_interrupted_download_keeps_whole_files_only(tmp_path, source, ends_in):
    with pytest.raises(ends_in):
        obtained(tmp_path, source)
    assert [path.name for path in (tmp_path / "toy" / "fetched").iterdir()] == [TRAIN_IMAGES]


def test_a_raw_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "raw").write_text("a file where the folder should be")
    with pytest.raises(InfoGANError, match=r"gives_all:x: .*raw"):
        obtained(tmp_path / "raw", "gives_all")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ((sys.executable, "-c", "import time; time.sleep(60)"), "did not end within 1 seconds"),
        (("no-such-program",), "no-such-program is not installed"),
        ((sys.executable, "-c", "raise SystemExit('not today')"), "not today"),
    ],
)
def test_a_program_that_hangs_is_missing_or_fails_says_so(tmp_path, command, reason):
    with pytest.raises(SourceError, match=reason):
        sources._run(*command, folder=tmp_path, seconds=1)


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
