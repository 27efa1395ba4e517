"""What each figure of the report shows, in which stage it was made, from which seeds and how many.

A figure's text ends in its source, both below the picture and in place of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from infogan.report.document import Picture
from infogan.report.figures import objective_name

LINES = "Lines are means over seeds, bands run from the lowest to the highest seed."


class Caption(NamedTuple):
    """A figure's stage, what stands in for it, and what stands below; `{}` is an objective."""

    stage: str
    alt: str
    text: str
    shows_all_seeds: bool = False
    is_chart: bool = False


# The paper's other figures of traversals.
FIGURES = {
    3: "in the paper, over Faces",
    4: "in the paper, over Chairs",
    5: "in the paper, over SVHN",
    6: "in the paper, over CelebA",
}

CAPTIONS = {
    "figure_1": Caption(
        "train",
        "Two charts of the bound on I(c1; G(z, c)) in nats against steps, with the paper's points "
        "and the entropy of c1 as a ceiling.",
        "**Figure 1.** The bound on the mutual information of the categorical codes during "
        "training, mean of each logging interval on fresh fake images; the paper's curve digitised."
        f" {LINES}",
        shows_all_seeds=True,
        is_chart=True,
    ),
    "figure_2": Caption(
        "traverse",
        "Grids of generated images in which one code varies from left to right.",
        "**Figure 2.** One code varies from left to right, the rest is fixed along a row; the "
        "columns of c1 in the order of the digits that they match, the continuous codes with their "
        "role and its rank correlation, rho.",
    ),
    **{
        f"figure_{number}": Caption(
            "traverse",
            "Grids of generated images in which one code varies from left to right.",
            f"**Figure {number}.** One code varies from left to right, the rest is fixed along a "
            f"row; {whose}. In the titles the factor that a continuous code stands for, and its "
            "rank correlation, rho.",
        )
        for number, whose in FIGURES.items()
    },
    "film": Caption(
        "train",
        "Grids of generated images: a row for each category of c1, a column for each of some "
        "steps of the training, from grey noise to digits.",
        "**Film of the training.** The same noise and codes after some steps of the training, one "
        "row for each category of c1.",
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


def picture(name: str, seeds: Sequence[int], count: str) -> Picture:
    """A figure with its texts; `count` says how many of what it shows: "n = 5 draws a grid"."""
    kind, _, objective = name.partition("_")
    caption = CAPTIONS[name if name in CAPTIONS else kind]
    shown = seeds if caption.shows_all_seeds else seeds[:1]
    seeds_shown = f"seed{'s' * (len(shown) != 1)} {', '.join(map(str, shown))}"
    alt, text = (part.format(objective_name(objective)) for part in (caption.alt, caption.text))
    return Picture(
        name,
        f"{alt} Stage {caption.stage}, {seeds_shown}, {count}.",
        f"{text} Stage `{caption.stage}`, {seeds_shown}, {count}.",
        caption.is_chart,
    )
