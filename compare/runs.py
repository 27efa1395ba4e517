"""All runs in one table, what `dvc exp show` shows in ten: `make runs`.

A row for the workspace, the present commit and each experiment; a column for each parameter that
differs between them, then for the headline metrics of each run's first objective.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from infogan.report.tables import number
from stages.preset import flat

METRICS, PARAMETERS = "reports/metrics.json", "params.yaml"
HEADLINES = [
    *("accuracy_matched", "accuracy_generated", "bound_cat_nats", "slant_spearman"),
    *("width_spearman", "frechet_classifier"),
]
WIDTH = 120  # where the output is no terminal


def table(shown: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """What differs between the runs in what `dvc exp show --json` gives, and their headlines."""
    rows = []
    for baseline in shown:
        rows.append(_row("", baseline, "finished"))
        for experiment in baseline["experiments"] or ():
            state = (experiment["executor"] or {}).get("state", "finished")
            rows.append(_row("  ", experiment["revs"][0], state))
    frame = pd.DataFrame(rows).set_index("run").rename_axis(None)
    differ = [name for name in frame if name not in HEADLINES and frame[name].nunique() > 1]
    return frame[[*differ, *frame.columns.intersection(HEADLINES)]]


def _row(indent: str, revision: dict[str, Any], state: str) -> dict[str, str | float]:
    """A run's state, its parameters by dotted name, and headlines of its first objective."""
    data = revision["data"] or {"params": {}, "metrics": {}}
    files = data["params"] | data["metrics"]
    values = {path: file.get("data") or {} for path, file in files.items()}
    parameters, metrics = values.pop(PARAMETERS, {}), values.pop(METRICS, {})
    if state == "running":
        metrics = {}  # those of the commit that it started from
        for path, live in values.items():
            if live and live["step"] < parameters["num_steps"]:
                state += f", {Path(path).parent.name} at step {live['step']:,}"
    measured = metrics.get(parameters.get("objectives", [""])[0], {})
    return {
        "run": indent + (revision["name"] or revision["rev"][: len("workspace")]),
        "state": state,
        **{name: json.dumps(value) for name, value in flat(parameters).items()},
        **{name: measured[name] for name in HEADLINES if name in measured},
    }


def main() -> None:
    """Ask DVC and print the table."""
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    width = shutil.get_terminal_size((WIDTH, 0)).columns
    shown = table(json.loads(done.stdout))
    print(shown.to_string(na_rep="-", float_format=number, line_width=width))


if __name__ == "__main__":
    main()
