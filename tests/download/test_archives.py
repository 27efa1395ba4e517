import gzip
import io
import math
import pickle  # noqa: TID251  (a file that is no picture)
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
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


def gzipped(path):
    """The same file, gzipped, under a name that does not say so."""
    unsaid = path.with_name(f"{path.name}-saved")
    unsaid.write_bytes(gzip.compress(path.read_bytes()))
    return unsaid


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


def test_a_gzipped_matlab_file_is_read(tmp_path):
    path, _ = svhn_file(tmp_path)
    np.testing.assert_array_equal(read_svhn(gzipped(path))[0], read_svhn(path)[0])


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


def test_celebas_files_are_read_gzipped_and_with_other_line_ends_and_marks(celeba):
    names = ["000003.jpg", "000001.jpg"]
    archive = celeba / "img_align_celeba.zip"
    partition, listed = celeba / "list_eval_partition.txt", celeba / "list_attr_celeba.txt"
    expected = read_celeba_images(archive, names)
    np.testing.assert_array_equal(read_celeba_images(gzipped(archive), names), expected)
    texts = {path: path.read_text() for path in (partition, listed)}
    for end, encoding in (("\n", "utf-8"), ("\r\n", "utf-8-sig"), ("\r", "utf-16")):
        for path, text in texts.items():
            path.write_bytes(text.replace("\n", end).encode(encoding))
        for part, table in ((partition, listed), (gzipped(partition), gzipped(listed))):
            assert celeba_names(part, 0) == ["000001.jpg", "000003.jpg"]
            assert read_celeba_attributes(table, names)[1].tolist() == [[0, 0, 0, 1], [0, 1, 1, 0]]


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


def chair_archive(path, contents=None, order=None):
    """A tar as it is published, with what else lies in it, in no order or in this one."""
    inner, fields = checks(480, 64 // 4)
    with tarfile.open(path, "w") as archive:
        files = {"rendered_chairs/all_chair_names.mat": b"MATLAB"}
        for number, (model, elevation, rotation) in enumerate(VIEWS):
            pixels = framed(np.maximum(inner, 10 * number), 600, 600, 255)
            name = f"image_{number:03}_p{elevation:03}_t{rotation:03}_r096.png"
            colour = np.stack([pixels] * 3, axis=2)
            files[f"rendered_chairs/{model}/renders/{name}"] = contents or picture_bytes(colour)
        for name, data in order(files.items()) if order else files.items():
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


def test_chairs_do_not_depend_on_the_order_of_the_archive(tmp_path, monkeypatch):
    # The first view twice, in two folders.
    monkeypatch.setitem(globals(), "VIEWS", [*VIEWS, VIEWS[0]])
    expected = read_chairs(chair_archive(tmp_path / "a.tar")[0])
    for number, order in enumerate((sorted, reversed, lambda files: sorted(files)[::-1])):
        views = read_chairs(chair_archive(tmp_path / f"{number}.tar", order=order)[0])
        for array, same in zip(views, expected, strict=True):
            np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_gzipped_archive_of_chairs_is_refused(tmp_path, share):
    path, _ = chair_archive(tmp_path / "rendered_chairs.tar")
    contents = gzip.compress(path.read_bytes())
    path.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(InfoGANError, match="expected a tar of rendered chairs"):
        read_chairs(path)


def test_chairs_that_are_transparent_stand_on_white(tmp_path):
    clear = np.zeros((600, 600, 4), dtype=np.uint8)
    path, _ = chair_archive(tmp_path / "rendered_chairs.tar", contents=picture_bytes(clear))
    assert (read_chairs(path).images == 255).all()


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
    (folder / "faces.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return fields


def test_faces_are_those_of_the_table_with_its_factors(tmp_path):
    table = "azimuth,file,light\n-0.5,renders/b.png,1\n0.25,renders/a.png,0\n0,renders/b.png,-1\n"
    fields = faces_folder(tmp_path, table)
    views = read_faces(tmp_path / "faces.csv")
    assert views.names == ("azimuth", "light")
    assert views.factors.tolist() == [[-0.5, 1], [0.25, 0], [0, -1]]
    expected = fields.repeat(4, axis=0).repeat(4, axis=1)
    assert views.images.shape == (3, 1, 32, 32)
    np.testing.assert_array_equal(views.images[1, 0], expected)
    np.testing.assert_array_equal(views.images[2, 0], 255 - expected)


@pytest.mark.parametrize(
    "contents",
    [
        b"\xef\xbb\xbffile,azimuth,light\nrenders/a.png,-0.5,1\nrenders/b.png,0.25,0\n",
        "file,azimuth,light\nrenders/a.png,-0.5,1\nrenders/b.png,0.25,0\n".encode("utf-16"),
        b"\nFile, Azimuth ,light\r\nrenders/a.png , -0.5, 1\r\n\r\n renders/b.png,0.25 ,0\r\n",
        b'"file", "azimuth", "light"\r"renders/a.png", "-0.5", "1"\r"renders/b.png", "0.25", "0"',
        b"file;azimuth;light\r\r\nrenders/a.png;-0.5;1\r\r\nrenders/b.png;0.25;0\r\r\n;;\r\r\n",
        b"light\tfile\tazimuth\n1\trenders\\a.png\t-0.5\n0\trenders\\b.png\t0.25\n",
        gzip.compress(b"file,azimuth,light\nrenders/a.png,-0.5,1\nrenders/b.png,0.25,0\n"),
    ],
    ids=["mark", "UTF-16", "blanks", "CR", "semicolons", "tabs", "gzip"],
)
def test_the_table_is_read_however_a_spreadsheet_writes_it(tmp_path, contents):
    fields = faces_folder(tmp_path, "")
    (tmp_path / "faces.csv").write_bytes(contents)
    views = read_faces(tmp_path / "faces.csv")
    factors = dict(zip(views.names, views.factors.T.tolist(), strict=True))
    assert factors == {"azimuth": [-0.5, 0.25], "light": [1, 0]}
    expected = fields.repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(views.images[:, 0], [expected, 255 - expected])


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
        ("", "found columns none and 0 rows"),
        ("file,azimuth,azimuth\nrenders/a.png,1,2\n", "each once"),
        ("file,azimuth\nrenders/a.png,0,5\n", "row 1 .*3 values for 2 columns"),
        (f"file,azimuth\n{'x' * 200_000},1\n", r"faces\.csv: expected comma-separated values"),
        ("file,azimuth\nbr\xfccke.png,1\n".encode("cp1252"), "cannot be read as UTF-8 text"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, table, reason):
    faces_folder(tmp_path, table)
    with pytest.raises(InfoGANError, match=reason):
        read_faces(tmp_path / "faces.csv")


# Pictures of every mode; 124 is the grey of (200, 100, 50).


def saved(mode, colour, kind="PNG", **options):
    """An even picture."""
    contents = io.BytesIO()
    Image.new(mode, (32, 32), colour).save(contents, kind, **options)
    return contents.getvalue()


def paletted(**options):
    picture = Image.new("P", (32, 32), 1)
    picture.putpalette([9, 9, 9, 200, 100, 50])
    contents = io.BytesIO()
    picture.save(contents, "PNG", **options)
    return contents.getvalue()


def no_bytes(value):
    """What stands in a test's name."""
    return "" if isinstance(value, bytes) else str(value)


def png(depth, kind, row, *chunks, side=32):
    """A PNG file of 32 equal rows, written from the format's description."""
    header = struct.pack(">IIBBBBB", side, side, depth, kind, 0, 0, 0)
    body = (
        (b"IHDR", header),
        *chunks,
        (b"IDAT", zlib.compress((b"\0" + row) * 32)),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in body
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def words(*values):
    return struct.pack(f">{len(values)}H", *values)


@pytest.mark.parametrize(
    ("contents", "grey"),
    [
        (saved("1", 1), 255),
        (saved("L", 100), 100),
        (saved("RGB", (200, 100, 50)), 124),
        (paletted(), 124),
        (saved("L", 100, "JPEG"), 100),
        (saved("LA", (200, 255)), 200),
        (saved("LA", (200, 128)), 100),
        (saved("RGBA", (200, 100, 50, 255)), 124),
        (saved("RGBA", (200, 100, 50, 0)), 0),
        (paletted(transparency=b"\xff\x00"), 0),
        (paletted(transparency=b"\x00\xff"), 124),
        (saved("1", 1, transparency=1), 0),
        (saved("L", 100, transparency=100), 0),
        (saved("L", 100, transparency=99), 100),
        (saved("RGB", (200, 100, 50), transparency=(200, 100, 50)), 0),
        (png(16, 0, words(0x6480) * 32), 0x64),
        (png(16, 2, words(200 << 8, 100 << 8, 50 << 8) * 32), 124),
        (png(16, 4, words(200 << 8, 0x8000) * 32), 100),
        (png(16, 6, words(200 << 8, 100 << 8, 50 << 8, 0) * 32), 0),
        (png(4, 0, b"\x66" * 16), 6 * 17),
    ],
    ids=no_bytes,
)
def test_a_picture_of_any_mode_has_its_grey_on_black(tmp_path, contents, grey):
    (tmp_path / "a.png").write_bytes(contents)
    (tmp_path / "faces.csv").write_text("file,light\na.png,0\n")
    images = read_faces(tmp_path / "faces.csv").images
    assert (images == grey).all(), np.unique(images)


def animated():
    contents = io.BytesIO()
    frames = [Image.new("L", (32, 32), grey) for grey in (0, 9)]
    frames[0].save(contents, "PNG", save_all=True, append_images=frames[1:])
    return contents.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("L", 100, "JPEG", exif=exif)


def with_broken_chunk():
    """Half of the pixels, then a chunk whose name is none."""
    whole = zlib.compress(bytes(range(33)) * 32, level=0)
    before, _, after = png(8, 0, b"a" * 32, (b"IDAT", whole[:300])).rpartition(b"IDAT")
    return before + b"\1DAT" + after


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (saved("CMYK", (0, 0, 0, 9), "JPEG"), "mode CMYK; save it as grey or RGB"),
        (png(16, 0, words(99) * 32, (b"tRNS", words(99))), "mode I;16; save"),
        (png(16, 2, words(9, 9, 9) * 32, (b"tRNS", words(9, 9, 9))), "mode RGB; save"),
        (png(4, 0, b"\x66" * 16, (b"tRNS", words(6))), "mode L; save"),
        (animated(), "animated"),
        (turned(), "turned by its EXIF data"),
        (b"", "cannot identify"),
        (png(8, 0, b"a" * 32)[:-30], ""),
        (with_broken_chunk(), "broken PNG file"),
        (png(8, 0, b"a", side=1 << 16), "exceeds limit"),
    ],
    ids=no_bytes,
)
def test_a_picture_that_could_be_mistaken_is_refused_by_name(tmp_path, contents, reason):
    (tmp_path / "a.png").write_bytes(contents)
    (tmp_path / "faces.csv").write_text("file,light\na.png,0\n")
    with pytest.raises(InfoGANError, match=rf"faces\.csv: row 1 .*a\.png: .*{reason}"):
        read_faces(tmp_path / "faces.csv")


def test_missing_files_are_named(tmp_path):
    for read, name in ((read_svhn, "x.mat"), (read_chairs, "x.tar")):
        with pytest.raises(InfoGANError, match=name):
            read(tmp_path / name)
    with pytest.raises(InfoGANError, match=r"faces\.csv"):
        read_faces(tmp_path / "faces.csv")
    with pytest.raises(InfoGANError, match=r"x\.zip"):
        read_celeba_images(tmp_path / "x.zip", ["000001.jpg"])
