"""What each figure of the report shows, in which stage it was made, from which seeds and how many.

A figure's text ends in its source, both below the picture and in place of it.
"""

import numpy as np

from infogan.params import Params
from infogan.report.document import Picture
from infogan.report.figures import objective_name
from infogan.report.pictures import beside_paper
from infogan.report.runs import Run

LINES = "Lines are means over seeds, bands run from the lowest to the highest seed."
CHARTS = ("figure_1", "losses", "confusion")
# Whose the figures of traversals are in the paper.
PAPERS_DATA = {"3": "Faces", "4": "Chairs", "5": "SVHN", "6": "CelebA"}


def picture(name: str, runs: list[Run], params: Params) -> Picture:
    """A figure with its texts, which say nothing that is not drawn of this data set and layout."""
    stage, alt, text, count = _caption(name, runs[0], params)
    seeds = params.seeds[:1] if count else params.seeds
    several = "s" * (len(seeds) > 1)
    count = count or f"{len(seeds)} run{several} of each objective"
    made = f"seed{several} {', '.join(map(str, seeds))}, n = {count}."
    alt, text = f"{alt} Stage {stage}, {made}", f"{text} Stage `{stage}`, {made}"
    return Picture(name, alt, text, is_chart=name.startswith(CHARTS))


def _caption(name: str, run: Run, params: Params) -> tuple[str, str, str, str]:
    """A figure's stage, what stands in for it, what stands below, and what it shows of one seed.

    The last is empty where it shows all seeds.
    """
    kind, _, which = name.partition("_")
    objective, more = objective_name(which), ""
    match kind:
        case "figure" if which == "1":
            if beside_paper(params):
                more = (
                    " Circles are the paper's curve, digitised; it is of c ~ Cat(10) alone, "
                    "without continuous codes (`presets/fig1.yaml`)."
                )
            return (
                "train",
                "Charts of the bound on the mutual information of the categorical codes, in nats "
                "against steps, with the entropy of these codes as a ceiling.",
                "**Figure 1.** The bound on the mutual information of the categorical codes during "
                f"training, mean of each logging interval on fresh fake images. {LINES}{more}",
                "",
            )
        case "figure":
            over = f"; in the paper, over {PAPERS_DATA[which]}" if which in PAPERS_DATA else ""
            if run.record.get("category_to_class"):
                more = " The columns of c1 stand in the order of the classes that they match."
            if run.record["roles"]:
                more += " In the titles what a continuous code stands for, and its rank "
                more += "correlation, rho."
            return (
                "traverse",
                "Grids of generated images in which one code varies from left to right.",
                f"**Figure {which}.** One code varies from left to right, the rest is fixed along "
                f"a row{over}.{more}",
                f"{params.traverse.rows} draws of noise and codes a grid",
            )
        case "film":
            if params.codes.categorical:
                more = " One row for each category of c1."
            return (
                "train",
                "Grids of generated images: a column for each of some steps of the training, from "
                "noise to images like the data's.",
                "**Film of the training.** The same noise and codes after some steps of the "
                f"training.{more}",
                "1 draw of noise and codes",
            )
        case "losses":
            return (
                "train",
                "Charts of D's loss, of G's loss and, where there is one, of the continuous codes' "
                "bound, all in nats against steps.",
                f"**Losses**, and the bound of the continuous codes, during training. {LINES}",
                "",
            )
        case "samples":
            return (
                "traverse",
                "Square grids of real test images and of generated ones.",
                "**Samples.** Real test images, and random samples from the prior.",
                f"{run.grids['samples'][..., 0, 0, 0].size} images each",
            )
        case "confusion":
            return (
                "evaluate",
                f"Matrix of counts, {objective}: a row for each category of c1, a column for each "
                "true class.",
                f"**Confusion, {objective}.** Test images by category of c1 and by true class, "
                "shaded by their share of the class: the diagonal is right.",
                f"{np.sum(run.record['contingency']):,} test images",
            )
        case _:
            return (
                "traverse",
                f"Grids of generated images, one grid for each seed, {objective}: c1 varies from "
                "left to right.",
                f"**Every seed, {objective}.** c1 varies from left to right; in the title the "
                "share of test images whose category is right.",
                "",
            )
