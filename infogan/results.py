"""From single runs to means, spreads over seeds, and verdicts on the paper's claims.

A verdict counts the seeds for which the claim's stated rule holds; no seed is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from infogan.document import Table, Verdict

Metrics = dict[str, float]
RunMetrics = dict[tuple[str, int], Metrics]  # by objective and seed


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


def _effects(number: str, named: str, figure: str, metric: str, *data: str) -> tuple[Claim, Claim]:
    """A code controls something, steadily and by much: judged as rotation and width of digits."""
    steadily = Claim(
        number,
        f"A continuous code controls {named} ({figure})",
        "by eye",
        "infogan",
        f"{metric}_spearman",
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
        "bound_cat_nats",
        "at least 2.25: the curve's end, less the 0.03 to which it can be read",
        lambda value: value >= 2.25,
    ),
    Claim(
        "C2",
        "A regular GAN keeps little mutual information (Fig. 1)",
        "0.05",
        "gan",
        "bound_cat_nats",
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
        "warp_residual",
        "at least 0.1 of the change is left after the best affine map",
        lambda value: value >= 0.1,
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
    *_effects("C11", "rotation", "Fig. 4a", "rotation", "seats", "chairs"),
    *_effects("C11", "width", "Fig. 4b", "width", "seats"),
    *_effects("C12", "lighting", "Fig. 5a", "luminance", "svhn"),
    _sorts("glasses", "Eyeglasses"),
    _sorts("hair style", "Bangs"),
    _sorts("emotion", "Smiling"),
)

# What each metric is; the protocols in full are in the docstrings of the functions that measure.
PROTOCOLS = {
    "accuracy_matched": "argmax of Q(c1 given x) on test images, mapped one-to-one to digits",
    "accuracy_majority": "the same, each category mapped to its most frequent class",
    "nmi": "normalised mutual information of the same predictions and the labels",
    "ari": "adjusted Rand index of the same",
    "accuracy_matched_batch_statistics": "accuracy_matched with batch norm on batch statistics",
    "accuracy_majority_batch_statistics": "accuracy_majority likewise",
    "nmi_batch_statistics": "nmi likewise",
    "ari_batch_statistics": "ari likewise",
    "accuracy_generated": "share of generated images in which the classifier sees c1's digit",
    "bound_cat_nats": "L_I of the categorical codes on fresh samples; at most ln 10 = 2.30 for c1",
    "bound_cont_nats": "L_I of the continuous codes together, with Q's std as trained",
    "bound_cont_fitted_nats": "the same with the best constant std",
    "slant_spearman": "rank correlation of the slant code with the slant of digits, abs(c) <= 1",
    "slant_spearman_extrapolated": "the same for 1 < abs(c) <= 2",
    "width_spearman": "rank correlation of the width code with the width of digits, abs(c) <= 1",
    "width_spearman_extrapolated": "the same for 1 < abs(c) <= 2",
    "bound_cat_refit_nats": "bound_cat_nats of another Q, trained on the frozen generator",
    "bound_cont_refit_nats": "the same for the continuous codes, with a learned std",
    "slant_share": "share of the slant's variance within a category that the slant code explains",
    "slant_change": "mean change of the slant from code -1 to 1, in radians",
    "width_share": "share of the width's variance within a category that the width code explains",
    "width_change": "mean change of the width from code -1 to 1, in pixels",
    "warp_residual": "share of the change from code -1 to 1 that no affine map explains",
    "bound_cat_settling_step": "step from which the bound of c1 stays within 10% of its end",
    "generator_loss_settling_step": "the same for G's loss",
    "discriminator_loss_settling_step": "the same for D's loss",
    "settling_ratio": "bound_cat_settling_step over the earlier of the two losses'",
    "digit_kept": "share of traversal images that still show the row's digit, abs(c) <= 1",
    "digit_kept_extrapolated": "the same for 1 < abs(c) <= 2",
    "frechet_classifier": "Frechet distance to 10,000 training images on the judge's features",
    "mig": "mutual information gap of Q's continuous codes on real test images",
    "factor_vae": "FactorVAE score of the same",
    "dci_disentanglement": "how much each of these codes serves one factor alone, by forests",
    "dci_completeness": "how much each factor is served by one of these codes alone",
    "dci_informativeness": "R2 with which forests predict the factors from these codes",
}
FACTOR_PROTOCOLS = {
    "_code_spearman": "rank correlation of {} with Q's code for it, on real test images",
    "_code_r2": "share of the variance of {} that this code explains there",
    "_spearman": "rank correlation of {}, read off generated images, with its code, abs(c) <= 1",
    "_category_share": "largest share of the entropy of {} that a categorical code gives away",
    "_share": "share of the variance of {}, read off generated images, that its code explains",
    "_change": "mean change of {} from code -1 to 1, in its own unit",
}


def protocol(metric: str, factors: Sequence[str] = ()) -> str:
    """What a metric is, on data with these factors; empty for an unknown one."""
    for factor in factors:
        for suffix, text in FACTOR_PROTOCOLS.items():
            if metric == factor + suffix:
                return text.format(factor)
    return PROTOCOLS.get(metric, "")


def convergence(curves: pd.DataFrame) -> Metrics:
    """When the bound of the categorical codes and both losses settle, from one run's curves.

    `curves` has the columns step, generator_loss, discriminator_loss and perhaps bound_cat_nats.
    """
    steps = curves["step"].to_numpy()
    names = ("bound_cat_nats", "generator_loss", "discriminator_loss")
    settled = {
        name: settling_step(steps, curves[name].to_numpy()) for name in names if name in curves
    }
    metrics = {f"{name.removesuffix('_nats')}_settling_step": v for name, v in settled.items()}
    if "bound_cat_nats" in settled:
        losses = min(settled["generator_loss"], settled["discriminator_loss"])
        metrics["settling_ratio"] = settled["bound_cat_nats"] / losses
    return metrics


def settling_step(
    steps: Integer[np.ndarray, " point"], values: Float[np.ndarray, " point"]
) -> float:
    """First step from which a curve, averaged over 1% of the run, stays near its end.

    The end is the mean of the last tenth, and near is within a tenth of it.
    """
    window = max(1, len(values) // 100)
    smooth = pd.Series(values).rolling(window, min_periods=1).mean().to_numpy()
    end = float(np.mean(values[-max(1, len(values) // 10) :]))
    away = np.flatnonzero(np.abs(smooth - end) > 0.1 * abs(end))
    first = away[-1] + 1 if len(away) else 0
    return float(steps[min(first, len(steps) - 1)])


def summarise(runs: RunMetrics) -> dict[str, Metrics]:
    """Per objective the mean over seeds of every metric, and `<metric>_std` over two or more.

    A metric that is not finite in some run has no mean; a mean over the others would hide it.
    """
    summary: dict[str, Metrics] = {}
    for objective in dict.fromkeys(objective for objective, _ in runs):
        frame = pd.DataFrame([m for (o, _), m in runs.items() if o == objective])
        values: Metrics = {}
        for name in frame.columns:
            if not np.isfinite(frame[name]).all():
                continue
            values[name] = float(frame[name].mean())
            if len(frame) > 1:
                values[f"{name}_std"] = float(frame[name].std(ddof=1))
        summary[objective] = values
    return summary


def claims_table(runs: RunMetrics, dataset: str) -> Table:
    """Every claim on a data set: the paper's value, ours, and for how many seeds it holds.

    The value that the rule judges is bold; those beside it are there to compare with.
    """
    objectives = list(dict.fromkeys(objective for objective, _ in runs))
    rows: list[tuple[str | Verdict, ...]] = []
    for claim in CLAIMS:
        values = _values(runs, claim.objective, claim.metric)
        if dataset not in claim.data or not values:
            continue
        cells = [spread(_values(runs, name, claim.metric)) for name in objectives]
        judged = objectives.index(claim.objective)
        cells[judged] = f"**{cells[judged]}**"
        verdict = Verdict(sum(claim.holds(value) for value in values), len(values))
        quantity = f"`{claim.metric}`"
        rows.append((claim.number, claim.text, quantity, claim.paper, *cells, claim.rule, verdict))
    columns = (f"`{name}`" for name in objectives)
    return Table(("", "Claim", "Quantity", "Paper", *columns, "Agrees if", "Agrees for"), rows)


def claims_by_recipe(
    measured: dict[str, dict[int, Metrics]], objectives: dict[str, str], dataset: str
) -> Table:
    """Every claim on a data set, a column for each recipe: our value, and how many seeds agree.

    `measured` is by recipe and seed. A claim about one objective says nothing about recipes of
    another; their values stand beside it for comparison, without a verdict.
    """
    rows = []
    for claim in CLAIMS:
        if dataset not in claim.data:
            continue
        cells = []
        for recipe, runs in measured.items():
            values = values_over_seeds(runs, claim.metric)
            cell = spread(values)
            if values and objectives[recipe] == claim.objective:
                agree = sum(claim.holds(value) for value in values)
                cell += f": **{agree} of {len(values)}**"
            cells.append(cell)
        rows.append(
            (claim.number, claim.text, f"`{claim.metric}`", claim.paper, *cells, claim.rule)
        )
    columns = (f"`{recipe}`" for recipe in measured)
    return Table(("", "Claim", "Metric", "Paper", *columns, "Agrees if"), rows)


def metrics_table(runs: RunMetrics, factors: Sequence[str] = ()) -> Table:
    """Every metric, by objective, on data with these factors."""
    objectives = list(dict.fromkeys(objective for objective, _ in runs))
    names = list(dict.fromkeys(name for metrics in runs.values() for name in metrics))
    rows = [
        (
            f"`{name}`",
            *(spread(_values(runs, o, name)) for o in objectives),
            protocol(name, factors),
        )
        for name in names
    ]
    return Table(("Metric", *(f"`{o}`" for o in objectives), "What it is"), rows)


def seeds_table(runs: RunMetrics, names: Sequence[str]) -> Table:
    """Some metrics of every single run."""
    present = [name for name in names if any(name in metrics for metrics in runs.values())]
    rows = [
        (objective, str(seed), *(number(metrics.get(name)) for name in present))
        for (objective, seed), metrics in runs.items()
    ]
    return Table(("Objective", "Seed", *(f"`{name}`" for name in present)), rows)


def values_over_seeds(runs: dict[int, Metrics], metric: str) -> list[float]:
    """One metric of every run of a recipe that has it; `runs` is by seed."""
    return [metrics[metric] for metrics in runs.values() if metric in metrics]


def spread(values: Sequence[float]) -> str:
    """Mean, standard deviation over seeds where there are several, and their number."""
    if not values:
        return "-"
    mean = number(float(np.mean(values)))
    if len(values) == 1:
        return f"{mean} (n = 1)"
    return f"{mean} ± {number(float(np.std(values, ddof=1)))} (n = {len(values)})"


def _values(runs: RunMetrics, objective: str, metric: str) -> list[float]:
    return [m[metric] for (o, _), m in runs.items() if o == objective and metric in m]


def number(value: float | None) -> str:
    """A value as the tables show it, steps and the like whole; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
