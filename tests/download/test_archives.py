import gzip
import io
import math
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from infogan.base.dataset import SPLITS
from infogan.base.errors import InfoGANError
from infogan.datasets.celeba import CELEBA_ATTRIBUTES
from infogan.download import archives
from tests.miniatures import picture_bytes, tar_bytes, write_chairs


def read_chairs(folder, contents, split="train"):
    (folder / "rendered_chairs.tar").write_bytes(contents)
    return archives.read_chairs({"rendered_chairs.tar": folder / "rendered_chairs.tar"}, split)


def read_faces(folder, split="train"):
    return archives.read_faces({"faces.csv": folder / "faces.csv"}, split)


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


def test_svhn_images_have_channels_first_and_ten_is_the_digit_0(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 5), dtype=np.uint8)
    path = tmp_path / "saved"  # gzipped, under a name that does not say so
    contents = io.BytesIO()
    savemat(contents, {"X": pixels, "y": np.array([[1], [10], [9], [10], [4]], np.uint8)})
    path.write_bytes(gzip.compress(contents.getvalue()))
    images, digits = archives.read_svhn({"test_32x32.mat": path}, "test")
    assert images.shape == (5, 3, 32, 32)
    for image, channel, row, column in ((0, 0, 3, 7), (4, 2, 31, 0), (2, 1, 0, 30)):
        assert images[image, channel, row, column] == pixels[row, column, channel, image]
    assert digits.tolist() == [1, 0, 9, 0, 4]


# CelebA.

ATTRIBUTES = [factor.name for factor in CELEBA_ATTRIBUTES]
HAVE = {"000001": ["Bald"], "000002": [], "000003": ["Young", "5_o_Clock_Shadow"]}


@pytest.fixture
def celeba(tmp_path):
    """Three aligned images, 178 wide and 218 high, and the text files beside them."""
    colour = np.zeros((148, 148, 3), dtype=np.uint8)
    colour[:74, :, 0], colour[74:, :, 1], colour[:, 74:, 2] = 200, 150, 100
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for name, border in zip(HAVE, (0, 255, 128), strict=True):
            contents = picture_bytes(framed(colour, 218, 178, border), "JPEG")
            archive.writestr(f"img_align_celeba/{name}.jpg", contents)
    (tmp_path / "list_eval_partition.txt").write_text(
        "000001.jpg 0\n000002.jpg 2\n000003.jpg 0\n000004.jpg 1\n"
    )
    rows = [
        " ".join([f"{name}.jpg", *(" 1" if one in have else "-1" for one in ATTRIBUTES)])
        for name, have in HAVE.items()
    ]
    (tmp_path / "list_attr_celeba.txt").write_text(
        "\n".join(["3", " ".join(ATTRIBUTES), *rows, ""])
    )
    return {path.name: path for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("split", "names"), [("train", ["000001", "000003"]), ("test", ["000002"])]
)
def test_celeba_is_the_central_square_of_148_pixels_with_the_attributes_of_a_part(
    celeba, split, names
):
    if split == "test":
        for path in celeba.values():
            path.write_bytes(gzip.compress(path.read_bytes()))
    images, attributes = archives.read_celeba(celeba, split)
    assert images.shape == (len(names), 3, 32, 32)
    expected = np.zeros((3, 32, 32), dtype=int)
    expected[0, :16], expected[1, 16:], expected[2, :, 16:] = 200, 150, 100
    # JPEG keeps colour at half the resolution: away from edges it is exact to a few levels.
    inside = np.ix_(range(3), *[[*range(2, 14), *range(18, 30)]] * 2)
    for image in images:
        assert np.abs(image.astype(int) - expected)[inside].max() <= 6
    assert attributes.tolist() == [[one in HAVE[name] for one in ATTRIBUTES] for name in names]


def test_attributes_in_another_order_than_the_registrys_are_refused(celeba):
    path = celeba["list_attr_celeba.txt"]
    path.write_text(path.read_text().replace("Smiling", "Frowning"))
    with pytest.raises(InfoGANError, match=r"list_attr_celeba\.txt: lists .*Frowning"):
        archives.read_celeba(celeba, "train")


# Chairs.

VIEWS = [("ffe1", 20, 348), ("0ab2", 30, 11), ("ffe1", 20, 11), ("0ab2", 20, 197)]


def chairs(contents=None):
    """A tar as it is published, with what else lies in it, in no order."""
    files = {"rendered_chairs/all_chair_names.mat": b"MATLAB"}
    for number, (model, elevation, rotation) in enumerate(VIEWS):
        pixels = framed(np.maximum(checks(480, 64 // 4)[0], 10 * number), 600, 600, 255)
        name = f"image_{number:03}_p{elevation:03}_t{rotation:03}_r096.png"
        colour = np.stack([pixels] * 3, axis=2)
        files[f"rendered_chairs/{model}/renders/{name}"] = contents or picture_bytes(colour)
    return tar_bytes(files.items())


def test_chairs_are_central_squares_averaged_and_grey_by_model_elevation_and_rotation(tmp_path):
    images, factors = read_chairs(tmp_path, chairs())
    assert images.shape == (4, 1, 64, 64)
    # Sorted, the four are those drawn 4th, 2nd, 3rd and 1st; each field is 4 x 4 pixels.
    for image, number in zip(images[:, 0], (3, 1, 2, 0), strict=True):
        expected = np.maximum(checks(64, 64 // 4)[0], 10 * number)
        assert np.abs(image.astype(int) - expected).max() <= 1
    # Rotation, elevation; 197 and 348 degrees lie on the other side.
    expected = [[197 - 360, 20], [11, 30], [11, 20], [348 - 360, 20]]
    np.testing.assert_allclose(factors * (180 / math.pi), expected, atol=1e-3)


def test_the_last_of_every_ten_chairs_is_for_testing(tmp_path):
    write_chairs(tmp_path)
    contents = (tmp_path / "rendered_chairs.tar").read_bytes()
    (train, _), (test, _) = (read_chairs(tmp_path, contents, split) for split in SPLITS)
    assert (len(train), len(test)) == (36, 4)
    images, factors = read_chairs(tmp_path, chairs(), "test")
    assert (images.shape, factors.shape) == ((0, 1, 64, 64), (0, 2))


def test_chairs_that_are_transparent_stand_on_white(tmp_path):
    clear = np.zeros((600, 600, 4), dtype=np.uint8)
    assert (read_chairs(tmp_path, chairs(picture_bytes(clear)))[0] == 255).all()


WHOLE = gzip.compress(chairs(picture_bytes(np.zeros((480, 480), np.uint8))))


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (tar_bytes([("rendered_chairs/readme.txt", b"")]), "holds no <model>/renders"),
        (
            chairs(picture_bytes(np.zeros((600, 400), np.uint8))),
            "400 x 600 pixels, expected at least 480 x 480",
        ),
        (chairs(b"\x89PNG broken"), "expected a tar of rendered chairs"),
        (WHOLE[: len(WHOLE) // 2], "expected a tar of rendered chairs .Compressed file ended"),
    ],
    ids=["none", "narrow", "broken", "truncated"],
)
def test_an_archive_without_chairs_is_refused(tmp_path, contents, reason):
    with pytest.raises(InfoGANError, match=reason):
        read_chairs(tmp_path, contents)
    with pytest.raises(InfoGANError, match="absent"):
        archives.read_chairs({"rendered_chairs.tar": tmp_path / "absent"}, "train")


# Faces.


def faces_folder(folder, table):
    """Two renders, a list, and the grey of the first's 8 x 8 fields."""
    (folder / "renders").mkdir()
    pixels, fields = checks(96, 8)
    (folder / "renders" / "a.png").write_bytes(picture_bytes(pixels))
    (folder / "renders" / "b.png").write_bytes(picture_bytes(255 - pixels))
    (folder / "wide.png").write_bytes(picture_bytes(pixels[:40]))
    (folder / "faces.csv").write_text(table, errors="surrogateescape")
    return fields


def test_faces_are_those_of_the_table_with_its_factors_and_every_tenth_is_for_testing(tmp_path):
    rows = ["\ufefflight,azimuth,file,elevation,note"]
    rows += [f"{i},{i / 10},renders/{'ab'[i % 2]}.png,-1,x" for i in range(10)]
    fields = faces_folder(tmp_path, "\n".join(rows))
    (train, factors), (test, last) = (read_faces(tmp_path, split) for split in ("train", "test"))
    assert train.shape == (9, 1, 32, 32)
    np.testing.assert_allclose(factors, [[i / 10, -1, i] for i in range(9)], rtol=1e-6)
    np.testing.assert_allclose(last, [[0.9, -1, 9]], rtol=1e-6)
    expected = fields.repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(train[2, 0], expected)
    np.testing.assert_array_equal(test[0, 0], 255 - expected)


HEADER = "file,azimuth,elevation,light\n"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("azimuth,elevation,light\n1,0,0\n", "expected rows .* file, azimuth.*column is missing"),
        ("", "expected rows under columns file"),
        (f"{HEADER}renders/c.png,1,0,0\n", "row 1 .*No such file"),
        (f"{HEADER}wide.png,1,0,0\n", "row 1 .*96 x 40 pixels, expected a square"),
        (f"{HEADER}renders/a.png,0,0,0\nrenders/a.png,left,0,0\n", "row 2 .*left"),
        (f"{HEADER}renders/a.png,0,0\n", "row 1 "),
        (f"{HEADER}renders/a.png,0,5,1,2\n", "row 1 .*more values than columns"),
        (f"{HEADER}br\udcfccke.png,1\n", "expected rows .*utf-8"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, table, reason):
    faces_folder(tmp_path, table)
    with pytest.raises(InfoGANError, match=reason):
        read_faces(tmp_path)


# Pictures of many modes; 124 is the grey of (200, 100, 50).


def saved(mode, colour, kind="PNG", **options):
    """An even picture."""
    contents, picture = io.BytesIO(), Image.new(mode, (32, 32), colour)
    if mode == "P":
        picture.putpalette([9, 9, 9, 200, 100, 50])
    picture.save(contents, kind, **options)
    return contents.getvalue()


def read_picture(folder, contents):
    """The images that a list of this picture alone gives."""
    (folder / "a.png").write_bytes(contents)
    (folder / "faces.csv").write_text(f"{HEADER}a.png,0,0,0\n")
    return read_faces(folder)[0]


@pytest.mark.parametrize(
    ("contents", "grey"),
    [
        (saved("1", 1), 255),
        (saved("L", 100), 100),
        (saved("RGB", (200, 100, 50)), 124),
        (saved("P", 1), 124),
        (saved("LA", (200, 128)), 100),
        (saved("RGBA", (200, 100, 50, 128)), 62),
        (saved("P", 1, transparency=b"\xff\x80"), 62),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_a_picture_of_a_plain_mode_has_its_grey_on_black(tmp_path, contents, grey):
    images = read_picture(tmp_path, contents)
    assert (images == grey).all(), np.unique(images)


TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (saved("CMYK", (0, 0, 0, 9), "JPEG"), "mode CMYK; save it as grey or RGB of 8 bits"),
        (saved("I;16", 99), "mode I;16; save it"),
        (saved("L", 100, transparency=100), "with a transparent colour; .* an alpha channel"),
        (saved("L", 100, "JPEG", exif=TURNED), "turned by its EXIF data"),
        (b"", "cannot identify"),
        (saved("L", 100)[:-30], ""),
    ],
    ids=["CMYK", "16 bits", "transparent colour", "turned", "empty", "truncated"],
)
def test_a_picture_that_could_be_mistaken_is_refused_by_name(tmp_path, contents, reason):
    with pytest.raises(InfoGANError, match=rf"faces\.csv: .* row 1 .*a\.png: .*{reason}"):
        read_picture(tmp_path, contents)
