import base64
import re
from io import BytesIO

import numpy as np
import pytest
from matplotlib import rcParams
from PIL import Image

from infogan.report.figure_files import save_png, save_svg
from infogan.report.figures import (
    GridPanel,
    confusion_figure,
    grid_figure,
    losses_figure,
)
from infogan.report.grids import grid_image
from tests.report.test_figures import make_curves, make_grid

SAVE = {"png": save_png, "svg": save_svg}
FIGURES = {
    "losses": lambda: losses_figure(make_curves()),
    "traversal": lambda: grid_figure([GridPanel("grid", make_grid(2, 3), ["a", "b", "c"])]),
    "confusion": lambda: confusion_figure(np.eye(3, dtype=int), [1, 0, 2], ["a", "b", "c"], "it"),
}


def saved(figure, kind, folder):
    path = folder / f"figure.{kind}"
    SAVE[kind](figure, path)
    return path.read_bytes()


def embedded(svg):
    """The pictures within an SVG."""
    encoded = re.findall(rb'"data:image/png;base64,([^"]*)"', svg)
    return [Image.open(BytesIO(base64.b64decode(data))) for data in encoded]


@pytest.mark.parametrize("kind", SAVE)
@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_gives_the_same_bytes_without_date_or_version(tmp_path, kind, name):
    before = dict(rcParams)
    first, again = (saved(FIGURES[name](), kind, tmp_path) for _ in range(2))
    assert first == again
    assert [path.name for path in tmp_path.iterdir()] == [f"figure.{kind}"]
    assert dict(rcParams) == before
    for word in (b"Software", b"dc:date", b"dc:creator", b"tIME", b"Matplotlib v"):
        assert word not in first


def test_a_grid_in_a_vector_file_has_one_pixel_for_each_of_its_images(tmp_path):
    grid = make_grid(2, 3)
    (picture,) = embedded(saved(grid_figure([GridPanel("", grid)]), "svg", tmp_path))
    assert picture.mode == "L"
    # matplotlib's map from numbers to greys rounds some of them down.
    difference = grid.astype(int) - np.asarray(picture)
    assert 0 <= difference.min() <= difference.max() <= 1


def test_charts_are_vectors_throughout_and_ask_for_no_font(tmp_path):
    contents = saved(FIGURES["losses"](), "svg", tmp_path)
    assert embedded(contents) == []
    assert b"<text" not in contents
    assert b"font-family" not in contents


def test_a_png_is_1800_pixels_wide_and_grey_where_it_has_no_colour(tmp_path):
    grid = Image.open(BytesIO(saved(FIGURES["traversal"](), "png", tmp_path)))
    assert (grid.width, grid.mode) == (1800, "L")
    chart = Image.open(BytesIO(saved(FIGURES["losses"](), "png", tmp_path)))
    assert (chart.width, chart.mode) == (1800, "P")


def test_colour_images_keep_their_colours(tmp_path):
    images = np.zeros((1, 1, 3, 4, 4), np.uint8)
    images[:, :, 0] = 200
    contents = saved(grid_figure([GridPanel("", grid_image(images))]), "png", tmp_path)
    colours = Image.open(BytesIO(contents)).convert("RGB").getcolors(1 << 20)
    assert (200, 0, 0) in {colour for _, colour in colours}
