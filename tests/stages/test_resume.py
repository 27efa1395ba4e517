"""The train stage on scikit-learn's digits, stopped and killed on its way."""

import errno
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
from tests.stages.test_train import Gone

NUM_STEPS = 100
CHANGES = {
    "num_steps": NUM_STEPS,
    "training.log_every": 5,
    "lambda_information": 0.6,
    "lambda_consistency": 0.9,
}
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


def start(inputs: Path, out: Path, before: tuple[str, ...]) -> subprocess.Popen:
    """The stage as a person or DVC starts it."""
    command = [*before, sys.executable, "-m", "stages.train", *arguments(inputs, out)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=REPOSITORY)


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


# As DVC starts a stage through a shell that stays.
RUNNER = """
import os, subprocess, sys
shell = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
subprocess.run([*shell, *sys.argv[1:]], env=os.environ | {"DVC_STAGE": "train@infogan-3"})
"""


def test_a_stage_whose_pipeline_was_killed_ends_at_a_snapshot(inputs, root, out):
    endless = inputs_of(root, inputs, num_steps=10**6)
    with start(endless, out, (sys.executable, "-c", RUNNER)) as pipeline:
        try:
            wait_for_step(out, 20, lambda: pipeline.poll() is None)
            pipeline.kill()
            # The stage holds its ends of the pipes until it ends.
            _, errors = pipeline.communicate(timeout=60)
        finally:
            pipeline.kill()
    assert "stopped after step " in errors
    assert [path.name for path in (root / ".resume").glob("*/snapshot")] == ["snapshot"]


def test_a_stage_that_was_started_by_hand_outlives_its_shell(inputs, root, out, whole):
    with start(inputs, out, ("/bin/sh", "-c", '"$@" & wait', "sh")) as shell:
        wait_for_step(out, 20, lambda: shell.poll() is None)
        shell.kill()
        shell.communicate(timeout=60)
    assert contents(out) == whole


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
    assert waits == f"train infogan-3  waits for process {first.pid}, which writes into {out}"
    step = stopped_step(logs[0].read_text().splitlines(keepends=True)[-1])
    assert goes_on.startswith(f"train infogan-3  goes on after step {step}, ")
    assert contents(out) == whole


def test_a_training_under_nohup_goes_on_without_a_terminal(inputs, out, whole):
    with signalled_at(out, 20, signal.SIGHUP):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        train_here(inputs, out)
    assert contents(out) == whole


def test_a_training_whose_reader_goes_away_stops_at_a_snapshot(
    inputs, root, out, monkeypatch, capsys
):
    endless = inputs_of(root, inputs, num_steps=10**6)
    monkeypatch.setattr(sys, "stdout", Gone(errno.EPIPE))
    with pytest.raises(SystemExit) as stopped:
        train_here(endless, out)
    assert stopped.value.code == 128 + signal.SIGPIPE
    stopped_step(capsys.readouterr().err)
    assert len(list((root / ".resume").glob("*/snapshot"))) == 1


def test_a_reader_of_live_metrics_never_finds_half_a_file(inputs, root, out, make_params):
    often = inputs_of(root, inputs)
    write_params(often, make_params, {**CHANGES, "training.log_every": 1})
    live, steps = out / "metrics.json", set()
    with forked(root / "log", often, out) as training:
        while training.is_alive():
            if live.exists():
                steps.add(json.loads(live.read_text())["step"])
            time.sleep(0.001)
    assert training.exitcode == 0
    assert len(steps) > 50


def inputs_of(root: Path, inputs: Path, **changes: object) -> Path:
    """The same inputs, with other parameters."""
    values = yaml.safe_load((inputs / "params.yaml").read_text()) | changes
    (root / "params.yaml").write_text(yaml.safe_dump(values))
    for name in ("data", "objectives"):
        (root / name).symlink_to(inputs / name)
    return root


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
        del stopped  # and with it the training's hold on its snapshots, as if its process ended
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
    endless = write_params(root, make_params, {**CHANGES, "num_steps": 10**6})
    with signalled_at(out, 20, signal.SIGINT), pytest.raises(SystemExit):
        train_here(inputs, out, endless)
    (unfinished,) = (root / ".resume").iterdir()
    capsys.readouterr()

    changed = {**CHANGES, "num_steps": 4, "training.generator_lr": 0.0007, "traverse.rows": 3}
    objective = json.loads((inputs / "objectives" / "infogan.json").read_text())
    (root / "labelled.json").write_text(json.dumps(objective | {"labels_given": True}))
    others = ("--seed", "4", "--objective", str(root / "labelled.json"))
    before = [signal.getsignal(number) for number in SIGNALS]
    train_here(inputs, out, write_params(root, make_params, changed), *others)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    # The labels are data; the others are the generator's rate and the seed.
    assert (
        f"train infogan-3  starts anew: {unfinished.name} differs in data, objective.labels_given, "
        "parameters.num_steps and 2 more\n"
    ) in capsys.readouterr().out
    assert (out / "weights.safetensors").exists()
    assert list((root / ".resume").iterdir()) == [unfinished]


def test_a_training_is_bound_to_the_parameters_that_dvc_says_it_depends_on():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert set(stages["train"]["params"]) == DECIDING_PARAMETERS | {"runtime.precision"}
