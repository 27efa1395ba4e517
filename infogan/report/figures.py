"""Figures of the paper's kind: arrays and tables in, a matplotlib Figure out.

Every figure is 7.2 inches wide at 250 dots per inch: 1,800 pixels, two per pixel of a page that
shows it 900 wide, where its 8-point text reads like body text. Colours are Okabe and Ito's, which
colour-blind readers can tell apart. Nothing here touches pyplot's global state, and all but the
images' own pixels can be drawn as vectors.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int, UInt8
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from infogan.report.grids import PADDING, grid_image

# The paper's Fig 1, read off the printed curves to about 0.03 nats. The paper does not define its
# "iteration", so these points share our axis of steps without being known to share its unit.
PAPER_FIGURE_1 = pd.DataFrame(
    {
        "infogan": [1.08, 1.79, 2.07, 2.17, 2.25, 2.24, 2.18, 2.21, 2.28, 2.28],
        "gan": [0.08, 0.14, 0.19, 0.29, 0.53, 0.42, 0.12, 0.05, 0.05, 0.05],
    },
    index=[10, 20, 30, 50, 100, 150, 200, 300, 500, 930],
)
PAPER_STEPS = 1000  # shown beside the paper's points

OBJECTIVE_NAMES = {"infogan": "InfoGAN", "gan": "Regular GAN", "cgan": "Conditional GAN"}
# Okabe and Ito's blue, vermillion and green.
OBJECTIVE_COLORS = {"infogan": "#0072B2", "gan": "#D55E00", "cgan": "#009E73"}

WIDTH_INCHES = 7.2
STYLE: dict[Any, Any] = {
    "figure.dpi": 250,
    "savefig.dpi": "figure",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.ymargin": 0.07,
    # Purple, orange and sky blue for an objective without a colour of its own.
    "axes.prop_cycle": cycler(color=["#CC79A7", "#E69F00", "#56B4E9"]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#444444",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "mathtext.fontset": "dejavusans",
    "image.composite_image": False,
    "figure.constrained_layout.w_pad": 0.08,
}


class GridPanel(NamedTuple):
    """A grid of images as one image, under a title, with a label above each column or none."""

    title: str
    grid: UInt8[np.ndarray, "height width *colour"]
    column_labels: Sequence[str] = ()


@rc_context(STYLE)
def mutual_information_figure(
    curves: pd.DataFrame, entropy_nats: float, codes: str = "c_1", *, beside_paper: bool = True
) -> Figure:
    """The bound on the categorical codes' I(c; G(z, c)) against steps (the paper's Fig 1).

    `curves` has the columns objective, seed, step and bound_cat_nats; `codes` is what the axes call
    the codes, as mathematics. Lines are means over seeds, bands run from the lowest to the highest
    seed. A run longer than the paper's is shown twice: over its range beside it, and whole.
    """
    num_panels = 2 if beside_paper and curves["step"].max() > PAPER_STEPS else 1
    figure = Figure(figsize=(WIDTH_INCHES, 2.9), layout="constrained")
    panels = figure.subplots(1, num_panels, sharey=True, squeeze=False)[0]
    for axes in panels:
        _seed_curves(axes, curves, "bound_cat_nats", max_ticks=5)
        _entropy_line(axes, entropy_nats, codes)
    panels[0].set_ylabel(f"$L_I$ of ${codes}$ (nats)")
    panels[-1].set(title="Whole run", xlabel="Steps")
    if beside_paper:
        for objective, bound in PAPER_FIGURE_1.items():
            panels[0].plot(
                bound,
                "o:",
                color=OBJECTIVE_COLORS[str(objective)],
                linewidth=0.9,
                markersize=2.8,
                markerfacecolor="white",
                label=f"{objective_name(str(objective))}, paper",
            )
        panels[0].set(title=f"First {PAPER_STEPS:,} steps", xlabel="Steps (paper: iterations)")
        panels[0].set_xlim(0, PAPER_STEPS)
    _legend_below(figure, panels[0])
    return figure


@rc_context(STYLE)
def losses_figure(curves: pd.DataFrame) -> Figure:
    """The adversarial losses, and the bound of the continuous codes where there is one.

    `curves` has the columns objective, seed, step, discriminator_loss, generator_loss and
    perhaps bound_cont_nats, which H(c) does not limit: it is at most -0.23 per code where Q's std
    is fixed at 1, and grows without limit where it is learned.
    """
    quantities = {
        "discriminator_loss": ("Discriminator", "Loss (nats)"),
        "generator_loss": ("Generator", "Loss (nats)"),
    }
    if "bound_cont_nats" in curves:
        quantities["bound_cont_nats"] = ("Continuous codes", "$L_I$ (nats)")
    figure = Figure(figsize=(WIDTH_INCHES, 2.5), layout="constrained")
    panels = figure.subplots(1, len(quantities))
    for axes, (column, (title, ylabel)) in zip(panels, quantities.items(), strict=True):
        _seed_curves(axes, curves, column, max_ticks=3)
        axes.set(title=title, xlabel="Steps", ylabel=ylabel)
    _legend_below(figure, panels[0])
    return figure


@rc_context(STYLE)
def grid_figure(panels: Sequence[GridPanel], num_columns: int = 2) -> Figure:
    """Lay grids out in rows of `num_columns`, in the order given, at the scale of the widest."""
    num_columns = min(num_columns, len(panels))
    widest = max(panel.grid.shape[1] for panel in panels)
    pixel_inches = (WIDTH_INCHES / num_columns - 0.1) / widest
    text_inches = 0.36 if any(panel.column_labels for panel in panels) else 0.23
    rows = [panels[first : first + num_columns] for first in range(0, len(panels), num_columns)]
    heights = [max(len(panel.grid) for panel in row) * pixel_inches + text_inches for row in rows]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), layout="constrained")
    all_axes = figure.subplots(len(rows), num_columns, squeeze=False, height_ratios=heights).flat
    for axes in all_axes[len(panels) :]:
        axes.remove()
    for axes, panel in zip(all_axes, panels, strict=False):
        axes.imshow(panel.grid, cmap="gray", vmin=0, vmax=255, interpolation="none")
        axes.set_title(panel.title, pad=4)
        axes.set_xlim(-0.5, widest - 0.5)
        axes.set_anchor("N")
        axes.set(xticks=[], yticks=[])
        if panel.column_labels:
            _label_columns(axes, panel, pixel_inches)
        axes.spines[:].set_visible(False)
    return figure


def seeds_figure(
    grids: Mapping[int, UInt8[np.ndarray, "height width *colour"]], accuracies: Mapping[int, float]
) -> Figure:
    """The same traversal from every seed, good and bad, with the seed's accuracy if it has one."""
    known = {seed: f": accuracy {accuracy:.1%}" for seed, accuracy in accuracies.items()}
    panels = [GridPanel(f"Seed {seed}{known.get(seed, '')}", grid) for seed, grid in grids.items()]
    return grid_figure(panels, num_columns=2 if len(panels) in (2, 4) else 3)


def samples_figure(
    real_images: UInt8[np.ndarray, "real channel height width"],
    fake_images: Mapping[str, UInt8[np.ndarray, "fake channel height width"]],
) -> Figure:
    """Real images beside each objective's, as square grids of as many images as all of them have.

    `fake_images` is keyed by objective.
    """
    named = {"Data": real_images}
    named.update({objective_name(key): images for key, images in fake_images.items()})
    side = math.isqrt(min(len(images) for images in named.values()))
    panels = [
        GridPanel(title, grid_image(images[: side**2].reshape(side, side, *images.shape[1:])))
        for title, images in named.items()
    ]
    return grid_figure(panels, num_columns=min(len(panels), 3))


@rc_context(STYLE)
def confusion_figure(
    matrix: Int[np.ndarray, "category label"],
    order: Sequence[int],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """Images of each class by the category that Q gives them; every column adds up to its class.

    `order` lists the categories from the top row down: by matched class, a perfect code is then
    a diagonal. Cells are shaded by their share of the class and show the number of images.
    """
    counts = matrix[list(order)]
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    num_rows, num_columns = counts.shape
    cell_inches = min(0.38, 5.2 / num_columns)
    figure = Figure(figsize=(WIDTH_INCHES, cell_inches * num_rows + 1.1), layout="compressed")
    axes = figure.subplots()
    shading = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for row, column in np.argwhere(counts):
        axes.annotate(
            f"{counts[row, column]}",
            (column + 0.5, row + 0.5),
            ha="center",
            va="center",
            fontsize=min(7, 16 * cell_inches),
            color="white" if shares[row, column] > 0.55 else "black",
        )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    # An 8-point character is about 0.07 inches wide.
    fits = max(len(name) for name in class_names) * 0.07 <= cell_inches
    axes.set_xticks(np.arange(num_columns) + 0.5, class_names, **({} if fits else slanted))
    axes.set_yticks(np.arange(num_rows) + 0.5, [str(category) for category in order])
    axes.set(title=title, xlabel="Class", ylabel="Category of $c_1$")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(shading, ax=axes, format=PercentFormatter(1), shrink=0.6, aspect=16)
    bar.set_label("Share of the class")
    bar.outline.set_visible(False)
    if bar.solids:  # a gradient of 256 steps, whose vectors would show seams
        bar.solids.set(rasterized=True, edgecolor="face")
    return figure


def _seed_curves(axes: Axes, curves: pd.DataFrame, column: str, max_ticks: int) -> None:
    """Draw one line per objective, the mean over seeds, in a band from lowest to highest."""
    for objective, group in curves.dropna(subset=[column]).groupby("objective", sort=False):
        over_seeds = group.groupby("step")[column].agg(["mean", "min", "max"])
        num_seeds = group["seed"].nunique()
        label = f"{objective_name(str(objective))}, {num_seeds} seed{'s' * (num_seeds > 1)}"
        color = OBJECTIVE_COLORS.get(str(objective))
        (line,) = axes.plot(over_seeds["mean"], color=color, label=label)
        if num_seeds > 1:
            band = (over_seeds.index, over_seeds["min"], over_seeds["max"])
            axes.fill_between(*band, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set_xlim(0, max(curves["step"].max(), 1))
    axes.xaxis.set_major_locator(MaxNLocator(max_ticks, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _entropy_line(axes: Axes, entropy_nats: float, codes: str) -> None:
    """Mark the bound's ceiling, and name it above the line's right end."""
    axes.axhline(entropy_nats, color="black", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"$H({codes})$ = {entropy_nats:.2f}",
        (1, entropy_nats),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="right",
    )


def _legend_below(figure: Figure, axes: Axes) -> None:
    """Put the legend under all axes, in rows that fit the figure's width."""
    handles, labels = axes.get_legend_handles_labels()
    num_rows = math.ceil(len(labels) / 4)
    num_columns = math.ceil(len(labels) / num_rows)
    figure.legend(handles, labels, loc="outside lower center", ncols=num_columns)


def objective_name(objective: str) -> str:
    """What figures call an objective: "Regular GAN" for `gan`."""
    return OBJECTIVE_NAMES.get(objective, objective)


def code_name(name: str) -> str:
    """What figures call a code: `c1` with its number as an index."""
    return f"$c_{{{name[1:]}}}$"


def _label_columns(axes: Axes, panel: GridPanel, pixel_inches: float) -> None:
    """Write the labels above the columns' centres, leaving some out where they would touch."""
    num_columns, width = len(panel.column_labels), panel.grid.shape[1]
    label_inches = 0.062 * (max(len(label) for label in panel.column_labels) + 0.5)
    shown = range(0, num_columns, math.ceil(label_inches * num_columns / (width * pixel_inches)))
    pitch = (width + PADDING) / num_columns
    centres = [column * pitch + (pitch - PADDING - 1) / 2 for column in shown]
    axes.set_xticks(centres, [panel.column_labels[column] for column in shown])
    axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.tick_params(axis="x", length=0, pad=2, labelsize=7)
