import os

import pytest

from infogan.base.cores import threads_asked, usable_cores
from infogan.base.errors import InfoGANError


@pytest.fixture
def cores(tmp_path, monkeypatch):
    """The usable cores of eight, with these control groups and these files of theirs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)

    def count(groups, files):
        (tmp_path / "groups").write_text(groups)
        for name, text in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return usable_cores(tmp_path / "groups", tmp_path / "root")

    return count


V2 = "0::/job/step\n"
V1 = "5:memory:/job\n4:cpu,cpuacct:/job\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2, {}, 8),
        (V2, {"job/step/cpu.max": "max 100000\n"}, 8),
        (V2, {"job/step/cpu.max": "300000 100000\n"}, 3),
        (V2, {"job/step/cpu.max": "150000 100000\n"}, 1),
        (V2, {"job/step/cpu.max": "50000 100000\n"}, 1),
        (V2, {"job/step/cpu.max": "9900000 100000\n"}, 8),
        (V2, {"job/step/cpu.max": "500000 100000", "job/cpu.max": "200000 100000"}, 2),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        (V1, {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, 8),
        (V1, {"cpu/job/cpu.cfs_quota_us": "250000", "cpu/job/cpu.cfs_period_us": "50000"}, 5),
        (V1, {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        (V1, {"cpu/job/cpu.cfs_quota_us": "200000"}, 8),
    ],
)
def test_cores_are_limited_by_affinity_and_by_the_quotas_of_all_groups(
    cores, groups, files, expected
):
    assert cores(groups, files) == expected


def test_without_control_groups_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 6}, raising=False)
    assert usable_cores(tmp_path / "none") == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores(tmp_path / "none") == os.cpu_count()


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
