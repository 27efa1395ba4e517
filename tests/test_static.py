"""The static checks, here since they run beside other tests: style, types, the layers' imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT

CHECKS = ("ruff check .", "ruff format --check .", "mypy", "lint-imports --no-logo")


@pytest.mark.parametrize("check", CHECKS)
def test_static_check(check):
    name, *options = check.split()
    command = [str(Path(sys.executable).with_name(name)), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
