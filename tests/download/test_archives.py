import io
import math
import pickle  # noqa: TID251  (a file that is no picture)
import tarfile
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from infogan.base.errors import InfoGANError
from infogan.download.archives import (
    celeba_names,
    read_celeba_attributes,
    read_celeba_images,
    read_chairs,
    read_faces,
    read_svhn,
)
from tests.miniatures import picture_bytes


def framed(inner, height, width, border):
    """A picture of `border` around a central square."""
    shape = (height, width, *inner.shape[2:])
    pixels = np.full(shape, border, dtype=np.uint8)
    top, left = (height - len(inner)) // 2, (width - inner.shape[1]) // 2
    pixels[top : top + len(inner), left : left + inner.shape[1]] = inner
    return pixels


def checks(size, blocks):
    """A square of `blocks` x `blocks` even fields of random grey."""
    rng = np.random.default_rng(blocks)
    fields = rng.integers(0, 256, (blocks, blocks), dtype=np.uint8)
    scale = size // blocks
    return fields.repeat(scale, axis=0).repeat(scale, axis=1), fields


# SVHN.


def svhn_file(folder, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "X": rng.integers(0, 256, (32, 32, 3, 5), dtype=np.uint8),
        "y": np.array([[1], [10], [9], [10], [4]], dtype=np.uint8),
    } | changes
    savemat(folder / "train_32x32.mat", arrays, do_compression=True)
    return folder / "train_32x32.mat", arrays


def test_svhn_images_have_channels_first_and_ten_is_the_digit_0(tmp_path):
    path, arrays = svhn_file(tmp_path)
    images, digits = read_svhn(path)
    assert images.shape == (5, 3, 32, 32)
    for image, channel, row, column in ((0, 0, 3, 7), (4, 2, 31, 0), (2, 1, 0, 30)):
        assert images[image, channel, row, column] == arrays["X"][row, column, channel, image]
    assert digits.tolist() == [1, 0, 9, 0, 4]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"X": np.zeros((32, 32, 3, 5))}, "X is float64"),
        ({"X": np.zeros((32, 30, 3, 5), np.uint8)}, "expected uint8 32x32x3xN"),
        ({"y": np.ones((4, 1), np.uint8)}, "y is"),
        ({"y": np.zeros((5, 1), np.uint8)}, "digit from 1 to 10"),
    ],
)
def test_other_arrays_are_refused(tmp_path, changes, reason):
    path, _ = svhn_file(tmp_path, **changes)
    with pytest.raises(InfoGANError, match=reason):
        read_svhn(path)


@pytest.mark.parametrize("contents", [b"", b"no MATLAB file", pickle.dumps({"X": 1, "y": 2})])
def test_what_is_no_matlab_file_is_refused(tmp_path, contents):
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(contents)
    with pytest.raises(InfoGANError, match=r"train_32x32\.mat: expected a MATLAB 5 file"):
        read_svhn(path)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_matlab_file_is_refused(tmp_path, share):
    path, _ = svhn_file(tmp_path)
    contents = path.read_bytes()
    path.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(InfoGANError, match=r"train_32x32\.mat"):
        read_svhn(path)


# CelebA.


@pytest.fixture
def celeba(tmp_path):
    """Three aligned images, 178 wide and 218 high, and the text files beside them."""
    colour = np.zeros((148, 148, 3), dtype=np.uint8)
    colour[:74, :, 0], colour[74:, :, 1], colour[:, 74:, 2] = 200, 150, 100
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for i, border in enumerate((0, 255, 128), start=1):
            contents = picture_bytes(framed(colour, 218, 178, border), "JPEG")
            archive.writestr(f"img_align_celeba/00000{i}.jpg", contents)
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n000003.jpg 0\n")
    (tmp_path / "list_attr_celeba.txt").write_text(
        "3\nBald Eyeglasses Smiling Young \n"
        "000001.jpg -1  1  1 -1\n000002.jpg  1 -1 -1 -1\n000003.jpg -1 -1 -1  1\n"
    )
    return tmp_path


def test_a_part_of_celeba_has_its_files_in_order(celeba):
    partition = celeba / "list_eval_partition.txt"
    assert celeba_names(partition, 0) == ["000001.jpg", "000003.jpg"]
    assert celeba_names(partition, 1) == []
    assert celeba_names(partition, 2) == ["000002.jpg"]


def test_celeba_images_are_the_central_square_of_148_pixels(celeba):
    images = read_celeba_images(celeba / "img_align_celeba.zip", ["000002.jpg", "000001.jpg"])
    assert images.shape == (2, 3, 32, 32)
    expected = np.zeros((3, 32, 32), dtype=int)
    expected[0, :16], expected[1, 16:], expected[2, :, 16:] = 200, 150, 100
    # JPEG keeps colour at half the resolution: away from edges it is exact to a few levels.
    inside = np.ix_(range(3), *[[*range(2, 14), *range(18, 30)]] * 2)
    for image in images:
        assert np.abs(image.astype(int) - expected)[inside].max() <= 6


def test_celeba_attributes_are_1_where_the_file_says_1(celeba):
    names = ["000003.jpg", "000001.jpg"]
    attributes, table = read_celeba_attributes(celeba / "list_attr_celeba.txt", names)
    assert attributes == ("Bald", "Eyeglasses", "Smiling", "Young")
    assert table.tolist() == [[0, 0, 0, 1], [0, 1, 1, 0]]


def test_what_celebas_files_lack_is_named(celeba):
    missing = ["000009.jpg"]
    with pytest.raises(InfoGANError, match=r"img_align_celeba\.zip.*000009"):
        read_celeba_images(celeba / "img_align_celeba.zip", missing)
    with pytest.raises(InfoGANError, match=r"list_attr_celeba\.txt: expected 4 values"):
        read_celeba_attributes(celeba / "list_attr_celeba.txt", missing)
    with pytest.raises(InfoGANError, match=r"list_attr_celeba\.txt: expected 2 words"):
        celeba_names(celeba / "list_attr_celeba.txt", 0)


# Chairs.

VIEWS = [("ffe1", 20, 348), ("0ab2", 30, 11), ("ffe1", 20, 11), ("0ab2", 20, 197)]


def chair_archive(path, contents=None):
    """A tar as it is published, with what else lies in it, in no order."""
    inner, fields = checks(480, 64 // 4)
    with tarfile.open(path, "w") as archive:
        files = {"rendered_chairs/all_chair_names.mat": b"MATLAB"}
        for number, (model, elevation, rotation) in enumerate(VIEWS):
            pixels = framed(np.maximum(inner, 10 * number), 600, 600, 255)
            name = f"image_{number:03}_p{elevation:03}_t{rotation:03}_r096.png"
            colour = np.stack([pixels] * 3, axis=2)
            files[f"rendered_chairs/{model}/renders/{name}"] = contents or picture_bytes(colour)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path, fields


def test_chairs_come_by_model_elevation_and_rotation(tmp_path):
    views = read_chairs(chair_archive(tmp_path / "rendered_chairs.tar")[0])
    assert views.images.shape == (4, 1, 64, 64)
    assert views.models.tolist() == [0, 0, 1, 1]
    degrees = np.stack([views.elevation, views.rotation], axis=1) * (180 / math.pi)
    # 197 and 348 degrees lie on the other side.
    expected = [[20, 197 - 360], [30, 11], [20, 11], [20, 348 - 360]]
    np.testing.assert_allclose(degrees, expected, atol=1e-3)


def test_chairs_are_the_central_square_of_480_pixels_averaged_and_grey(tmp_path):
    path, fields = chair_archive(tmp_path / "rendered_chairs.tar")
    images = read_chairs(path).images[:, 0]
    # Sorted, the four are those drawn 4th, 2nd, 3rd and 1st; each field is 4 x 4 pixels.
    for image, number in zip(images, (3, 1, 2, 0), strict=True):
        expected = np.maximum(fields, 10 * number).repeat(4, axis=0).repeat(4, axis=1)
        assert np.abs(image.astype(int) - expected).max() <= 1


def test_an_archive_without_chairs_is_refused(tmp_path):
    path = tmp_path / "rendered_chairs.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("rendered_chairs/readme.txt"))
    with pytest.raises(InfoGANError, match="holds no <model>/renders"):
        read_chairs(path)
    chair_archive(path, contents=picture_bytes(np.zeros((600, 400), np.uint8)))
    with pytest.raises(InfoGANError, match="400 x 600 pixels, expected at least 480 x 480"):
        read_chairs(path)
    for contents in (b"GIF89a", b"\x89PNG broken"):
        chair_archive(path, contents=contents)
        with pytest.raises(InfoGANError, match="expected a tar of rendered chairs"):
            read_chairs(path)


# Faces.


def faces_folder(folder, table):
    (folder / "renders").mkdir()
    pixels, fields = checks(96, 8)
    (folder / "renders" / "a.png").write_bytes(picture_bytes(pixels))
    (folder / "renders" / "b.png").write_bytes(picture_bytes(255 - pixels))
    (folder / "wide.png").write_bytes(picture_bytes(pixels[:40]))
    (folder / "faces.csv").write_text(table)
    return fields


def test_faces_are_those_of_the_table_with_its_factors(tmp_path):
    table = "azimuth,file,light\n-0.5,renders/b.png,1\n0.25,renders/a.png,0\n0,renders/b.png,-1\n"
    fields = faces_folder(tmp_path, table)
    views = read_faces(tmp_path)
    assert views.names == ("azimuth", "light")
    assert views.factors.tolist() == [[-0.5, 1], [0.25, 0], [0, -1]]
    expected = fields.repeat(4, axis=0).repeat(4, axis=1)
    assert views.images.shape == (3, 1, 32, 32)
    np.testing.assert_array_equal(views.images[1, 0], expected)
    np.testing.assert_array_equal(views.images[2, 0], 255 - expected)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("azimuth\n1\n", "expected a column `file`"),
        ("file,azimuth\n", "expected a column `file`"),
        ("file,azimuth\nrenders/c.png,1\n", "row 1"),
        ("file,azimuth\nwide.png,1\n", "96 x 40 pixels"),
        ("file,azimuth\nrenders/a.png,left\n", "row 1"),
        ("file,azimuth\nrenders/a.png\n", "row 1"),
        ("file,azimuth\nrenders/a.png,nan\n", "finite"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, table, reason):
    faces_folder(tmp_path, table)
    with pytest.raises(InfoGANError, match=reason):
        read_faces(tmp_path)


def test_missing_files_are_named(tmp_path):
    for read, name in ((read_svhn, "x.mat"), (read_chairs, "x.tar")):
        with pytest.raises(InfoGANError, match=name):
            read(tmp_path / name)
    with pytest.raises(InfoGANError, match=r"faces\.csv"):
        read_faces(tmp_path)
    with pytest.raises(InfoGANError, match=r"x\.zip"):
        read_celeba_images(tmp_path / "x.zip", ["000001.jpg"])
