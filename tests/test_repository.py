"""What Git and make do with the project on other people's machines."""

import json
import os
import subprocess

from tests.imports import ROOT


def test_a_clone_that_would_change_line_ends_has_the_same_bytes():
    listed = subprocess.check_output(["git", "ls-files", "--eol"], cwd=ROOT, text=True)
    told = {line.partition("\t")[0].partition("attr/")[2].strip() for line in listed.splitlines()}
    assert told == {"text=auto eol=lf", "-text"}  # the second: pictures


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


def test_a_clone_holds_a_small_explorer_of_the_committed_run():
    page = (ROOT / "docs/explorer.html").read_text(encoding="utf-8")
    assert len(page) <= 8_000_000
    report = json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))
    correlation = report["infogan"]["slant_spearman"]
    assert f"rank correlation {correlation:.2f}" in page
