"""Compare two states of the results: `python -m compare HEAD workspace`.

Each is a Git revision, the name of a DVC experiment, or `workspace`. All is read from Git, also
for experiments, so nothing is checked out and nothing is asked of DVC's cache.
"""

import argparse
import base64
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from dvc.scm import SCM, SCMError, resolve_rev
from ruamel.yaml import YAML, YAMLError

from infogan.base.errors import InfoGANError, end_in_one_line
from infogan.base.files import write_file
from infogan.report.document import Block, Picture, Table
from infogan.report.protocols import protocol
from infogan.report.tables import number
from infogan.report.webpage import Html, figure, inline, web_page
from stages.preset import flat
from study.git import git
from study.records import Record, load_records, same_parameters

METRICS, FIGURES, PARAMETERS = "reports/metrics.json", "reports/figures/", "params.yaml"
# What a run of the study has of its own, the judge that all have, and what a state may differ in.
OF_A_RUN = ("seeds", "objectives", "judge.weights", "runtime.precision")
ABOUT = (
    "Means over seeds. The spread is the standard deviation over the seeds of the study's recipe "
    "with the same parameters, the larger where both are recipes. Bold: more than two spreads."
)


class State(NamedTuple):
    """Metrics (`infogan.nmi`) and parameters by dotted name; figures as PNG."""

    name: str
    metrics: dict[str, float]
    parameters: dict[str, Any]
    figures: dict[str, bytes]


def main() -> None:
    """Write the page and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m compare", description=__doc__)
    parser.add_argument("before", nargs="?", default="HEAD", help="without: HEAD")
    parser.add_argument("after", nargs="?", default="workspace", help="without: workspace")
    args = parser.parse_args()
    before, after = read_state(args.before), read_state(args.after)
    out = Path("comparisons", re.sub(r"[^\w.-]+", "-", f"{args.before}-{args.after}") + ".html")
    write_file(out, comparison_page(before, after, load_records(Path("reports/study"))))
    print(f"compare: {out}")


def read_state(name: str) -> State:
    """The results of a revision, an experiment or the workspace; we are in the project's root."""
    if name == "workspace":
        found = [Path(METRICS), *Path(FIGURES).glob("*"), Path(PARAMETERS)]
        files = {path.as_posix(): path.read_bytes() for path in found if path.is_file()}
    else:
        try:
            commit = resolve_rev(SCM(".", search_parent_directories=True), name)
        except SCMError as error:
            raise InfoGANError(f"{error}, nor experiment; see `dvc exp list --all`") from error
        listed = git("ls-tree", "-z", "--name-only", commit, METRICS, FIGURES, PARAMETERS)
        paths = listed.decode().split("\0")[:-1]
        files = {path: git("show", f"{commit}:./{path}") for path in paths}
    if METRICS not in files:
        raise InfoGANError(f"{name} has no {METRICS}: nothing to compare")
    try:
        metrics = flat(json.loads(files[METRICS]))
        parameters = flat(YAML(typ="safe").load(files.get(PARAMETERS, b"{}")))
    except (ValueError, YAMLError, AttributeError) as error:  # the last: it is no mapping
        reason = " ".join(str(error).split())
        raise InfoGANError(f"{name}: {METRICS} or {PARAMETERS} is damaged ({reason})") from error
    figures = {Path(path).stem: data for path, data in files.items() if path.endswith(".png")}
    return State(name, metrics, parameters, figures)


def comparison_page(before: State, after: State, records: list[Record]) -> str:
    """One self-contained page: parameters and metrics that differ, and all figures."""
    names = [f"`{state.name}`" for state in (before, after)]
    parameters = [
        (f"`{key}`", f"`{json.dumps(old)}`", f"`{json.dumps(new)}`")
        for key, old, new in _differing(before.parameters, after.parameters)
    ]
    spreads = seed_spreads((before, after), records)
    metrics = [
        _row(key, old, new, spreads.get(key))
        for key, old, new in _differing(before.metrics, after.metrics)
    ]
    header = ("Metric", *names, "Difference", "Spread", "What it is")
    blocks: list[Block | Html] = [f"# Compared: {before.name} and {after.name}", ABOUT]
    blocks += ["## Parameters that differ", Table(("Parameter", *names), parameters)]
    blocks += ["## Metrics that differ", Table(header, metrics), "## Figures"]
    for name in sorted({*before.figures, *after.figures}):
        pair = _figure(name, before) + _figure(name, after)
        blocks.append(Html(f'<div class="pair">\n{pair}</div>'))
    return web_page(blocks)


def seed_spreads(states: tuple[State, State], records: list[Record]) -> dict[str, float]:
    """The standard deviation of each metric over the seeds that the study has of a state."""
    runs = []
    for state in states:
        own = {k: v for k, v in state.parameters.items() if not k.startswith("runtime.")}
        for record in records:
            recorded = record.contents["parameters"]
            chosen = {key: recorded[key] for key in OF_A_RUN if key in recorded}
            if same_parameters(recorded, own | chosen):
                metrics = flat({chosen["objectives"][0]: record.metrics})
                runs.append({"state": state.name, **metrics})
    spreads = pd.DataFrame(runs).groupby("state").std().max() if runs else pd.Series()
    return {str(name): std for name, std in spreads.dropna().items()}


def _differing(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    pairs = [(key, before.get(key), after.get(key)) for key in {**before, **after}]
    return [(key, old, new) for key, old, new in pairs if old != new]


def _row(key: str, old: float | None, new: float | None, spread: float | None) -> tuple[str, ...]:
    change, known = "-", "-" if spread is None else f"{spread:.2g}"
    if old is not None and new is not None:
        is_large = spread is not None and abs(new - old) > 2 * spread
        change = f"**{new - old:+.3g}**" if is_large else f"{new - old:+.3g}"
    return f"`{key}`", number(old), number(new), change, known, protocol(key.partition(".")[2])


def _figure(name: str, state: State) -> str:
    if name not in state.figures:
        return f'<figure><p class="absent">{inline(f"No {name} in {state.name}")}</p></figure>\n'
    source = f"data:image/png;base64,{base64.b64encode(state.figures[name]).decode()}"
    caption = f"**{name}**, {state.name}"
    return figure(Picture(f"{name} {state.name}", f"{name} of {state.name}", caption), source)


if __name__ == "__main__":
    end_in_one_line(main)
