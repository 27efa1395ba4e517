import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.side_by_side import share_cores, side_by_side
from tests.imports import ROOT


def script(text):
    return [sys.executable, "-u", "-c", f"import sys, time\nfrom pathlib import Path\n{text}"]


# Notes when it began and ended, in seconds.
TIMED = """
begun = time.time()
time.sleep(1)
Path({path!r}).write_text(f"{{begun}} {{time.time()}}")
"""


def test_no_more_than_so_many_run_at_once_and_as_many_do_and_a_failure_stops_no_other(tmp_path):
    timed = [script(TIMED.format(path=str(tmp_path / name))) for name in "abcd"]
    ended_well = side_by_side([script("sys.exit(1)"), *timed], 2)
    assert ended_well == [False, True, True, True, True]
    spans = [[float(word) for word in (tmp_path / name).read_text().split()] for name in "abcd"]
    assert max(sum(begun <= moment < end for begun, end in spans) for moment, _ in spans) == 2


@pytest.mark.parametrize(
    ("asked", "parts", "threads", "jobs"),
    [("", 1, 8, 1), ("", 2, 4, 2), ("", 3, 2, 4), ("", 8, 1, 8), ("", 20, 1, 8), ("3", 2, 3, 2)],
)
def test_the_cores_are_shared_out_unless_threads_are_asked_for(
    monkeypatch, asked, parts, threads, jobs
):
    monkeypatch.setattr("stages.side_by_side.usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert share_cores(parts) == jobs
    assert os.environ["OMP_NUM_THREADS"] == str(threads)


# Writes a file after it has been interrupted, as a training does its snapshot.
PATIENT = """
(Path({path!r}) / "begun").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    (Path({path!r}) / "saved").touch()
    sys.exit(1)
"""
INTERRUPTED = """
import sys
from stages.side_by_side import side_by_side
side_by_side([[sys.executable, "-u", "-c", text] for text in sys.argv[1:]], 1)
"""


def interrupted(command: list[str], folder: Path, begun: Path) -> tuple[int, str]:
    """Press Ctrl-C once a command has made a file; its status and what it says."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a script have inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    give_up = time.monotonic() + 60
    while not begun.exists():
        assert time.monotonic() < give_up
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_an_interruption_waits_for_what_runs_and_starts_nothing_more(tmp_path):
    patient = script(PATIENT.format(path=str(tmp_path)))[-1]
    second = script(f"Path({str(tmp_path / 'second')!r}).touch()")[-1]
    command = [sys.executable, "-c", INTERRUPTED, patient, second]
    _, errors = interrupted(command, ROOT, tmp_path / "begun")
    assert "KeyboardInterrupt" in errors
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "saved"}
