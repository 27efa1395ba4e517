"""What each figure of the report shows, in which stage it was made, from which seeds and how many.

A figure's text ends in its source, both below the picture and in place of it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from infogan.report.document import Picture
from infogan.report.figures import objective_name

LINES = "Lines are means over seeds, bands run from the lowest to the highest seed."
# What the grids of traversals show of some data sets and code layouts.
TRAVERSED = {
    "classes": " The columns of c1 stand in the order of the classes that they match.",
    "roles": " In the titles what a continuous code stands for, and its rank correlation, rho.",
}


class Caption(NamedTuple):
    """A figure's stage, what stands in for it, and what stands below; `{}` is an objective.

    `more` is said below only where it is drawn.
    """

    stage: str
    alt: str
    text: str
    shows_all_seeds: bool = False
    is_chart: bool = False
    more: Mapping[str, str] | None = None


# The figures of traversals, and whose they are in the paper.
FIGURES = {
    2: "",
    3: "; in the paper, over Faces",
    4: "; in the paper, over Chairs",
    5: "; in the paper, over SVHN",
    6: "; in the paper, over CelebA",
}

CAPTIONS = {
    "figure_1": Caption(
        "train",
        "Charts of the bound on the mutual information of the categorical codes, in nats against "
        "steps, with the entropy of these codes as a ceiling.",
        "**Figure 1.** The bound on the mutual information of the categorical codes during "
        f"training, mean of each logging interval on fresh fake images. {LINES}",
        shows_all_seeds=True,
        is_chart=True,
        more={
            "paper": " Circles are the paper's curve, digitised; it is of c ~ Cat(10) alone, "
            "without continuous codes (`presets/fig1.yaml`)."
        },
    ),
    **{
        f"figure_{number}": Caption(
            "traverse",
            "Grids of generated images in which one code varies from left to right.",
            f"**Figure {number}.** One code varies from left to right, the rest is fixed along a "
            f"row{whose}.",
            more=TRAVERSED,
        )
        for number, whose in FIGURES.items()
    },
    "film": Caption(
        "train",
        "Grids of generated images: a column for each of some steps of the training, from noise to "
        "images like the data's.",
        "**Film of the training.** The same noise and codes after some steps of the training.",
        more={"categories": " One row for each category of c1."},
    ),
    "losses": Caption(
        "train",
        "Charts of D's loss, of G's loss and, where there is one, of the continuous codes' bound, "
        "all in nats against steps.",
        f"**Losses**, and the bound of the continuous codes, during training. {LINES}",
        shows_all_seeds=True,
        is_chart=True,
    ),
    "samples": Caption(
        "traverse",
        "Square grids of real test images and of generated ones.",
        "**Samples.** Real test images, and random samples from the prior.",
    ),
    "confusion": Caption(
        "evaluate",
        "Matrix of counts, {}: a row for each category of c1, a column for each true class.",
        "**Confusion, {}.** Test images by category of c1 and by true class, shaded by their share "
        "of the class: the diagonal is right.",
        is_chart=True,
    ),
    "seeds": Caption(
        "traverse",
        "Grids of generated images, one grid for each seed, {}: c1 varies from left to right.",
        "**Every seed, {}.** c1 varies from left to right; in the title the share of test images "
        "whose category is right.",
        shows_all_seeds=True,
    ),
}


def picture(name: str, seeds: Sequence[int], count: str, drawn: Collection[str] = ()) -> Picture:
    """A figure with its texts; `count` says how many of what it shows: "n = 5 draws a grid".

    `drawn` lists what is drawn of that which the captions say only then, their keys of `more`.
    """
    kind, _, objective = name.partition("_")
    caption = CAPTIONS[name if name in CAPTIONS else kind]
    shown = seeds if caption.shows_all_seeds else seeds[:1]
    made = f"seed{'s' * (len(shown) != 1)} {', '.join(map(str, shown))}, {count}."
    alt, text = (part.format(objective_name(objective)) for part in (caption.alt, caption.text))
    text += "".join(said for what, said in (caption.more or {}).items() if what in drawn)
    return Picture(
        name,
        f"{alt} Stage {caption.stage}, {made}",
        f"{text} Stage `{caption.stage}`, {made}",
        caption.is_chart,
    )
