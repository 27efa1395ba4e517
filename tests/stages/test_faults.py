"""Every stage on a full and on an impossible disk; training without memory.

Each ends in one line and status 1, leaves earlier results alone and nothing half-written, and works
again once it can.
"""

import importlib
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import stages
from infogan.base.errors import InfoGANError
from infogan.report.figures import STYLE
from tests.stages.test_stages import DPI, TINY, contents, run_stage, write_params

EARLIER = b"an earlier result"
CHANGES = {**TINY, "objectives": ["infogan"]}

WEIGHTS = "runs/train/infogan-3/weights.safetensors"

# Where each stage writes, and its inputs, below the folder of all outputs.
STAGES = {
    "download": ("data", "--raw raw"),
    "objectives": ("runs/objectives", ""),
    "judge": ("runs/judge", "--data data"),
    "train": (
        "runs/train/infogan-3",
        "--objective runs/objectives/infogan.json --seed 3 --data data",
    ),
    "traverse": ("runs/traverse/infogan-3", f"--weights {WEIGHTS} --seed 3"),
    "evaluate": (
        "runs/evaluate/infogan-3",
        f"--weights {WEIGHTS} --judge runs/judge/weights.safetensors --data data --seed 3",
    ),
    "explore": (
        "explorer.html",
        f"--weights {WEIGHTS} --measurements runs/evaluate/infogan-3/measurements.json --seed 3",
    ),
    "report": ("reports", "--runs runs --data data"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_params) -> Path:
    """A folder in which every stage has run."""
    folder = tmp_path_factory.mktemp("whole")
    write_params(folder, make_params, CHANGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_ROOT", str(folder))
        for stage, (out, inputs) in STAGES.items():
            run_stage(stage, Path("params.yaml"), *inputs.split(), "--out", out)
    return folder


@pytest.fixture
def fail(whole, monkeypatch, capsys) -> Callable[[str, Path], str]:
    """Runs a stage that must fail, writing to a place; returns its one line, which names it."""
    monkeypatch.chdir(whole)
    monkeypatch.setenv("DVC_ROOT", str(whole))
    monkeypatch.setitem(STYLE, "figure.dpi", DPI)

    def run(stage: str, out: Path) -> str:
        module = importlib.import_module(f"stages.{stage}")
        inputs = STAGES[stage][1].split()
        monkeypatch.setattr(sys, "argv", [stage, *inputs, "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            stages.run_stage(module.main, module.parser())
        assert ended.value.code == 1
        line = capsys.readouterr().err
        assert line.startswith("error: ")
        assert line.count("\n") == 1
        assert str(out) in line
        return line

    return run


def succeed_in_training(whole: Path, out: Path) -> None:
    """Train where it now can be done, and check what that writes."""
    out_before, inputs = STAGES["train"]
    run_stage("train", whole / "params.yaml", *inputs.split(), "--out", out)
    assert contents(out) == contents(whole / out_before)


def results(out: Path) -> dict[str, bytes]:
    """What a stage wrote, by name."""
    return {"": out.read_bytes()} if out.is_file() else contents(out)


def is_log(stage: str, name: str) -> bool:
    """Whether a file is the log of a training under way."""
    return stage == "train" and (name == "metrics.json" or name.startswith("plots/"))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a disk without room would; Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("stage", STAGES)
def test_no_room_for_the_largest_file_is_one_line_and_nothing_is_lost(whole, fail, tmp_path, stage):
    out = tmp_path / "infogan-3"
    new = results(whole / STAGES[stage][0])
    for name in new:
        if not is_log(stage, name):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(EARLIER)
    with largest_file(max(map(len, new.values())) // 2):
        assert "File too large; raise the limit" in fail(stage, out)
    for name, found in results(out).items():
        assert name in new, f"{name} was left"
        assert found in (EARLIER, new[name]) or is_log(stage, name), f"{name} is half-written"
    if stage == "train":  # which keeps a snapshot
        succeed_in_training(whole, out)


def test_too_little_memory_is_one_line_and_leaves_nothing(fail, tmp_path, monkeypatch):
    # The order of an epoch's images takes 4 EiB, which no machine has.
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: torch.empty(2**60))
    out = tmp_path / "infogan-3"
    assert fail("train", out).startswith(f"error: {out}: not enough memory (")
    assert not (out / "weights.safetensors").exists()


def test_a_training_needs_no_thread(whole, tmp_path, monkeypatch):
    def no_thread(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(whole)
    succeed_in_training(whole, tmp_path / "infogan-3")


def failing(error: Exception, monkeypatch) -> None:
    """A stage that raises this, run from the command line."""

    def main(args):
        raise error

    parser = stages.stage_parser("Fail.")
    parser.add_argument("--out", type=Path, default=Path("runs/x"))
    monkeypatch.setattr(sys, "argv", ["stage"])
    stages.run_stage(main, parser)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InfoGANError("a: wrong; do b"), "error: a: wrong; do b\n"),
        (MemoryError(), "error: runs/x: not enough memory ()"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to\nallocate"), "(CUDA out of memory."),
        (RuntimeError("can't start new thread"), "error: runs/x: not enough memory (can't start"),
        (RuntimeError("std::bad_alloc"), "error: runs/x: not enough memory (std::bad_alloc); end"),
        (OSError(28, "No space left on device"), "error: runs/x: No space left on device; free"),
        (FileNotFoundError(2, "No such file", "a/b"), "error: a/b: No such file; check the path"),
    ],
)
def test_what_a_person_can_cure_is_one_line(monkeypatch, capsys, error, line):
    with pytest.raises(SystemExit, match="1"):
        failing(error, monkeypatch)
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    with pytest.raises(RuntimeError, match="shapes differ"):
        failing(RuntimeError("shapes differ"), monkeypatch)
