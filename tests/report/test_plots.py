"""What `dvc plots` makes of the curves, in a small repository of their own."""

import json
import os
import subprocess

import pandas as pd
import pytest
import yaml

from stages.report import LINKS, write_curves
from tests.imports import ROOT

PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
QUANTITIES = ("bound_cat_nats", "generator_loss")


@pytest.fixture
def run(tmp_path):
    """Runs a command in the repository, and gives what it prints."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        settings |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.org"}

    def run_command(*command: str) -> subprocess.CompletedProcess:
        environment = os.environ | settings
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )

    run_command("git", "init", "-q", "-b", "main")
    run_command("dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    return run_command


def test_the_curves_of_any_objectives_are_plotted_and_compared(tmp_path, run):
    curves = {}
    for revision, objectives in (("both", ("infogan", "gan")), ("other", ("gan", "strict"))):
        columns = [f"{name}_{quantity}" for name in objectives for quantity in QUANTITIES]
        steps = pd.Index([20, 40], name="step")
        curves[revision] = pd.DataFrame(0.5, index=steps, columns=columns)
        for path in (tmp_path / "reports").rglob("*.csv"):
            path.unlink()
        write_curves(tmp_path / "reports", curves[revision])
        for command in (("add", "-A"), ("commit", "-qm", revision), ("tag", revision)):
            run("git", *command)

    shown = run("dvc", "plots", "diff", "both", "other", "--json")
    assert "could not find" not in shown.stderr
    charts = json.loads(shown.stdout)["data"]
    revisions = {
        name.removeprefix("reports/curves/").removesuffix(".csv"): set(chart[0]["revisions"])
        for name, chart in charts.items()
        if name.endswith(".csv")
    }
    assert revisions == {
        name: {revision for revision, table in curves.items() if name in table}
        for name in {*curves["both"], *curves["other"]}
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
