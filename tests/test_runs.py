"""The table of all runs, from what DVC itself shows of a small repository."""

import json
import sys

import pytest
import yaml

from compare.runs import table
from tests.imports import ROOT

PIPELINE = {"params": ["params.yaml"], "metrics": ["live/infogan-0/metrics.json"]}
PIPELINE["metrics"].append("reports/metrics.json")


@pytest.fixture
def repository(tmp_path, command):
    """A commit, and two experiments based on it with other parameters and metrics."""

    def write(lambda_cont: float, accuracy: float) -> None:
        parameters = yaml.safe_load((ROOT / "params.yaml").read_text())
        parameters["lambda_cont"] = lambda_cont
        metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())
        metrics["infogan"]["accuracy_matched"] = accuracy
        live = {"step": 2000, "generator_loss": accuracy}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(parameters))
        for folder, contents in (("reports", metrics), ("live/infogan-0", live)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / "metrics.json").write_text(json.dumps(contents))

    def write_tree() -> str:
        command("git", "add", "-A")
        return command("git", "write-tree")

    command("dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    write(0.1, 0.25)
    write_tree()
    command("git", "commit", "-qm", "State")
    base = command("git", "rev-parse", "HEAD")
    for name, lambda_cont, accuracy in (("half", 0.5, 0.125), ("one", 1.0, 0.875)):
        write(lambda_cont, accuracy)
        commit = command("git", "commit-tree", "-p", base, "-m", name, write_tree())
        command("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    command("git", "reset", "-q", "--hard", base)


def test_what_differs_and_the_headlines_stand_in_a_window(repository, command, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "100")
    lines = command(sys.executable, "-m", "compare.runs").splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split()[:2] == ["lambda_cont", "accuracy_matched"]
    rows = [line.split()[:3] for line in lines[1:5]]
    assert rows[:2] == [["workspace", "0.1", "0.250"], ["main", "0.1", "0.250"]]
    assert sorted(rows[2:]) == [["half", "0.5", "0.125"], ["one", "1.0", "0.875"]]
    assert lines[6].split()[-1] == "frechet_classifier"


def test_a_running_experiment_shows_its_training_and_not_the_metrics_it_started_from():
    metrics = {
        "runs/train/infogan-0/metrics.json": {"data": {"step": 2000}},
        "runs/train/infogan-1/metrics.json": {"data": {"step": 1200}},
        "runs/train/gan-0/metrics.json": {"error": {"type": "FileNotFoundError"}},
        "reports/metrics.json": {"data": {"infogan": {"bound_cat_nats": 0.5}}},
    }
    parameters = {"objectives": ["infogan"], "num_steps": 2000}
    data = {"metrics": metrics, "params": {"params.yaml": {"data": parameters}}}
    tip = {"name": "more", "rev": "0" * 40, "data": data}
    experiments = [
        {"executor": {"state": "running"}, "revs": [tip]},
        {"executor": None, "revs": [tip | {"name": None}]},
        {"executor": {"state": "queued"}, "revs": [tip | {"name": "later", "data": None}]},
    ]
    shown = [{"name": None, "rev": "workspace", "data": data, "experiments": experiments}]
    assert table(shown).astype(object).fillna("-").reset_index().to_numpy().tolist() == [
        ["workspace", "finished", 0.5],
        ["  more", "running, infogan-1 at step 1,200", "-"],
        ["  000000000", "finished", 0.5],
        ["  later", "queued", "-"],
    ]
