import sys

import pytest

from benchmarks.stage_times import cost_of


def test_the_cost_of_a_command_counts_its_children_and_not_the_one_that_asks():
    held = b"x" * 2**28
    child = [sys.executable, "-c", "held = b'x' * 2**27"]
    _, _, peak = cost_of(sys.executable, "-c", f"import subprocess; subprocess.run({child!r})")
    del held
    assert 0.125 < peak < 0.2


def test_a_command_that_fails_ends_the_benchmark_and_its_cause_stands_above(capfd):
    with pytest.raises(SystemExit, match="failed; the cause stands above"):
        cost_of(sys.executable, "-c", "raise SystemExit('no such stage')")
    assert "no such stage" in capfd.readouterr().err
