"""From single runs to means, spreads over seeds, and verdicts on the paper's claims.

A verdict counts the seeds for which the claim's stated rule holds; no seed is left out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from infogan.report.claims import CLAIMS, Metrics, RunMetrics, judge_claim
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


def claims_table(runs: RunMetrics, dataset: str, floor: float) -> Table:
    """Every claim on a data set: the paper's value, ours, and for how many seeds it holds.

    The value that the rule judges is bold; those beside it are there to compare with. `floor` is
    the Frechet distance of real to other real images.
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
        own = [metrics for (objective, _), metrics in runs.items() if objective == claim.objective]
        verdict = judge_claim(claim, own, floor)
        quantity = f"`{claim.metric}`"
        rows.append((claim.number, claim.text, quantity, claim.paper, *cells, claim.rule, verdict))
    columns = (f"`{name}`" for name in objectives)
    return Table(("", "Claim", "Quantity", "Paper", *columns, "Agrees if", "Agrees for"), rows)


def claims_by_recipe(
    measured: dict[str, dict[int, Metrics]], objectives: dict[str, str], dataset: str, floor: float
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
                agree, judged = judge_claim(claim, runs.values(), floor)
                cell += f": **{agree} of {judged}**" if judged else ": not judged"
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
