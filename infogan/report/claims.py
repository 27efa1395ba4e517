"""The paper's claims as rules that a run's metrics keep or break."""

import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass

from infogan.report.document import Verdict

Metrics = dict[str, float]
Measured = dict[str, dict[int, Metrics]]  # by objective or recipe, and seed

COMPARISONS = {
    "at least": operator.ge,
    "at most": operator.le,
    "over": operator.gt,
    "below": operator.lt,
}
ALIKE = "always the same way"
MOST = "at least 0.5: more than all else together; and so steadily"
BEYOND = "at least 0.9; and within the range steadily and by much"
# How many times as far from real images as other real images are: no picture of anything.
NO_PICTURE = 50


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and the metric that tests it by a rule: "at most 0.53, and why".

    A run agrees only where it agrees with the claim `given`, too, if there is one.
    """

    number: str
    text: str
    metric: str
    rule: str
    paper: str = "by eye"
    objective: str = "infogan"
    data: tuple[str, ...] = ("mnist",)
    given: "Claim | None" = None

    def agrees(self, metrics: Metrics) -> bool:
        """Whether a run keeps this claim's rule, and that of the one given."""
        is_given = self.given is None or self.given.agrees(metrics)
        return is_given and self.holds(metrics[self.metric])

    def holds(self, value: float) -> bool:
        """Whether the metric's value is within the limit that the rule begins with."""
        words, limit = re.findall(r"^(\D+) ([\d.]*\d)", self.rule)[0]
        return bool(COMPARISONS[words](value, float(limit)))


def _effects(
    number: str, named: str, figure: str, metric: str, *data: str, of: str = ""
) -> tuple[Claim, Claim]:
    """A code controls something, steadily and by much, by what it explains `of` some values."""
    steadily = f"A continuous code controls {named} ({figure})"
    by_much = f"and by much: what it explains of the {of or f'{named} of all images'} ({figure})"
    first = Claim(number, steadily, f"{metric}_spearman", "at least 0.9", data=data)
    return first, Claim(number, by_much, f"{metric}_share", MOST, data=data, given=first)


def _decides(factor: str, figure: str, *data: str) -> Claim:
    """The one continuous code decides a factor, in each kind of chair its own way.

    The paper says that a value of it may show another pose for another kind; kinds are categories.
    How steadily a factor follows it, whichever way, tells nothing: it does so on noise, too.
    """
    text = f"The continuous code decides {factor}, whichever way for each kind of chair ({figure})"
    rule = "at least 0.5: more than all else does among images of the same categories"
    return Claim("C11", text, f"{factor}_share_together", rule, data=data)


def _sorts(named: str, attribute: str) -> Claim:
    """A categorical code decides an attribute of CelebA."""
    text = f"A categorical code decides {named} (Fig. 6)"
    rule = "at least 0.1 of the attribute's entropy"
    return Claim("C13", text, f"{attribute}_category_share", rule, data=("celeba",))


ROTATION = _effects(
    "C5", f"rotation, {ALIKE}", "Fig. 2c", "slant", "mnist", of="slant within a digit"
)
WIDTH = _effects("C5", f"width, {ALIKE}", "Fig. 2d", "width", "mnist", of="width within a digit")

CLAIMS = (
    Claim(
        "C1",
        "L_I of c1 reaches H(c1) = ln 10 = 2.30 nats (Fig. 1)",
        "bound_cat_training_nats",
        "at least 2.25: the curve's end, less the 0.03 to which it can be read",
        paper="2.28",
    ),
    Claim(
        "C2",
        "A regular GAN keeps little mutual information (Fig. 1)",
        "bound_cat_training_nats",
        "at most 0.53, the curve's highest point",
        paper="0.05",
        objective="gan",
    ),
    Claim(
        "C3",
        "c1 classifies digits with 5% error (Sec. 7.2)",
        "accuracy_matched",
        "at least 0.945, which rounds to 0.95",
        paper="0.95",
    ),
    Claim(
        "C4",
        "Changing c1 changes the digit most of the time (Fig. 2a)",
        "accuracy_generated",
        "over 0.5: most generated images show their category's digit",
    ),
    *ROTATION,
    *WIDTH,
    Claim(
        "C6",
        "Rotation goes on beyond the trained range, to -2 and 2 (Fig. 2c)",
        "slant_spearman_extrapolated",
        BEYOND,
        given=ROTATION[1],
    ),
    Claim(
        "C6",
        "Width goes on beyond the trained range, to -2 and 2 (Fig. 2d)",
        "width_spearman_extrapolated",
        BEYOND,
        given=WIDTH[1],
    ),
    Claim(
        "C7",
        "G does not just stretch or rotate (Fig. 2c, 2d)",
        "beyond_affine",
        "at least 0.2 of the difference between any two images",
    ),
    Claim(
        "C8",
        "On a regular GAN c1 has no clear meaning (Fig. 2b)",
        "accuracy_generated",
        "at most 0.2, twice what guessing gives",
        objective="gan",
    ),
    Claim(
        "C9",
        "L_I converges faster than the GAN losses (Sec. 4)",
        "settling_ratio",
        "below 1: the bound of c1 settles before both losses do",
        paper="not stated",
    ),
    *_effects("C10", "azimuth", "Fig. 3a", "azimuth", "heads", "faces"),
    *_effects("C10", "elevation", "Fig. 3b", "elevation", "heads", "faces"),
    *_effects("C10", "lighting", "Fig. 3c", "light", "heads", "faces"),
    *_effects("C10", "width", "Fig. 3d", "width", "heads"),
    _decides("rotation", "Fig. 4a", "seats", "chairs"),
    _decides("width", "Fig. 4b", "seats"),
    *_effects("C12", "lighting", "Fig. 5a", "luminance", "svhn"),
    _sorts("glasses", "Eyeglasses"),
    _sorts("hair style", "Bangs"),
    _sorts("emotion", "Smiling"),
)


def judge_claim(claim: Claim, runs: Iterable[Metrics], floor: float) -> Verdict:
    """For how many runs the claim's rule holds; one whose images show nothing is not judged.

    `floor` is the Frechet distance of real to other real images.
    """
    judged = [
        metrics for metrics in runs if claim.metric in metrics and not shows_nothing(metrics, floor)
    ]
    return Verdict(sum(map(claim.agrees, judged)), len(judged))


def shows_nothing(metrics: Metrics, floor: float) -> bool:
    """Whether generated images have next to nothing of the real ones, such as mere dots."""
    return metrics.get("frechet_classifier", 0.0) > NO_PICTURE * floor > 0
