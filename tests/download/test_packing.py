import re

import numpy as np
import pytest
from sklearn.datasets import load_digits

from infogan.base.dataset import SPLITS
from infogan.base.errors import InfoGANError
from infogan.base.packed import load_split
from infogan.datasets import lookup
from infogan.download.packing import enlarge_digits, parse_idx, prepare
from infogan.download.sources import FETCHERS
from tests.miniatures import write_faces
from tests.toy_data import TOY, register, toy_from, write_raw


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    register(monkeypatch, "toy", TOY)


def packed_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_packed_files_are_byte_identical_whatever_the_source(tmp_path, monkeypatch):
    def mirror(package, folder):
        write_raw(folder / "deep", zipped=True, level=1)

    write_raw(tmp_path / "plain")
    write_raw(tmp_path / "zipped" / "toy", zipped=True)
    lines: list[str] = []
    prepare("toy", tmp_path / "plain", tmp_path / "a", lines.append)
    assert [line.endswith("MB verified") for line in lines] == [True] * 4 + [False] * 2
    assert [line.endswith("MB written") for line in lines] == [False] * 4 + [True] * 2
    prepare("toy", tmp_path / "zipped", tmp_path / "b")
    register(monkeypatch, "toy", toy_from("mirror:x"))
    monkeypatch.setitem(FETCHERS, "mirror", mirror)
    prepare("toy", tmp_path / "empty", tmp_path / "c")
    assert set(packed_bytes(tmp_path / "a")) == {"train.safetensors", "test.safetensors"}
    assert packed_bytes(tmp_path / "a") == packed_bytes(tmp_path / "b")
    assert packed_bytes(tmp_path / "a") == packed_bytes(tmp_path / "c")


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (b"", "starts with nothing"),
        (b"\x00\x00\x08\x01\x00\x00", "buffer is smaller"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01?", "starts with 00000d01"),  # floats
        (b"\x00\x00\x08\x01\x00\x00\x00\x02?", r"size 1 into shape \(.*2"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02???", r"size 3 into shape \(.*2"),
    ],
)
def test_a_file_that_departs_from_the_idx_format_is_refused(tmp_path, contents, complaint):
    path = tmp_path / "labels"
    path.write_bytes(contents)
    with pytest.raises(InfoGANError, match=f"labels: expected an IDX file .*{complaint}"):
        parse_idx(path, num_axes=1)


def test_a_factor_that_is_no_number_is_refused(tmp_path):
    (tmp_path / "faces").mkdir()
    write_faces(tmp_path / "faces")
    table = tmp_path / "faces" / "faces.csv"
    table.write_text(re.sub(r"(?m)^(renders/7.png),[^,]*", r"\1,nan", table.read_text()))
    with pytest.raises(InfoGANError, match=r"train has azimuth from nan to nan, expected -1\.57"):
        prepare("faces", tmp_path, tmp_path / "out")


def test_a_ramp_is_interpolated_between_pixel_centres_and_framed_in_black():
    ramp = np.tile(2 * np.arange(8) + 2, (1, 8, 1))
    # Pixel i of 20 lies at 0.4 i - 0.3 of the ramp's 8 pixels, held at its ends.
    expected = np.round((2 * np.clip(0.4 * np.arange(20) - 0.3, 0, 7) + 2) * 255 / 16)
    framed = np.pad(np.tile(expected, (20, 1)), 4)
    for small, enlarged in ((ramp, framed), (ramp.transpose(0, 2, 1), framed.T)):
        np.testing.assert_array_equal(enlarge_digits(small), enlarged[np.newaxis, np.newaxis])


def test_digits_are_split_once_with_equal_shares_of_every_class(tmp_path):
    prepare("digits", tmp_path / "raw", tmp_path / "out")
    train, test = (load_split(tmp_path / "out", lookup("digits"), split) for split in SPLITS)
    assert (len(train.labels), len(test.labels)) == (1_437, 360)
    digits = load_digits()
    counts, shares = np.bincount(digits.target), np.bincount(test.labels)
    assert np.all(abs(shares - counts / 5) < 1)
    np.testing.assert_array_equal(shares + np.bincount(train.labels), counts)
    first = enlarge_digits(digits.images[:1].astype(np.int64))  # of its class, too
    np.testing.assert_array_equal(test.images[:1], first)
    packed = [(image.tobytes(), label) for split in (train, test) for image, label in pairs(*split)]
    assert sorted(packed) == sorted(
        (image.tobytes(), label)
        for image, label in pairs(enlarge_digits(digits.images.astype(np.int64)), digits.target)
    )


def pairs(images, labels):
    return zip(np.asarray(images), labels.tolist(), strict=True)
