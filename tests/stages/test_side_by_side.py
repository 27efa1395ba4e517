import os
import signal
import subprocess
import sys
import time

import pytest

from stages.side_by_side import share_cores, side_by_side
from tests.imports import ROOT


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr("stages.side_by_side.SECONDS_BETWEEN_LOOKS", 0.05)


def script(text):
    return [sys.executable, "-u", "-c", f"import sys, time\nfrom pathlib import Path\n{text}"]


# Says that it is under way, notes when it began and ended, in seconds.
TIMED = """
name, folder = {name!r}, Path({folder!r})
begun = time.time()
time.sleep({starting})
print("under way")
reached = time.time()
time.sleep({working})
(folder / name).write_text(f"{{begun}} {{reached}} {{time.time()}}")
"""


def timed(folder, names, starting=0.0, working=0.0):
    values = {"folder": str(folder), "starting": starting, "working": working}
    return {name: script(TIMED.format(name=name, **values)) for name in names}


def times(folder, names):
    return {name: [float(word) for word in (folder / name).read_text().split()] for name in names}


def test_all_commands_are_run_and_each_has_its_log(tmp_path):
    commands = {name: script(f"print('under way', {name!r})") for name in "abc"}
    ended = dict(side_by_side(commands, 2, tmp_path / "logs", "under way"))
    assert ended == dict.fromkeys("abc", True)
    for name in "abc":
        assert (tmp_path / "logs" / f"{name}.log").read_text() == f"under way {name}\n"


def test_no_more_than_so_many_run_at_once_and_as_many_do(tmp_path):
    assert len(list(side_by_side(timed(tmp_path, "abcd", working=1), 2, tmp_path, "way"))) == 4
    spans = times(tmp_path, "abcd").values()
    at_once = [sum(begun <= moment < end for begun, _, end in spans) for moment, *_ in spans]
    assert max(at_once) == 2


def test_nothing_starts_and_nothing_is_yielded_while_another_starts(tmp_path):
    commands = timed(tmp_path, "abcd", starting=0.7, working=0.5)
    yielded = [time.time() for _ in side_by_side(commands, 2, tmp_path, "under way")]
    spans = times(tmp_path, "abcd").values()
    for begun, reached, _ in spans:
        assert not any(begun < other < reached for other, *_ in spans)
        assert not any(begun + 0.3 < moment < reached for moment in yielded)


def test_one_that_fails_before_it_is_under_way_stops_no_other(tmp_path):
    commands = {"bad": script("sys.exit('no such thing')"), "good": script("print('under way')")}
    assert dict(side_by_side(commands, 1, tmp_path, "under way")) == {"bad": False, "good": True}
    assert (tmp_path / "bad.log").read_text() == "no such thing\n"


def test_without_logs_they_write_to_the_terminal_while_they_run(tmp_path, capfd):
    commands = {name: script(f"print('under way', {name!r})") for name in "ab"}
    for name, ended_well in side_by_side(commands, 1):
        assert ended_well
        assert capfd.readouterr().out == f"under way {name}\n"


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


def test_no_commands_are_nothing_to_do(tmp_path):
    assert list(side_by_side({}, 2, tmp_path, "under way")) == []


# Writes a file after it has been interrupted, as a training does its snapshot.
PATIENT = """
print("under way")
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    Path({path!r}).write_text("saved")
    sys.exit(1)
"""
INTERRUPTED = """
import sys
from pathlib import Path
from stages.side_by_side import side_by_side
command = [sys.executable, "-u", "-c", sys.argv[2]]
list(side_by_side({"one": command, "two": command}, 1, Path(sys.argv[1]), "under way"))
"""


def test_an_interruption_waits_for_what_runs_and_starts_nothing_more(tmp_path):
    patient = script(PATIENT.format(path=str(tmp_path / "saved")))[-1]
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path), patient]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        start_new_session=True,
        stderr=subprocess.PIPE,
        # Tests that run in the background of a script have inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = tmp_path / "one.log"
    give_up = time.monotonic() + 60
    while not (log.exists() and "under way" in log.read_text()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert (tmp_path / "saved").read_text() == "saved"
    assert not (tmp_path / "two.log").exists()
