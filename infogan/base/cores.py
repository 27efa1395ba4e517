"""How many threads were asked for, and how many cores this process may use."""

import os

from infogan.base.errors import InfoGANError


def usable_cores() -> int:
    """The processor's cores, as far as affinity and a container's quota let this process use them.

    LOKY_MAX_CPU_COUNT lowers it.
    """
    from joblib import cpu_count  # a quarter of a second; most stages are told their threads

    return int(cpu_count())


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
