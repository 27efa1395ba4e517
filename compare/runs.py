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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infogan.report.tables import number
from stages.preset import flat

METRICS = "reports/metrics.json"
HEADLINES = (
    *("accuracy_matched", "accuracy_generated", "bound_cat_nats", "slant_spearman"),
    *("width_spearman", "frechet_classifier"),
)
WIDTH = 120  # where the output is no terminal
MAX_CELL = 32


@dataclass(frozen=True)
class Row:
    """One run: parameters by dotted name, metrics of its first objective."""

    name: str
    state: str
    parameters: dict[str, Any]
    metrics: dict[str, float]


def read_rows(shown: Sequence[dict[str, Any]]) -> list[Row]:
    """The rows of what `dvc exp show --json` gives."""
    rows = []
    for baseline in shown:
        rows.append(_row(_name(baseline), baseline, "finished"))
        for experiment in baseline["experiments"] or ():
            tip = experiment["revs"][0]
            state = (experiment["executor"] or {}).get("state", "finished")
            rows.append(_row(f"  {_name(tip)}", tip, state))
    return rows


def _name(revision: dict[str, Any]) -> str:
    name: str = revision["name"] or revision["rev"]
    return name[:7] if re.fullmatch("[0-9a-f]{40}", name) else name


def _row(name: str, revision: dict[str, Any], state: str) -> Row:
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
    return Row(name, state, flat(parameters), measured.get(objective, {}))


def table(rows: Sequence[Row], width: int) -> str:
    """The rows as text; columns at the right that do not fit are named below it."""
    columns = [(["run"], [row.name for row in rows])]
    if any(row.state != "finished" for row in rows):
        columns.append((["state"], [row.state for row in rows]))
    for name in dict.fromkeys(name for row in rows for name in row.parameters):
        texts = [json.dumps(row.parameters.get(name)) for row in rows]
        if len({text for text, row in zip(texts, rows, strict=True) if row.parameters}) > 1:
            columns.append((_lines(name), texts))
    for name in HEADLINES:
        if any(name in row.metrics for row in rows):
            columns.append((_lines(name), [number(row.metrics.get(name)) for row in rows]))

    drawn = [_column(heading, cells) for heading, cells in columns]
    num_shown = len(drawn)
    while num_shown > 1 and sum(len(column[0]) + 2 for column in drawn[:num_shown]) - 2 > width:
        num_shown -= 1
    height = max(len(column) for column in drawn[:num_shown])
    padded = [[" " * len(column[0])] * (height - len(column)) + column for column in drawn]
    lines = ["  ".join(cells).rstrip() for cells in zip(*padded[:num_shown], strict=True)]
    if left_off := ["".join(heading) for heading, _ in columns[num_shown:]]:
        lines += [
            "",
            f"No room for {', '.join(left_off)}: see `dvc exp show`, or widen the window.",
        ]
    return "\n".join(lines)


def _lines(name: str) -> list[str]:
    """A name in parts that make a narrow heading, together as it is written."""
    return re.findall(r"[^._]+[._]?", name)


def _column(heading: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Lines of one width: heading, rule and cells; text to the left, numbers to the right."""
    short = [cell if len(cell) <= MAX_CELL else f"{cell[: MAX_CELL - 3]}..." for cell in cells]
    width = max(len(text) for text in [*heading, *short])
    is_text = heading in (["run"], ["state"])
    lines = [*heading, "-" * width, *short]
    return [line.ljust(width) if is_text else line.rjust(width) for line in lines]


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
