import base64
import re
from io import BytesIO

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from PIL import Image

from infogan.report.figure_files import save_png, save_svg
from infogan.report.figures import GridPanel, grid_figure, losses_figure
from tests.report.test_figures import make_curves, make_grid

GRID = make_grid(2, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    """A chart and a grid in both kinds of file, whatever the person's own settings are."""
    folder = tmp_path_factory.mktemp("figures")
    panel = GridPanel("grid", GRID, ["a", "b", "c"])
    with rc_context({"savefig.dpi": 50}):
        before = dict(rcParams)
        for name, figure in {
            "chart": losses_figure(make_curves()),
            "grid": grid_figure([panel]),
        }.items():
            save_png(figure, folder / f"{name}.png")
            save_svg(figure, folder / f"{name}.svg")
        assert dict(rcParams) == before
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def embedded(svg: bytes) -> list[Image.Image]:
    """The pictures within an SVG."""
    encoded = re.findall(rb'"data:image/png;base64,([^"]*)"', svg)
    return [Image.open(BytesIO(base64.b64decode(data))) for data in encoded]


def test_no_file_names_a_date_or_the_software_that_wrote_it(files):
    assert set(files) == {"chart.png", "chart.svg", "grid.png", "grid.svg"}
    for contents in files.values():
        for word in (b"Software", b"dc:date", b"dc:creator", b"tIME", b"Matplotlib v"):
            assert word not in contents


def test_a_grid_in_a_vector_file_has_one_pixel_for_each_of_its_images(files):
    (picture,) = embedded(files["grid.svg"])
    assert picture.mode == "L"
    # matplotlib's map from numbers to greys rounds some of them down.
    difference = GRID.astype(int) - np.asarray(picture)
    assert 0 <= difference.min() <= difference.max() <= 1


def test_charts_are_vectors_throughout_and_ask_for_no_font(files):
    assert embedded(files["chart.svg"]) == []
    assert b"<text" not in files["chart.svg"]
    assert b"font-family" not in files["chart.svg"]


def test_a_png_is_1800_pixels_wide_and_grey_where_it_has_no_colour(files):
    for name, mode in (("grid", "L"), ("chart", "P")):
        picture = Image.open(BytesIO(files[f"{name}.png"]))
        assert (picture.width, picture.mode) == (1800, mode)


def test_colour_images_keep_their_colours(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    save_png(grid_figure([GridPanel("", red)]), tmp_path / "red.png")
    colours = Image.open(tmp_path / "red.png").convert("RGB").getcolors(1 << 20)
    assert (200, 0, 0) in {colour for _, colour in colours}
