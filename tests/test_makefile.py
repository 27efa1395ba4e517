import os
import re
import subprocess
from pathlib import Path

from tests.imports import ROOT
from tests.stages.test_side_by_side import interrupted

MAKEFILE = (ROOT / "Makefile").read_text()
# Says that it runs, and needs a second to end.
DVC = """#!/bin/sh
trap 'sleep 1; echo > saved; exit 130' INT
echo > running
sleep 60 2> /dev/null & wait
"""


def test_every_dvc_command_waits_for_the_lock():
    recipes = [line for line in MAKEFILE.splitlines() if re.match(r"\t.*\bdvc ", line)]
    assert recipes
    assert all("dvc --wait-for-lock " in line for line in recipes)
    assert "DVC := $(RUN) dvc --wait-for-lock\n" in MAKEFILE


def project(folder: Path, **programs: str) -> None:
    """The Makefile, and an environment of these scripts."""
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "requirements.lock").touch()
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name, text in programs.items():
        program = folder / ".venv" / "bin" / name
        program.write_text(text)
        program.chmod(0o755)
    (folder / ".venv" / ".ready").touch()


def test_python_keeps_compiled_files_even_where_it_is_told_not_to(tmp_path, monkeypatch):
    project(tmp_path, python="#!/bin/sh\nenv\n")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    given = subprocess.run(["make", "compare"], cwd=tmp_path, capture_output=True, check=True)
    assert b"PATH=" in given.stdout
    assert b"PYTHONDONTWRITEBYTECODE" not in given.stdout


def test_an_interrupted_make_ends_when_what_it_runs_has_ended(tmp_path):
    # Python checks params.yaml before DVC runs.
    project(tmp_path, python="#!/bin/sh\n", dvc=DVC)
    status, _ = interrupted(["make", "repro"], tmp_path, tmp_path / "running")
    assert status != 0
    assert (tmp_path / "saved").exists()


def test_make_tells_dvc_a_user_where_the_system_knows_none(tmp_path):
    no_name = tmp_path / "id"
    no_name.write_text("#!/bin/sh\ntest $# = 1 && test $1 = -u && echo 4321\n")
    no_name.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key not in ("USER", "LOGNAME")}
    show = ["make", "-s", "-C", str(ROOT), "--eval", "show: ; @echo user=$$USER", "show"]
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(show, env=kept | {"PATH": path}, capture_output=True, text=True)
    assert "user=4321" in done.stdout.split()


def test_an_environment_of_another_python_is_refused_by_name(tmp_path):
    old = tmp_path / "venv" / "bin" / "python"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho '(3, 9)'\n")
    old.chmod(0o755)
    command = ["make", "-C", str(ROOT), f"VENV={tmp_path / 'venv'}", "env"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"error: {tmp_path / 'venv'} is of another Python; delete it" in done.stdout
