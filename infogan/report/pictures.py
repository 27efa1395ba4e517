"""Which figures a report has, drawn from its runs, and what each shows.

A figure's text ends in its source: in which stage it was made, from which seeds and how many. It
says nothing that is not drawn of this data set and layout.
"""

from collections.abc import Sequence
from itertools import chain, count
from string import ascii_lowercase

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from infogan.base.dataset import DataSet
from infogan.evaluate.record import ROLE_NAMES, UNMATCHED
from infogan.params import Params, film_steps
from infogan.report import figures
from infogan.report.document import Picture
from infogan.report.grids import grid_image
from infogan.report.runs import Run, all_curves

LINES = "Lines are means over seeds, bands run from the lowest to the highest seed."
# Whose the figures of traversals are in the paper.
PAPERS_DATA = {3: "Faces", 4: "Chairs", 5: "SVHN", 6: "CelebA"}


def draw(
    runs: list[Run],
    params: Params,
    data_set: DataSet,
    real_images: UInt8[np.ndarray, "image channel height width"],
) -> dict[Picture, Figure]:
    """The figures that layout and objectives allow; pictures show the first seed."""
    layout, main, curves = params.codes, runs[0], all_curves(runs)
    first = [run for run in runs if run.seed == main.seed]
    drawn: dict[Picture, Figure] = {}

    def add(
        name: str,
        figure: Figure,
        stage: str,
        alt: str,
        text: str,
        *,
        of_first: str = "",
        is_chart: bool = False,
    ) -> None:
        """A figure and its texts; `of_first` is how much it shows of the first seed alone."""
        seeds = params.seeds[:1] if of_first else params.seeds
        several = "s" * (len(seeds) > 1)
        num = of_first or f"{len(seeds)} run{several} of each objective"
        made = f"seed{several} {', '.join(map(str, seeds))}, n = {num}."
        alt, text = f"{alt} Stage {stage}, {made}", f"{text} Stage `{stage}`, {made}"
        drawn[Picture(name, alt, text, is_chart)] = figure

    if num_codes := len(layout.categorical):
        # The paper's curve belongs beside its data set and code alone.
        beside_paper = params.dataset == "mnist" and layout.categorical == (10,)
        circles = (
            " Circles are the paper's curve, digitised; it is of c ~ Cat(10) alone, without "
            "continuous codes (`presets/fig1.yaml`)."
        )
        add(
            "figure_1",
            figures.mutual_information_figure(
                curves,
                sum(layout.categorical_entropies_nats),
                "c_1" if num_codes == 1 else rf"c_1 \ldots c_{{{num_codes}}}",
                beside_paper=beside_paper,
            ),
            "train",
            "Charts of the bound on the mutual information of the categorical codes, in nats "
            "against steps, with the entropy of these codes as a ceiling.",
            "**Figure 1.** The bound on the mutual information of the categorical codes during "
            "training, mean of each logging interval on fresh fake images. "
            f"{LINES}{circles if beside_paper else ''}",
            is_chart=True,
        )
    paper, more = PAPERS_DATA.get(data_set.figure), ""
    over = f"; in the paper, over {paper}" if paper else ""
    if main.record.get("category_to_class"):
        more = " The columns of c1 stand in the order of the classes that they match."
    if main.record["roles"]:
        more += " In the titles what a continuous code stands for, and its rank correlation, rho."
    add(
        f"figure_{data_set.figure}",
        figures.grid_figure(_panels(first, params, data_set)),
        "traverse",
        "Grids of generated images in which one code varies from left to right.",
        f"**Figure {data_set.figure}.** One code varies from left to right, the rest is fixed "
        f"along a row{over}.{more}",
        of_first=f"{params.traverse.rows} draws of noise and codes a grid",
    )
    rows = " One row for each category of c1." if layout.categorical else ""
    add(
        "film",
        figures.grid_figure([_film_panel(run, params) for run in first]),
        "train",
        "Grids of generated images: a column for each of some steps of the training, from noise "
        "to images like the data's.",
        "**Film of the training.** The same noise and codes after some steps of the training."
        + rows,
        of_first="1 draw of noise and codes",
    )
    add(
        "losses",
        figures.losses_figure(curves),
        "train",
        "Charts of D's loss, of G's loss and, where there is one, of the continuous codes' bound, "
        "all in nats against steps.",
        f"**Losses**, and the bound of the continuous codes, during training. {LINES}",
        is_chart=True,
    )
    fakes = {r.objective: r.grids["samples"].reshape(-1, *data_set.image_shape) for r in first}
    add(
        "samples",
        figures.samples_figure(real_images, fakes),
        "traverse",
        "Square grids of real test images and of generated ones.",
        "**Samples.** Real test images, and random samples from the prior.",
        of_first=f"{len(fakes[main.objective])} images each",
    )
    for run in first if "contingency" in main.record else ():
        contingency = np.array(run.record["contingency"])
        objective = figures.objective_name(run.objective)
        add(
            f"confusion_{run.objective}",
            figures.confusion_figure(
                contingency,
                _order(run),
                data_set.class_names,
                f"{objective}, seed {run.seed}: test images",
            ),
            "evaluate",
            f"Matrix of counts, {objective}: a row for each category of c1, a column for each true "
            "class.",
            f"**Confusion, {objective}.** Test images by category of c1 and by true class, shaded "
            "by their share of the class: the diagonal is right.",
            of_first=f"{contingency.sum():,} test images",
            is_chart=True,
        )
        seeds = [one for one in runs if one.objective == run.objective]
        if len(seeds) > 1:
            add(
                f"seeds_{run.objective}",
                figures.seeds_figure(
                    {one.seed: grid_image(one.grids["c1"][:, _order(one)]) for one in seeds},
                    {one.seed: one.record["metrics"]["accuracy_matched"] for one in seeds},
                ),
                "traverse",
                f"Grids of generated images, one grid for each seed, {objective}: c1 varies from "
                "left to right.",
                f"**Every seed, {objective}.** c1 varies from left to right; in the title the "
                "share of test images whose category is right.",
            )
    return drawn


def _panels(first: list[Run], params: Params, data_set: DataSet) -> list[figures.GridPanel]:
    """c1 of every objective, then the other codes of the first, those with a role ahead."""
    layout, main, panels = params.codes, first[0], []
    for run in first if layout.categorical else ():
        mapping = run.record.get("category_to_class", [])
        order = _order(run)
        labels = [
            "-" if mapping[category] == UNMATCHED else data_set.class_names[mapping[category]]
            for category in order
            if mapping
        ]
        title = f"{figures.code_name('c1')} on {figures.objective_name(run.objective)}"
        panels.append((title, run.grids["c1"][:, order], labels))
    for name in layout.names[1 : len(layout.categorical)]:
        panels.append((figures.code_name(name), main.grids[name], []))
    continuous = layout.names[len(layout.categorical) :]
    played = {continuous[role["code"]]: key for key, role in main.record["roles"].items()}
    values = np.linspace(-params.traverse.limit, params.traverse.limit, params.traverse.columns)
    labels = [f"{value:.1f}".replace("-", "\N{MINUS SIGN}") for value in values]
    for name in dict.fromkeys((*played, *continuous)):
        role = ""
        if name in played:
            correlation = main.record["metrics"][f"{played[name]}_spearman"]
            shown = ROLE_NAMES[played[name]] if data_set.shows_strokes else played[name]
            role = rf": {shown}, $\rho = {correlation:.2f}$"
        title = f"{figures.code_name(name)} on {figures.objective_name(main.objective)}{role}"
        panels.append((title, main.grids[name], labels))
    names = chain(ascii_lowercase, count(len(ascii_lowercase) + 1))
    return [
        figures.GridPanel(f"({name}) {title}", grid_image(images), labels)
        for name, (title, images, labels) in zip(names, panels, strict=False)
    ]


def _film_panel(run: Run, params: Params) -> figures.GridPanel:
    """One draw in every category, from left to right the steps after the first hundredth."""
    steps = film_steps(params.num_steps, params.training.film_frames)
    shown = [i for i, step in enumerate(steps) if step >= params.num_steps / 100]
    rows = run.film[shown, 0].swapaxes(0, 1)
    if params.codes.categorical:
        rows = rows[_order(run)]
    labels = [f"{steps[i]:,}" for i in shown]
    title = f"Steps of training: {figures.objective_name(run.objective)}"
    return figures.GridPanel(title, grid_image(rows), labels)


def category_order(mapping: Sequence[int]) -> list[int]:
    """Categories by the class that they match in `category_to_class`, those without one last."""
    return sorted(range(len(mapping)), key=lambda i: (mapping[i] == UNMATCHED, mapping[i]))


def _order(run: Run) -> list[int]:
    """The order in which a run's categories of c1 are shown; their own, without classes."""
    mapping = run.record.get("category_to_class")
    return category_order(mapping) if mapping else list(range(run.grids["c1"].shape[1]))
