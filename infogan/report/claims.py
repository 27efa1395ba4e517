"""The paper's claims as rules that a run's metrics keep or break."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infogan.report.document import Verdict

Metrics = dict[str, float]
RunMetrics = dict[tuple[str, int], Metrics]  # by objective and seed

EITHER_WAY = "spearman_unsigned"
# How many times as far from real images as other real images are: no picture of anything.
NO_PICTURE = 50


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, the metric that tests it, and the rule for a verdict."""

    number: str
    text: str
    paper: str
    objective: str
    metric: str
    rule: str
    holds: Callable[[float], bool]
    data: tuple[str, ...] = ("mnist",)


def _effects(
    number: str, named: str, figure: str, metric: str, *data: str, key: str = "spearman"
) -> tuple[Claim, Claim]:
    """A code controls something, steadily and by much: judged as rotation and width of digits."""
    steadily = Claim(
        number,
        f"A continuous code controls {named} ({figure})",
        "by eye",
        "infogan",
        f"{metric}_{key}",
        "at least 0.9",
        lambda value: value >= 0.9,
        data,
    )
    by_much = Claim(
        number,
        f"and by much: what it explains of the {named} of all images ({figure})",
        "by eye",
        "infogan",
        f"{metric}_share",
        "at least 0.5: more than all else together",
        lambda value: value >= 0.5,
        data,
    )
    return steadily, by_much


def _sorts(named: str, attribute: str) -> Claim:
    """A categorical code decides an attribute of CelebA."""
    return Claim(
        "C13",
        f"A categorical code decides {named} (Fig. 6)",
        "by eye",
        "infogan",
        f"{attribute}_category_share",
        "at least 0.1 of the attribute's entropy",
        lambda value: value >= 0.1,
        ("celeba",),
    )


CLAIMS = (
    Claim(
        "C1",
        "L_I of c1 reaches H(c1) = ln 10 = 2.30 nats (Fig. 1)",
        "2.28",
        "infogan",
        "bound_cat_training_nats",
        "at least 2.25: the curve's end, less the 0.03 to which it can be read",
        lambda value: value >= 2.25,
    ),
    Claim(
        "C2",
        "A regular GAN keeps little mutual information (Fig. 1)",
        "0.05",
        "gan",
        "bound_cat_training_nats",
        "at most 0.53, the curve's highest point",
        lambda value: value <= 0.53,
    ),
    Claim(
        "C3",
        "c1 classifies digits with 5% error (Sec. 7.2)",
        "0.95",
        "infogan",
        "accuracy_matched",
        "at least 0.945, which rounds to 0.95",
        lambda value: value >= 0.945,
    ),
    Claim(
        "C4",
        "Changing c1 changes the digit most of the time (Fig. 2a)",
        "by eye",
        "infogan",
        "accuracy_generated",
        "over 0.5: most generated images show their category's digit",
        lambda value: value > 0.5,
    ),
    Claim(
        "C5",
        "A continuous code controls rotation, always the same way (Fig. 2c)",
        "by eye",
        "infogan",
        "slant_spearman",
        "at least 0.9",
        lambda value: value >= 0.9,
    ),
    Claim(
        "C5",
        "and by much: what it explains of the slant within a digit (Fig. 2c)",
        "by eye",
        "infogan",
        "slant_share",
        "at least 0.5: more than all else together",
        lambda value: value >= 0.5,
    ),
    Claim(
        "C5",
        "A continuous code controls width, always the same way (Fig. 2d)",
        "by eye",
        "infogan",
        "width_spearman",
        "at least 0.9",
        lambda value: value >= 0.9,
    ),
    Claim(
        "C5",
        "and by much: what it explains of the width within a digit (Fig. 2d)",
        "by eye",
        "infogan",
        "width_share",
        "at least 0.5: more than all else together",
        lambda value: value >= 0.5,
    ),
    Claim(
        "C6",
        "Rotation goes on beyond the trained range, to -2 and 2 (Fig. 2c)",
        "by eye",
        "infogan",
        "slant_spearman_extrapolated",
        "at least 0.9",
        lambda value: value >= 0.9,
    ),
    Claim(
        "C6",
        "Width goes on beyond the trained range, to -2 and 2 (Fig. 2d)",
        "by eye",
        "infogan",
        "width_spearman_extrapolated",
        "at least 0.9",
        lambda value: value >= 0.9,
    ),
    Claim(
        "C7",
        "G does not just stretch or rotate (Fig. 2c, 2d)",
        "by eye",
        "infogan",
        "beyond_affine",
        "at least 0.2 of the difference between any two images",
        lambda value: value >= 0.2,
    ),
    Claim(
        "C8",
        "On a regular GAN c1 has no clear meaning (Fig. 2b)",
        "by eye",
        "gan",
        "accuracy_generated",
        "at most 0.2, twice what guessing gives",
        lambda value: value <= 0.2,
    ),
    Claim(
        "C9",
        "L_I converges faster than the GAN losses (Sec. 4)",
        "not stated",
        "infogan",
        "settling_ratio",
        "below 1: the bound of c1 settles before both losses do",
        lambda value: value < 1,
    ),
    *_effects("C10", "azimuth", "Fig. 3a", "azimuth", "heads", "faces"),
    *_effects("C10", "elevation", "Fig. 3b", "elevation", "heads", "faces"),
    *_effects("C10", "lighting", "Fig. 3c", "light", "heads", "faces"),
    *_effects("C10", "width", "Fig. 3d", "width", "heads"),
    # The paper says that the same value of a code may show another pose for another kind of chair.
    *_effects("C11", "rotation", "Fig. 4a", "rotation", "seats", "chairs", key=EITHER_WAY),
    *_effects("C11", "width", "Fig. 4b", "width", "seats", key=EITHER_WAY),
    *_effects("C12", "lighting", "Fig. 5a", "luminance", "svhn"),
    _sorts("glasses", "Eyeglasses"),
    _sorts("hair style", "Bangs"),
    _sorts("emotion", "Smiling"),
)


def judge_claim(claim: Claim, runs: Iterable[Metrics], floor: float) -> Verdict:
    """For how many runs the claim's rule holds; one whose images show nothing is not judged.

    `floor` is the Frechet distance of real to other real images.
    """
    values = [
        metrics[claim.metric]
        for metrics in runs
        if claim.metric in metrics and not shows_nothing(metrics, floor)
    ]
    return Verdict(sum(claim.holds(value) for value in values), len(values))


def shows_nothing(metrics: Metrics, floor: float) -> bool:
    """Whether generated images have next to nothing of the real ones, such as mere dots."""
    return metrics.get("frechet_classifier", 0.0) > NO_PICTURE * floor > 0
