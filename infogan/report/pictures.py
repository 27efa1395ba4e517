"""Which figures a report has, made from its runs."""

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
from infogan.report.grids import grid_image
from infogan.report.runs import Run, all_curves


def beside_paper(params: Params) -> bool:
    """Whether Figure 1 is of the paper's data set and code, so that its curve belongs there."""
    return params.dataset == "mnist" and params.codes.categorical == (10,)


def draw(
    runs: list[Run],
    params: Params,
    data_set: DataSet,
    real_images: UInt8[np.ndarray, "image channel height width"],
) -> dict[str, Figure]:
    """The figures that layout and objectives allow, by name; pictures show the first seed."""
    layout = params.codes
    curves = all_curves(runs)
    first = [run for run in runs if run.seed == runs[0].seed]
    pictures = {}
    if num_codes := len(layout.categorical):
        pictures["figure_1"] = figures.mutual_information_figure(
            curves,
            sum(layout.categorical_entropies_nats),
            "c_1" if num_codes == 1 else rf"c_1 \ldots c_{{{num_codes}}}",
            beside_paper=beside_paper(params),
        )
    pictures[f"figure_{data_set.figure}"] = figures.grid_figure(_panels(first, params, data_set))
    pictures["film"] = figures.grid_figure([_film_panel(run, params) for run in first])
    pictures["losses"] = figures.losses_figure(curves)
    fakes = {r.objective: r.grids["samples"].reshape(-1, *data_set.image_shape) for r in first}
    pictures["samples"] = figures.samples_figure(real_images, fakes)
    for run in first if "contingency" in runs[0].record else ():
        pictures[f"confusion_{run.objective}"] = figures.confusion_figure(
            np.array(run.record["contingency"]),
            _order(run),
            data_set.class_names,
            f"{figures.objective_name(run.objective)}, seed {run.seed}: test images",
        )
        seeds = [one for one in runs if one.objective == run.objective]
        if len(seeds) > 1:
            pictures[f"seeds_{run.objective}"] = figures.seeds_figure(
                {one.seed: grid_image(one.grids["c1"][:, _order(one)]) for one in seeds},
                {one.seed: one.record["metrics"]["accuracy_matched"] for one in seeds},
            )
    return pictures


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
