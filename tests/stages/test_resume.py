"""The train stage on scikit-learn's digits, stopped and killed on its way."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
import yaml

from infogan.train.identity import DECIDING_PARAMETERS
from tests.conftest import REPOSITORY
from tests.stages.test_stages import contents, run_stage, write_params

NUM_STEPS = 100
CHANGES = {"num_steps": NUM_STEPS, "training.log_every": 5, "categories_from_maps": False}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, make_params) -> Path:
    """A folder with packed digits, parameters and objectives."""
    folder = tmp_path_factory.mktemp("inputs")
    params = write_params(folder, make_params, CHANGES)
    run_stage("download", params, "--out", folder / "data", "--raw", folder / "raw")
    run_stage("objectives", params, "--out", folder / "objectives")
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """The pipeline's folder, as DVC tells it to a stage."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def out(root) -> Path:
    return root / "infogan-3"


def arguments(inputs: Path, out: Path, params: Path | None = None) -> list[str]:
    """The stage's options, for an output folder that is not there, as DVC leaves it."""
    shutil.rmtree(out, ignore_errors=True)
    options = {
        "--params": params or inputs / "params.yaml",
        "--objective": inputs / "objectives" / "infogan.json",
        "--seed": 3,
        "--data": inputs / "data",
        "--out": out,
    }
    return [str(part) for option in options.items() for part in option]


def train_here(inputs: Path, out: Path, params: Path | None = None, *others: str) -> None:
    """The stage in this process, with options that take the place of the usual ones."""
    _, path, *rest = arguments(inputs, out, params)
    run_stage("train", Path(path), *rest, *others)


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory) -> dict[str, bytes]:
    """The outputs of a training that nothing interrupted."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        train_here(inputs, root / "infogan-3")
    return contents(root / "infogan-3")


def wait_for_step(out: Path, step: int, is_running=lambda: True) -> None:
    """Until the log shows that many steps."""
    log = out / "plots" / "metrics" / "generator_loss.tsv"
    give_up = time.monotonic() + 300
    while is_running() and time.monotonic() < give_up:
        lines = log.read_text().splitlines() if log.exists() else []
        if any(line.split("\t")[0] == str(step) for line in lines):
            return
        time.sleep(0.005)
    raise AssertionError(f"training ended or hung before step {step}")


def stopped_step(errors: str) -> int:
    """From the one line that a stopped training leaves."""
    step = int(errors.split("stopped after step ")[1].split(";")[0])
    assert errors == (
        f"train infogan-3  stopped after step {step}; the same command goes on from there\n"
    )
    return step


@contextmanager
def forked(log: Path, inputs: Path, out: Path):
    """The stage in a fork of this process, which takes no time to start, and says things to `log`.

    What is in the folder stays.
    """
    _, path, *rest = [*arguments(inputs, out.with_name("nothing"))[:-1], str(out)]

    def train() -> None:
        with log.open("w", encoding="utf-8") as sys.stdout:
            sys.stderr = sys.stdout
            run_stage("train", Path(path), *rest)

    training = get_context("fork").Process(target=train)
    training.start()
    try:
        yield training
    finally:
        training.kill()
        training.join()


STAGE = """
import sys, time
import stages

def main(args):
    print("begun", flush=True)
    time.sleep(3)
    print("done")

sys.argv = ["stage", "--out", "x"]
stages.run_stage(main, stages.stage_parser("Wait.", out="nowhere"))
"""

# Starts it directly, or as DVC may: through a shell that stays.
STARTER = """
import os, subprocess, sys
command = [sys.executable, "-c", sys.argv[1]]
if sys.argv[2] == "dvc":
    os.environ["DVC_STAGE"] = "train"
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command]
subprocess.run(command)
"""


@pytest.mark.parametrize("starter", ["dvc", "hand"])
def test_a_stage_ends_with_dvc_and_outlives_what_started_it_by_hand(starter):
    ends = {"dvc": "begun\n", "hand": "begun\ndone\n"}
    command = [sys.executable, "-c", STARTER, STAGE, starter]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as started_by:
        begun = started_by.stdout.readline()
        started_by.kill()
        # The stage holds its end of the pipe until it ends.
        assert begun + started_by.stdout.read() == ends[starter]


def test_a_second_training_into_a_folder_waits_and_goes_on_from_the_firsts_snapshot(
    inputs, root, out, whole
):
    logs = [root / "first", root / "second"]
    with forked(logs[0], inputs, out) as first:
        wait_for_step(out, 20, first.is_alive)
        os.kill(first.pid, signal.SIGSTOP)  # it holds the folder, however slow this machine is
        with forked(logs[1], inputs, out) as second:
            while "waits" not in (logs[1].read_text() if logs[1].exists() else ""):
                assert second.is_alive()
                time.sleep(0.01)
            os.kill(first.pid, signal.SIGTERM)
            os.kill(first.pid, signal.SIGCONT)
            for training in (first, second):
                training.join(60)
    assert (first.exitcode, second.exitcode) == (128 + signal.SIGTERM, 0)
    waits, goes_on = logs[1].read_text().splitlines()[1:3]
    assert waits == f"train infogan-3  waits for another process, which writes into {out}"
    step = stopped_step(logs[0].read_text().splitlines(keepends=True)[-1])
    assert goes_on.startswith(f"train infogan-3  goes on after step {step}, ")
    assert contents(out) == whole


@contextmanager
def signalled_at(out: Path, step: int, number: signal.Signals):
    """Signal this process once the training in it has come that far."""

    def send() -> None:
        wait_for_step(out, step)
        os.kill(os.getpid(), number)

    # One that comes too late must not end the tests.
    before = {each: signal.signal(each, lambda *_: None) for each in SIGNALS}
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        for each, handler in before.items():
            signal.signal(each, handler)


def test_a_training_stopped_at_random_and_killed_goes_on_to_the_same_bytes(
    inputs, root, out, whole, capsys
):
    moments = random.Random(0)
    resumed = 0
    for earliest, number in zip((5, 20, 35), SIGNALS, strict=True):
        shutil.rmtree(out, ignore_errors=True)
        at = earliest + 5 * moments.randrange(3)
        with signalled_at(out, at, number), pytest.raises(SystemExit) as stopped:
            train_here(inputs, out)
        assert stopped.value.code == 128 + number
        assert not (out / "weights.safetensors").exists()
        said, errors = capsys.readouterr()
        assert (f"goes on after step {resumed}, " in said) == (resumed > 0)
        resumed = stopped_step(errors)
        assert at <= resumed < NUM_STEPS
    (unfinished,) = (root / ".resume").iterdir()
    goes_on = f"train infogan-3  goes on after step {resumed}, from the snapshot in {unfinished}\n"
    shutil.rmtree(out)
    with forked(root / "log", inputs, out) as training:
        wait_for_step(out, 60, training.is_alive)
    assert training.exitcode == -signal.SIGKILL
    assert goes_on in (root / "log").read_text()
    assert not (out / "weights.safetensors").exists()
    train_here(inputs, out)
    assert goes_on in capsys.readouterr().out
    assert list((root / ".resume").iterdir()) == []
    assert contents(out) == whole


def test_after_changes_training_starts_anew_and_names_them(inputs, root, out, make_params, capsys):
    with signalled_at(out, 20, signal.SIGINT), pytest.raises(SystemExit):
        train_here(inputs, out)
    (unfinished,) = (root / ".resume").iterdir()
    changed = {**CHANGES, "num_steps": 4, "traverse.rows": 3}
    objective = json.loads((inputs / "objectives" / "infogan.json").read_text())
    (root / "labelled.json").write_text(json.dumps(objective | {"labels_given": True}))
    others = ("--seed", "4", "--objective", str(root / "labelled.json"))
    train_here(inputs, out, write_params(root, make_params, changed), *others)
    # The labels are data.
    assert (
        f"train infogan-3  starts anew: {unfinished.name} differs in data, objective.labels_given, "
        "parameters.num_steps and 1 more\n"
    ) in capsys.readouterr().out
    assert (out / "weights.safetensors").exists()
    assert list((root / ".resume").iterdir()) == [unfinished]


def test_a_training_is_bound_to_the_parameters_that_dvc_says_it_depends_on():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert set(stages["train"]["params"]) == DECIDING_PARAMETERS | {"runtime.precision"}
