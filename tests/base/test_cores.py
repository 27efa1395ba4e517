import os

import pytest

from infogan.base.cores import threads_asked, usable_cores
from infogan.base.errors import InfoGANError


def test_cores_are_those_of_the_affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    assert usable_cores() == 1


@pytest.mark.parametrize(("text", "threads"), [("3", 3), (" 2 ", 2), ("4,1", 4), ("", None)])
def test_threads_are_those_that_openmp_reads(monkeypatch, text, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads_asked() == threads


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", ",2", "²"])
def test_threads_that_openmp_would_ignore_are_refused_in_one_line(monkeypatch, text):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    with pytest.raises(InfoGANError, match=r"OMP_NUM_THREADS = .*: expected a whole") as refused:
        threads_asked()
    assert "\n" not in str(refused.value)
