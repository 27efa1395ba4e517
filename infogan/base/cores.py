"""How many processor cores this process may use, and how many threads were asked for."""

import os
from contextlib import suppress
from pathlib import Path

from infogan.base.errors import InfoGANError


def usable_cores(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int:
    """The cores of the process's affinity, as far as no control group's CPU quota is below them.

    At least 1. `groups` lists the process's control groups, of version 2 or 1; `root` holds them.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, int(min([cores, *_quotas(groups, root)])))


def _quotas(groups: Path, root: Path) -> list[float]:
    """Limits, in cores, of the process's groups and of those around them."""
    found = []
    lines = groups.read_text(encoding="utf-8").splitlines() if groups.is_file() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = root / ("cpu" if controllers else "") / path.strip("/")
        for folder in (group, *group.parents):
            with suppress(OSError, ValueError):  # no such group here, or no limit: "max"
                if controllers:
                    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                    quota, period = (float((folder / name).read_text()) for name in names)
                else:
                    quota, period = map(float, (folder / "cpu.max").read_text().split())
                if quota > 0:
                    found.append(quota / period)
    return found


def threads_asked() -> int | None:
    """OMP_NUM_THREADS, None where it is not set.

    Raises InfoGANError where OpenMP would ignore it: it is no whole number, or 0.
    """
    text = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not text:
        return None
    first = text.split(",")[0]  # further ones are for nested parallel regions
    if not (first.isdecimal() and int(first)):
        raise InfoGANError(
            f"OMP_NUM_THREADS = {text!r}: expected a whole number, at least 1; correct or unset it"
        )
    return int(first)
