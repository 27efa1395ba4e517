"""The table of all runs, which DVC shows, of a small repository."""

import json
import sys

import pytest
import yaml

from tests.imports import ROOT
from tests.test_makefile import project

PROGRESS, RESULTS = "runs/train/infogan-0/metrics.json", "reports/metrics.json"


@pytest.fixture
def repository(tmp_path, command):
    """A commit, an experiment that has finished, and one that is at another step."""

    def write(lambda_cont: float, accuracy: float, step: int) -> None:
        parameters = yaml.safe_load((ROOT / "params.yaml").read_text())
        parameters["lambda_cont"] = lambda_cont
        metrics = json.loads((ROOT / RESULTS).read_text())
        for objective in ("infogan", "gan"):
            metrics[objective] |= {"accuracy_matched": accuracy, "nmi": accuracy}
        progress = {"step": step, "generator_loss": accuracy}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(parameters))
        for name, contents in ((RESULTS, metrics), (PROGRESS, progress)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(json.dumps(contents))
        command("git", "add", "-A")

    command("dvc", "init", "-q")
    stages = {"params": ["params.yaml"], "metrics": [PROGRESS, RESULTS]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(stages))
    write(0.1, 0.25, 2000)
    command("git", "commit", "-qm", "State")
    base = command("git", "rev-parse", "HEAD")
    for name, *values in (("half", 0.5, 0.125, 2000), ("one", 1.0, 0.875, 1200)):
        write(*values)
        tree = command("git", "write-tree")
        commit = command("git", "commit-tree", "-p", base, "-m", name, tree)
        command("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    command("git", "reset", "-q", "--hard", base)


def test_what_differs_and_the_headlines_stand_in_one_table(repository, command, tmp_path):
    project(tmp_path, dvc=f'#!/bin/sh\nexec {sys.executable} -m dvc "$@"\n')
    lines = [line.split() for line in command("make", "runs").splitlines()]
    names = next(words for words in lines if words[:1] == ["Experiment"])[2:]
    assert {name for name in names if not name.startswith("infogan.")} == {"step", "lambda_cont"}
    assert {"infogan.accuracy_matched", "infogan.frechet_classifier"} <= set(names)
    assert "infogan.nmi" not in names
    runs = {"[half]": ["2000", "0.125", "0.5"], "[one]": ["1200", "0.875", "1"]}
    for experiment, expected in runs.items():
        values = next(words for words in lines if experiment in words)[-len(names) :]
        row = dict(zip(names, values, strict=True))
        shown = [row[name] for name in ("step", "infogan.accuracy_matched", "lambda_cont")]
        assert shown == expected
