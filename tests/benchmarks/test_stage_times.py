import sys

import pytest

from benchmarks.stage_times import Cost, cost_of, report


def test_the_cost_of_a_command_counts_its_children_and_not_the_one_that_asks():
    held = b"x" * 2**29
    child = [sys.executable, "-c", "held = b'x' * 2**28"]
    cost = cost_of([sys.executable, "-c", f"import subprocess; subprocess.run({child!r})"])
    del held
    assert cost.seconds > 0
    assert 0.25 < cost.peak < 0.4


def test_a_command_that_fails_ends_the_benchmark_with_its_last_words():
    with pytest.raises(SystemExit, match="no such stage"):
        cost_of([sys.executable, "-c", "raise SystemExit('trying\\nno such stage')"])


def test_the_page_adds_the_stages_up():
    costs = {"download": Cost(2.0, 1.0, 0.5), "evaluate@infogan-0": Cost(60.4, 100.0, 1.25)}
    page = report(costs, Cost(1.5, 1.0, 0.1), {"device": "cpu"})
    assert "| `evaluate@infogan-0` | 60.4 | 100.0 | 1.25 |" in page
    assert "| all of these | 62 |" in page
    assert "| `dvc repro` with nothing to do | 1.5 | 1.0 | 0.10 |" in page
