"""All runs in a table as wide as the screen, what `dvc exp show` shows in ten: `make runs`.

A row for the workspace, the present commit and each experiment; a column for each parameter that
differs between them, then for the headline metrics of each run's first objective.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from infogan.report.tables import number
from stages.preset import flat

METRICS = "reports/metrics.json"
HEADLINES = (
    *("accuracy_matched", "accuracy_generated", "bound_cat_nats", "slant_spearman"),
    *("width_spearman", "frechet_classifier"),
)
WIDTH = 120  # where the output is no terminal
MAX_CELL = 32


class Row(NamedTuple):
    """One run: parameters by dotted name, metrics of its first objective."""

    name: str
    state: str
    parameters: dict[str, Any]
    metrics: dict[str, float]


def read_rows(shown: Sequence[dict[str, Any]]) -> list[Row]:
    """The rows of what `dvc exp show --json` gives."""
    rows = []
    for baseline in shown:
        rows.append(_row("", baseline, "finished"))
        for experiment in baseline["experiments"] or ():
            state = (experiment["executor"] or {}).get("state", "finished")
            rows.append(_row("  ", experiment["revs"][0], state))
    return rows


def _row(indent: str, revision: dict[str, Any], state: str) -> Row:
    name = revision["name"] or revision["rev"]
    if re.fullmatch("[0-9a-f]{40}", name):
        name = name[:7]
    data = revision["data"] or {"params": {}, "metrics": {}}
    values = {path: file.get("data") for path, file in data["metrics"].items()}
    parameters = data["params"].get("params.yaml", {}).get("data") or {}
    measured = values.pop(METRICS, None) or {}
    if state == "running":
        measured = {}  # those of the commit that it started from
        for path, live in values.items():
            if live and live["step"] < parameters["num_steps"]:
                state += f", {Path(path).parent.name} at step {live['step']:,}"
    objective = (parameters.get("objectives") or [""])[0]
    return Row(indent + name, state, flat(parameters), measured.get(objective, {}))


def table(rows: Sequence[Row], width: int) -> str:
    """The rows as text; columns at the right that do not fit are named below it."""
    columns = {"run": [row.name for row in rows]}
    if any(row.state != "finished" for row in rows):
        columns["state"] = [row.state for row in rows]
    for name in dict.fromkeys(name for row in rows for name in row.parameters):
        if len({json.dumps(row.parameters.get(name)) for row in rows if row.parameters}) > 1:
            columns[name] = [json.dumps(row.parameters.get(name)) for row in rows]
    for name in HEADLINES:
        if any(name in row.metrics for row in rows):
            columns[name] = [number(row.metrics.get(name)) for row in rows]

    drawn = [_column(name, cells) for name, cells in columns.items()]
    while len(drawn) > 1 and sum(len(column[0]) + 2 for column in drawn) - 2 > width:
        drawn.pop()
    height = max(map(len, drawn))
    padded = [[" " * len(column[0])] * (height - len(column)) + column for column in drawn]
    lines = ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]
    if left_off := ", ".join(list(columns)[len(drawn) :]):
        lines += ["", f"No room for {left_off}: see `dvc exp show`, or widen the window."]
    return "\n".join(lines)


def _column(name: str, cells: Sequence[str]) -> list[str]:
    """Lines of one width: a heading in parts, a rule, cells; text to the left, numbers right."""
    heading = re.findall(r"[^._]+[._]?", name)
    short = [cell if len(cell) <= MAX_CELL else f"{cell[: MAX_CELL - 3]}..." for cell in cells]
    width = max(len(text) for text in [*heading, *short])
    lines = [*heading, "-" * width, *short]
    return [line.ljust(width) if name in ("run", "state") else line.rjust(width) for line in lines]


def main() -> None:
    """Ask DVC and print the table."""
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    width = shutil.get_terminal_size((WIDTH, 0)).columns
    print(table(read_rows(json.loads(done.stdout)), width))


if __name__ == "__main__":
    main()
