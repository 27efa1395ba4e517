"""From single runs to means, spreads over seeds, and verdicts on the paper's claims."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from infogan.report.claims import CLAIMS, Measured, Metrics, judge_claim
from infogan.report.document import Table, Verdict
from infogan.report.protocols import protocol


def convergence(curves: pd.DataFrame) -> Metrics:
    """Where the bound of the categorical codes ends, and when it and both losses settle.

    From one run's curves: `curves` has the columns step, generator_loss, discriminator_loss and
    perhaps bound_cat_nats, whose mean over the last tenth is `bound_cat_training_nats`.
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
        metrics["bound_cat_training_nats"] = _end(curves["bound_cat_nats"].to_numpy())
    return metrics


def settling_step(
    steps: Integer[np.ndarray, " point"], values: Float[np.ndarray, " point"]
) -> float:
    """First step from which a curve, averaged over 1% of the run, stays near its end.

    The end is the mean of the last tenth, and near is within a tenth of it.
    """
    window = max(1, len(values) // 100)
    smooth = pd.Series(values).rolling(window, min_periods=1).mean().to_numpy()
    end = _end(values)
    away = np.flatnonzero(np.abs(smooth - end) > 0.1 * abs(end))
    first = away[-1] + 1 if len(away) else 0
    return float(steps[min(first, len(steps) - 1)])


def _end(values: Float[np.ndarray, " point"]) -> float:
    """Mean of a curve's last tenth."""
    return float(np.mean(values[-max(1, len(values) // 10) :]))


def summarise(measured: Measured) -> dict[str, Metrics]:
    """Per objective the mean over seeds of every metric, and `<metric>_std` over two or more.

    A metric that is not finite in some run has no mean; a mean over the others would hide it.
    """
    summary: dict[str, Metrics] = {}
    for objective, runs in measured.items():
        means = summary[objective] = {}
        for name, values in pd.DataFrame(list(runs.values())).items():
            if not np.isfinite(values).all():
                continue
            means[str(name)] = float(values.mean())
            if len(values) > 1:
                means[f"{name}_std"] = float(values.std(ddof=1))
    return summary


def claims_table(measured: Measured, dataset: str, floor: float) -> Table:
    """Every claim on a data set: the paper's value, ours, and for how many seeds it holds.

    The value that the rule judges is bold; those beside it are there to compare with. `floor` is
    the Frechet distance of real to other real images.
    """
    rows: list[tuple[str | Verdict, ...]] = []
    for claim in CLAIMS:
        own = measured.get(claim.objective, {})
        if dataset not in claim.data or not _values(own, claim.metric):
            continue
        cells = spreads(measured, claim.metric)
        cells[claim.objective] = f"**{cells[claim.objective]}**"
        verdict = judge_claim(claim, own.values(), floor)
        first = (claim.number, claim.text, f"`{claim.metric}`", claim.paper)
        rows.append((*first, *cells.values(), claim.rule, verdict))
    header = ("", "Claim", "Quantity", "Paper", *_code(measured), "Agrees if", "Agrees for")
    return Table(header, rows)


def claims_by_recipe(
    measured: Measured, objectives: Mapping[str, str], dataset: str, floor: float
) -> Table:
    """Every claim on a data set, a column for each recipe: our value, and how many seeds agree.

    A claim about one objective says nothing about recipes of another; their values stand beside it
    for comparison, without a verdict.
    """
    rows = []
    for claim in CLAIMS:
        if dataset not in claim.data:
            continue
        cells = []
        for recipe, cell in spreads(measured, claim.metric).items():
            runs = measured[recipe]
            if objectives[recipe] == claim.objective and _values(runs, claim.metric):
                agree, judged = judge_claim(claim, runs.values(), floor)
                cell += f": **{agree} of {judged}**" if judged else ": not judged"
            cells.append(cell)
        first = (claim.number, claim.text, f"`{claim.metric}`", claim.paper)
        rows.append((*first, *cells, claim.rule))
    return Table(("", "Claim", "Metric", "Paper", *_code(measured), "Agrees if"), rows)


def metrics_table(measured: Measured, names: Iterable[str], factors: Sequence[str] = ()) -> Table:
    """Some metrics by objective or recipe, on data with these factors."""
    rows = [
        (f"`{name}`", *spreads(measured, name).values(), protocol(name, factors)) for name in names
    ]
    return Table(("Metric", *_code(measured), "What it is"), rows)


def seeds_table(first: str, measured: Measured, names: Sequence[str]) -> Table:
    """Some metrics of every single run; `first` is the header of what it is a run of."""
    rows = [
        (name, str(seed), *(number(metrics.get(key)) for key in names))
        for name, runs in measured.items()
        for seed, metrics in runs.items()
    ]
    return Table((first, "Seed", *_code(names)), rows)


def spreads(measured: Measured, metric: str) -> dict[str, str]:
    """One metric over the seeds of each objective or recipe."""
    return {name: spread(runs, metric) for name, runs in measured.items()}


def spread(runs: Mapping[int, Metrics], metric: str) -> str:
    """Mean, standard deviation over seeds where there are several, and their number."""
    values = _values(runs, metric)
    if not values:
        return "-"
    deviation = f" ± {number(float(np.std(values, ddof=1)))}" if len(values) > 1 else ""
    return f"{number(float(np.mean(values)))}{deviation} (n = {len(values)})"


def number(value: float | None) -> str:
    """A value as the tables show it, steps and the like whole; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def _values(runs: Mapping[int, Metrics], metric: str) -> list[float]:
    return [metrics[metric] for metrics in runs.values() if metric in metrics]


def _code(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]
