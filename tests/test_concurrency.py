"""Several commands at once, in a repository of its own with tiny parameters."""

import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.stages.test_stages import TINY, contents, run_stage
from tests.test_pipeline import Run, commit, copy_repository, environment, make_run

TRAININGS = ("infogan-0", "gan-0")
NUM_STEPS = 150  # which last longer than a stage takes to see that DVC is gone


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("repository")


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory, make_params) -> Run:
    """Runs a command in a repository in which data and objectives are ready."""
    run = make_run(folder, tmp_path_factory.mktemp("home"))
    copy_repository(folder, run)
    (folder / "dvc.lock").unlink(missing_ok=True)
    values = make_params(TINY | {"seeds": [0], "num_steps": NUM_STEPS}).model_dump()
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    commit(run)
    run("dvc", "repro", "download", "objectives")
    commit(run)
    return run


def trained_alone(folder: Path, target: Path, name: str) -> dict[str, bytes]:
    """What a training leaves that runs here by itself."""
    params = folder / "params.yaml"
    run_stage("objectives", params, "--out", target / "objectives")
    objective, seed = name.split("-")
    data = ("--data", folder / "data" / "packed")
    chosen = ("--objective", target / "objectives" / f"{objective}.json", "--seed", seed)
    run_stage("train", params, *chosen, *data, "--out", target / name)
    return contents(target / name)


def test_trainings_side_by_side_leave_what_each_leaves_alone_also_after_a_kill_of_dvc(
    run, folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    command = ("dvc", "repro", "-s", f"train@{TRAININGS[0]}")
    log = folder / "runs" / "train" / TRAININGS[0] / "plots" / "metrics" / "generator_loss.tsv"
    env = environment(tmp_path / "home")
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL) as dvc:
        give_up = time.monotonic() + 120
        while not log.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        dvc.kill()
    output = run("python", "-m", "stages.side_by_side", "train")
    assert "goes on after step" in output
    for name in TRAININGS:
        assert f"Running stage 'train@{name}'" in output
        assert f"{name}  {NUM_STEPS}/{NUM_STEPS}" in output
        assert contents(folder / "runs" / "train" / name) == trained_alone(folder, tmp_path, name)
    commit(run)


def test_a_stage_that_there_is_not_is_refused_and_one_that_fails_is_named(run, folder):
    output = run("python", "-m", "stages.side_by_side", "download", "tarin", fails=True)
    assert output == "ERROR: Stage 'tarin' not found inside 'dvc.yaml' file\n"
    source = folder / "stages" / "traverse.py"
    text = source.read_text()
    source.write_text("raise SystemExit('no such thing')")
    output = run("python", "-m", "stages.side_by_side", "traverse", fails=True)
    source.write_text(text)
    assert "no such thing" in output
    last = output.splitlines()[-1]
    assert last.startswith("error: traverse@")
    assert all(f"traverse@{name}" in last for name in TRAININGS)
    assert last.endswith(": failed; the cause stands above")
    assert run("git", "status", "--porcelain") == ""
