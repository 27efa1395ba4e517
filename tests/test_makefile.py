import os
import re
import signal
import subprocess
import time

from tests.imports import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
# Says that it runs, and needs a second to end.
DVC = """#!/bin/sh
trap 'sleep 1; echo > saved; exit 130' INT
echo > running
sleep 60 & wait
"""


def test_every_dvc_command_waits_for_the_lock():
    recipes = [line for line in MAKEFILE.splitlines() if re.match(r"\t.*\bdvc ", line)]
    assert recipes
    assert all("dvc --wait-for-lock " in line for line in recipes)
    assert "DVC := $(RUN) dvc --wait-for-lock\n" in MAKEFILE


def test_an_interrupted_make_ends_when_what_it_runs_has_ended(tmp_path):
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "requirements.lock").touch()
    program = tmp_path / ".venv" / "bin" / "dvc"
    program.parent.mkdir(parents=True)
    program.write_text(DVC)
    program.chmod(0o755)
    checks = program.with_name("python")  # params.yaml, before DVC runs
    checks.write_text("#!/bin/sh\n")
    checks.chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    make = subprocess.Popen(
        ["make", "repro"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Tests that run in the background of a script have inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    give_up = time.monotonic() + 60
    while not (tmp_path / "running").exists():
        assert time.monotonic() < give_up
        time.sleep(0.05)
    os.killpg(make.pid, signal.SIGINT)
    assert make.wait(timeout=60) != 0
    assert (tmp_path / "saved").exists()
