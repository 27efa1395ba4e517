"""The page that sets two states of the results side by side."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from compare.revisions import Results, flat
from infogan.report.captions import CAPTIONS
from infogan.report.document import Block, Picture, Table
from infogan.report.figure_files import save_svg
from infogan.report.figures import STYLE, WIDTH_INCHES, objective_name
from infogan.report.protocols import PROTOCOLS
from infogan.report.tables import number
from infogan.report.webpage import Html, figure, inline, web_page

# Before and after: a broad grey line stays visible under a thin blue one that is the same.
LINES = (("#AAAAAA", 2.6), ("#0072B2", 1.0))
QUANTITIES = {
    "bound_cat_nats": "$L_I$ of $c_1$ (nats)",
    "bound_cont_nats": "$L_I$, continuous (nats)",
    "discriminator_loss": "D's loss (nats)",
    "generator_loss": "G's loss (nats)",
}
ABSENT = "-"


def comparison_page(before: Results, after: Results) -> str:
    """One self-contained page: parameters and metrics that differ, curves, figures."""
    blocks: list[Block | Html] = [
        f"# Compared: {before.name} and {after.name}",
        f"`{before.name}` is {_described(before)}; `{after.name}` is {_described(after)}. "
        "Differences are the second less the first, of means over seeds; ± is the standard "
        "deviation over seeds.",
        "## Parameters that differ",
        _parameters_table(before, after) or "None.",
    ]
    for section in dict.fromkeys([*before.metrics, *after.metrics]):
        metrics = (before.metrics.get(section, {}), after.metrics.get(section, {}))
        blocks += [f"## Metrics: {section}", _metrics_table(before, after, *metrics)]
    curves = _curves(before, after)
    if curves:
        blocks += ["## Curves", curves]
    blocks.append("## Figures")
    names = sorted({*before.pictures, *after.pictures}, key=lambda name: (_rank(name), name))
    blocks += [_pictures(name, before, after) for name in names]
    return web_page(blocks)


def num_differing(before: Results, after: Results) -> tuple[int, int]:
    """How many parameters and how many metrics differ."""
    parameters = _differing(before.parameters, after.parameters)
    metrics = _differing(flat(before.metrics), flat(after.metrics))
    return len(parameters), len([name for name in metrics if not name.endswith("_std")])


def _described(results: Results) -> str:
    seeds = results.parameters.get("seeds", [])
    commit = results.commit if results.commit == results.name else f"commit {results.commit[:8]}"
    return f"{commit}, {len(seeds)} seed{'s' * (len(seeds) != 1)}"


def _parameters_table(before: Results, after: Results) -> Table | None:
    names = _differing(before.parameters, after.parameters)
    rows = [
        (f"`{name}`", *(_value(state.parameters, name) for state in (before, after)))
        for name in names
    ]
    header = ("Parameter", f"`{before.name}`", f"`{after.name}`")
    return Table(header, rows) if rows else None


def _metrics_table(
    before: Results, after: Results, old: Mapping[str, float], new: Mapping[str, float]
) -> Table:
    rows = [
        (
            f"`{name}`",
            _with_spread(old, name),
            _with_spread(new, name),
            _difference(old[name], new[name])
            if name in old and name in new
            else f"only in {(before if name in old else after).name}",
            PROTOCOLS.get(name, ""),
        )
        for name in _names(old, new)
    ]
    header = ("Metric", f"`{before.name}`", f"`{after.name}`", "Difference", "What it is")
    return Table(header, rows)


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """All metrics but the spreads, which stand beside their means."""
    names = dict.fromkeys([*old, *new])
    return [name for name in names if not name.endswith("_std")]


def _with_spread(values: Mapping[str, float], name: str) -> str:
    spread = values.get(f"{name}_std")
    return number(values.get(name)) + ("" if spread is None else f" ± {number(spread)}")


def _difference(old: float, new: float) -> str:
    if old == new:
        return "same"
    sign, size = "+" if new > old else "\N{MINUS SIGN}", abs(new - old)
    digits = 0 if max(abs(old), abs(new)) >= 100 else 3
    rounded = f"{size:,.{digits}f}"
    return f"**{sign}{rounded}**" if round(size, digits) else f"{sign}{size:.0e}"


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in dict.fromkeys([*old, *new]) if _value(old, name) != _value(new, name)]


def _value(values: Mapping[str, Any], name: str) -> str:
    return f"`{json.dumps(values[name])}`" if name in values else ABSENT


def _pictures(name: str, before: Results, after: Results) -> Html:
    """A figure of both states side by side, or once where it is the same."""
    pictures = (before.pictures.get(name), after.pictures.get(name))
    if pictures[0] == pictures[1] and pictures[0]:
        return Html(_picture(name, f"{before.name} and {after.name}, the same", pictures[0]))
    shown = [
        _picture(name, state.name, data) if data else _missing(name, state.name)
        for state, data in zip((before, after), pictures, strict=True)
    ]
    return Html(f'<div class="pair">\n{"".join(shown)}</div>')


def _picture(name: str, of: str, data: bytes) -> str:
    known = CAPTIONS.get(_kind(name))
    alt = f"{name} of {of}. {known.alt.format(name.partition('_')[2]) if known else ''}"
    picture = Picture(f"{name} {of}", alt, f"**{name}**, {of}", bool(known and known.is_chart))
    return figure(picture, f"data:image/png;base64,{base64.b64encode(data).decode()}")


def _kind(name: str) -> str:
    return name if name in CAPTIONS else name.partition("_")[0]


def _rank(name: str) -> int:
    """Figures stand in the order of the report."""
    kinds = list(CAPTIONS)
    return kinds.index(_kind(name)) if _kind(name) in kinds else len(kinds)


def _missing(name: str, of: str) -> str:
    return f'<figure><p class="absent">{inline(f"No {name} in {of}")}</p></figure>\n'


def _curves(before: Results, after: Results) -> Html | None:
    """The curves of both states in the same axes, a panel for each objective and quantity."""
    columns = {*before.curves.columns, *after.curves.columns}
    grid = [
        [f"{objective}_{quantity}" for quantity in QUANTITIES]
        for objective in dict.fromkeys([*before.metrics, *after.metrics])
        if columns & {f"{objective}_{quantity}" for quantity in QUANTITIES}
    ]
    if not grid:
        return None
    with TemporaryDirectory() as folder:
        save_svg(_curves_figure(grid, before, after), Path(folder, "curves.svg"))
        data = Path(folder, "curves.svg").read_bytes()
    caption = "Means over seeds during training, by objective."
    source = f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"
    return Html(figure(Picture("curves", f"Curves of both. {caption}", caption, True), source))


@rc_context(STYLE)
def _curves_figure(grid: list[list[str]], before: Results, after: Results) -> Figure:
    """A row for each objective, a column for each quantity; `grid` names the curves."""
    drawn = Figure(figsize=(WIDTH_INCHES, 1.8 * len(grid) + 0.3), layout="constrained")
    all_axes = drawn.subplots(len(grid), len(QUANTITIES), squeeze=False)
    for row, names in zip(all_axes, grid, strict=True):
        for axes, name, (quantity, label) in zip(row, names, QUANTITIES.items(), strict=True):
            for state, (color, width) in zip((before, after), LINES, strict=True):
                curve = state.curves.reindex(columns=["step", name])
                axes.plot(*curve.to_numpy().T, color=color, linewidth=width, label=state.name)
            title = objective_name(name.removesuffix(f"_{quantity}"))
            axes.set(title=title, xlabel="Steps", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            if not any(name in state.curves for state in (before, after)):
                axes.set_visible(False)
    handles, labels = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=2)
    return drawn
