import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from infogan.report.figures import (
    OBJECTIVE_COLORS,
    GridPanel,
    confusion_figure,
    grid_figure,
    losses_figure,
    mutual_information_figure,
    samples_figure,
    seeds_figure,
)
from infogan.report.grids import grid_image


def make_curves(objectives=("infogan", "gan"), seeds=(0, 1, 2), last_step=5000):
    steps = range(0, last_step + 1, last_step // 10)
    runs = product(objectives, seeds, steps)
    curves = pd.DataFrame(runs, columns=["objective", "seed", "step"])
    return curves.assign(
        bound_cat_nats=0.5 * curves["seed"],
        bound_cont_nats=0.1 * curves["seed"],
        discriminator_loss=1.0 + curves["seed"],
        generator_loss=2.0 + curves["seed"],
    )


def make_images(rows, columns, channels=1, height=6, width=5, seed=0):
    shape = (rows, columns, channels, height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def make_grid(rows, columns, **kinds):
    return grid_image(make_images(rows, columns, **kinds))


def lines_by_label(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_mutual_information_of_a_long_run_is_shown_over_the_papers_range_and_whole():
    near, whole = mutual_information_figure(make_curves(), math.log(10)).axes
    assert near.get_xlim() == (0, 1000)
    assert whole.get_xlim() == (0, 5000)
    for name, end in (("InfoGAN", 2.28), ("Regular GAN", 0.05)):
        points = lines_by_label(near)[f"{name}, paper"].get_xydata()
        assert points[-1].tolist() == [930, end]
    assert "InfoGAN, paper" not in lines_by_label(whole)
    # The line is the mean, and the band spans the seeds.
    line = lines_by_label(near)["InfoGAN, 3 seeds"]
    assert line.get_color() == OBJECTIVE_COLORS["infogan"]
    assert np.allclose(line.get_ydata(), 0.5)
    band = near.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (0.0, 1.0)


def test_mutual_information_of_a_short_run_keeps_the_papers_range_and_names_several_codes():
    codes = r"c_1 \ldots c_{2}"
    (axes,) = mutual_information_figure(make_curves(last_step=20), 2.9, codes=codes).axes
    assert axes.get_xlim() == (0, 1000)
    assert axes.get_ylabel() == rf"$L_I$ of ${codes}$ (nats)"
    assert {2.9} in [set(line.get_ydata()) for line in axes.get_lines()]
    assert [text.get_text() for text in axes.texts] == [rf"$H({codes})$ = 2.90"]


def test_mutual_information_without_the_paper_has_one_line_per_objective():
    curves = make_curves(objectives=("infogan",), seeds=(4,))
    (axes,) = mutual_information_figure(curves, math.log(7), beside_paper=False).axes
    assert len(axes.get_lines()) == 2  # the run and the entropy
    assert "InfoGAN, 1 seed" in lines_by_label(axes)
    assert len(axes.collections) == 0  # a band needs more than one seed


def test_every_line_has_a_colour_of_its_own_and_the_legend_fits_the_figure():
    names = ("ours", "gan", "cgan", "release", "paper")
    figure = mutual_information_figure(make_curves(names), math.log(10))
    lines = lines_by_label(figure.axes[0])
    runs = [line for label, line in lines.items() if label.endswith("3 seeds")]
    assert len({line.get_color() for line in runs}) == len(names)
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= legend.x0 < legend.x1 <= figure.bbox.x1


def test_losses_have_a_panel_per_quantity():
    figure = losses_figure(make_curves())
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        *("Discriminator", "Generator", "Continuous codes")
    ]
    for axes, mean in zip(figure.axes, (2.0, 3.0, 0.1), strict=True):
        assert np.allclose(lines_by_label(axes)["Regular GAN, 3 seeds"].get_ydata(), mean)


def test_losses_without_continuous_codes_have_two_panels():
    assert len(losses_figure(make_curves().drop(columns="bound_cont_nats")).axes) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_shown_unchanged_with_labels_above_the_centres_of_its_columns(channels):
    grid = make_grid(2, 3, channels=channels, width=5) // 2
    (axes,) = grid_figure([GridPanel("grid", grid, ["a", "b", "c"])]).axes
    shown = axes.get_images()[0]
    assert np.array_equal(shown.get_array(), grid)
    # Grey levels are shown as they are, not stretched to the darkest and brightest present.
    assert channels == 3 or shown.get_clim() == (0, 255)
    # Columns of 5 pixels are 7 apart; pixel centres are whole numbers.
    assert list(axes.get_xticks()) == [2, 9, 16]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]


def test_all_grids_of_a_figure_show_their_pixels_at_one_size():
    widths = (10, 2, 10)
    figure = grid_figure([GridPanel("", make_grid(5, width)) for width in widths])
    assert len(figure.axes) == len(widths)
    figure.draw_without_rendering()
    corners = [axes.transData.transform([(0, 0), (1, 1)]) for axes in figure.axes]
    sizes = np.abs([high - low for low, high in corners])
    assert np.allclose(sizes, sizes[0, 0])
    heights = [axes.get_window_extent().height for axes in figure.axes]
    assert sum(heights[::2]) > 0.7 * figure.bbox.height  # and no room is left for a larger one


def test_column_labels_too_wide_for_their_columns_are_thinned():
    labels = [f"{i / 100:.4f}" for i in range(40)]
    panel = GridPanel("", make_grid(2, 40), labels)
    axes = grid_figure([panel, panel]).axes[0]
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert len(shown) < 20
    assert shown[0] == "0.0000"
    assert shown[1] in labels


def test_seeds_have_their_accuracy_in_the_title_where_it_is_known():
    figure = seeds_figure(dict.fromkeys((3, 0, 7), make_grid(2, 4)), {3: 0.9512, 7: 0.5})
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Seed 3: accuracy 95.1%", "Seed 0", "Seed 7: accuracy 50.0%"]


def test_samples_are_square_grids_of_equal_size():
    real, fake = make_images(1, 30)[0], make_images(1, 17, seed=1)[0]
    figure = samples_figure(real, {"infogan": fake, "gan": fake[:16]})
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Data", "InfoGAN", "Regular GAN"]
    shown = figure.axes[1].get_images()[0].get_array()
    assert np.array_equal(shown, grid_image(fake[:16].reshape(4, 4, 1, 6, 5)))


def test_confusion_rows_follow_the_order_and_shades_are_shares_of_the_class():
    matrix = np.array([[0, 6, 1, 0], [8, 0, 1, 0], [0, 2, 2, 0]])
    figure = confusion_figure(matrix, [1, 0, 2], ["cat", "dog", "owl", "none"], "seed 0")
    axes = figure.axes[0]
    shares = [[1, 0, 0.25, 0], [0, 0.75, 0.25, 0], [0, 0.25, 0.5, 0]]
    assert np.allclose(axes.collections[0].get_array(), shares)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "0", "2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog", "owl", "none"]
    cells = {(int(text.xy[1]), int(text.xy[0])): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "8", (0, 2): "1", (1, 1): "6", (1, 2): "1", (2, 1): "2", (2, 2): "2"}
