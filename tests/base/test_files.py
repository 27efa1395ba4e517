import errno
import os

import numpy as np
import pytest

from infogan.base.errors import InfoGANError, explain
from infogan.base.files import load_array, save_array, write_file


@pytest.mark.parametrize("contents", [b"\x00\xff", "zwölf\n", b""])
def test_a_file_is_written_with_its_folders(tmp_path, contents):
    path = tmp_path / "a" / "b" / "file"
    write_file(path, contents)
    assert path.read_bytes() == (contents.encode() if isinstance(contents, str) else contents)
    assert [file.name for file in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("step", ["pathlib.Path.write_bytes", "os.replace"])
def test_what_is_interrupted_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, step):
    def stop(path, contents):
        if step != "os.replace":
            path.touch()
        raise KeyboardInterrupt

    write_file(tmp_path / "file", "earlier")
    monkeypatch.setattr(step, stop)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", "later")
    assert (tmp_path / "file").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_cannot_be_written_is_named_with_reason_and_cure(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InfoGANError) as refused:
        write_file(tmp_path / "file" / "below", "later")
    assert str(refused.value).startswith(f"cannot write {tmp_path}/file/below: Not a directory; ")


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "free some space there"),
        (errno.EACCES, "make it accessible or choose another folder"),
        (errno.EIO, "check the path, its space and its permissions"),
    ],
)
def test_each_error_of_the_system_has_its_cure(number, cure):
    line = explain(OSError(number, os.strerror(number)), "runs/x")
    assert line.startswith(f"runs/x: {os.strerror(number)}; {cure}")
    assert line.endswith(" and run again")


ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.linspace(0, 1, 5),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.zeros((0, 3), np.uint8),
]


@pytest.mark.parametrize("array", ARRAYS)
def test_an_array_comes_back_as_it_was(tmp_path, array):
    save_array(tmp_path / "a.npy", array)
    for loaded in (load_array(tmp_path / "a.npy"), np.load(tmp_path / "a.npy")):
        np.testing.assert_array_equal(loaded, array)
        assert loaded.dtype == array.dtype


def test_an_array_that_was_changed_or_cut_off_is_noticed(tmp_path):
    path = tmp_path / "a.npy"
    save_array(path, ARRAYS[0])
    sound = path.read_bytes()
    flipped = [bytearray(sound) for _ in sound]
    for position, contents in enumerate(flipped):
        contents[position] ^= 1 << position % 8
    # The last is what NumPy writes, without a checksum.
    for contents in (*flipped, b"", sound[:3], sound[:50], sound[:-1], sound[:-4]):
        path.write_bytes(contents)
        with pytest.raises(ValueError, match=r"a\.npy: its checksum is wrong"):
            load_array(path)
