"""What `dvc plots` makes of the curves, in a small repository of their own."""

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import yaml

from stages.report import LINKS, write_curves
from tests.imports import ROOT

PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]


def test_the_curves_of_any_objectives_are_plotted_and_compared(tmp_path, command):
    command("dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    for revision, curves in (("both", "abd"), ("other", "bc")):
        shutil.rmtree("reports", ignore_errors=True)
        steps = pd.Index([20, 40], name="step")
        write_curves(Path("reports"), pd.DataFrame(0.5, index=steps, columns=list(curves)))
        for words in (("add", "-A"), ("commit", "-qm", revision), ("tag", revision)):
            command("git", *words)

    charts = json.loads(command("dvc", "plots", "diff", "both", "other", "--json"))["data"]
    assert {name: set(chart[0]["revisions"]) for name, chart in charts.items() if chart} == {
        "reports/curves/a.csv": {"both"},
        "reports/curves/b.csv": {"both", "other"},
        "reports/curves/c.csv": {"other"},
        "reports/curves/d.csv": {"both"},
    }


def test_a_curve_with_other_steps_than_the_rest_has_no_empty_points(tmp_path):
    steps = pd.Index([20, 40], name="step")
    write_curves(tmp_path, pd.DataFrame({"a": [1.0, None], "b": [2.0, 3.0]}, index=steps))
    assert (tmp_path / "curves" / "a.csv").read_text() == "step,a\n20,1.0\n"
    assert (tmp_path / "curves.csv").read_text() == "step,a,b\n20,1.0,2.0\n40,,3.0\n"


def test_a_link_to_what_git_does_not_keep_says_how_to_make_it():
    command = ["git", "check-ignore", *(f"reports/{path}" for path in LINKS.values())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    ignored = done.stdout.split()
    assert ignored == ["reports/explorer.html"]
    for text, path in LINKS.items():
        assert ("make repro" in text) == (f"reports/{path}" in ignored)
