"""The train stage on scikit-learn's digits, stopped and killed on its way."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from stages.train import DECIDING_PARAMETERS
from tests.conftest import REPOSITORY
from tests.stages.test_stages import run_stage, write_params

NUM_STEPS = 200
CHANGES = {
    "num_steps": NUM_STEPS,
    "training.log_every": 10,
    "lambda_information": 0.6,
    "lambda_consistency": 0.9,
}
SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


def train_here(inputs: Path, out: Path, params: Path | None = None) -> None:
    """The stage in this process."""
    _, path, *rest = arguments(inputs, out, params)
    run_stage("train", Path(path), *rest)


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory) -> dict[str, bytes]:
    """The outputs of a training that nothing interrupted."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        train_here(inputs, root / "infogan-3")
    files = contents(root / "infogan-3")
    assert {"weights.safetensors", "metrics.json", "environment.json"} <= set(files)
    assert "plots/metrics/generator_loss.tsv" in files
    return files


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def wait_for_step(out: Path, step: int, is_running=lambda: True) -> None:
    """Until the log shows that many steps."""
    log = out / "plots" / "metrics" / "generator_loss.tsv"
    give_up = time.monotonic() + 60
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


def stop(inputs: Path, out: Path, number: signal.Signals, step: int) -> tuple[int, str, str]:
    """The stage in a process of its own, signalled at a step: exit status and what it said."""
    with start(inputs, out) as training:
        try:
            wait_for_step(out, step, lambda: training.poll() is None)
            training.send_signal(number)
            said, errors = training.communicate(timeout=5)
        finally:
            training.kill()
    return training.returncode, said, errors


def start(inputs: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "stages.train", *arguments(inputs, out)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=REPOSITORY)


def test_a_stopped_and_then_killed_command_goes_on_to_the_same_bytes(inputs, root, out, whole):
    status, _, errors = stop(inputs, out, signal.SIGTERM, step=30)
    step = stopped_step(errors)
    assert (status, 30 <= step < NUM_STEPS) == (130, True)
    assert not (out / "weights.safetensors").exists()
    (unfinished,) = (root / ".resume").iterdir()
    goes_on = f"train infogan-3  goes on after step {step}, from the snapshot in {unfinished}\n"

    status, said, _ = stop(inputs, out, signal.SIGKILL, step=100)
    assert (status, goes_on in said) == (-signal.SIGKILL, True)
    assert not (out / "weights.safetensors").exists()

    with start(inputs, out) as training:
        said, errors = training.communicate(timeout=60)
    assert (training.returncode, errors, goes_on in said) == (0, "", True)
    assert list((root / ".resume").iterdir()) == []
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


def test_a_training_stopped_at_random_goes_on_to_the_same_bytes(inputs, root, out, whole, capsys):
    moments = random.Random(0)
    resumed = 0
    for earliest, number in zip((10, 50, 90), random.Random(1).choices(SIGNALS, k=3), strict=True):
        shutil.rmtree(out, ignore_errors=True)
        at = earliest + 10 * moments.randrange(4)
        with signalled_at(out, at, number), pytest.raises(SystemExit) as stopped:
            train_here(inputs, out)
        assert stopped.value.code == 130
        del stopped  # and with it the training's hold on its snapshots, as if its process ended
        said, errors = capsys.readouterr()
        assert (f"goes on after step {resumed}, " in said) == (resumed > 0)
        resumed = stopped_step(errors)
        assert at <= resumed < NUM_STEPS
    train_here(inputs, out)
    assert list((root / ".resume").iterdir()) == []
    assert contents(out) == whole


def test_after_a_changed_parameter_training_starts_anew_and_names_it(
    inputs, root, out, make_params, capsys
):
    endless = write_params(root, make_params, {**CHANGES, "num_steps": 10**6})
    with signalled_at(out, 20, signal.SIGINT), pytest.raises(SystemExit):
        train_here(inputs, out, endless)
    (unfinished,) = (root / ".resume").iterdir()
    capsys.readouterr()

    changed = {**CHANGES, "num_steps": 4, "training.generator_lr": 0.0007, "traverse.rows": 3}
    train_here(inputs, out, write_params(root, make_params, changed))
    assert (
        f"train infogan-3  starts anew: the unfinished training in {unfinished} differs in "
        "parameters.num_steps, parameters.training.generator_lr\n"
    ) in capsys.readouterr().out
    assert (out / "weights.safetensors").exists()
    assert list((root / ".resume").iterdir()) == [unfinished]


def test_signals_do_what_they_did_before_once_training_is_done(inputs, root, out, make_params):
    before = [signal.getsignal(number) for number in SIGNALS]
    train_here(inputs, out, write_params(root, make_params, {"num_steps": 2}))
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_training_is_bound_to_the_parameters_that_dvc_says_it_depends_on():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert set(stages["train"]["params"]) == DECIDING_PARAMETERS
