"""Run stages that need nothing of each other: `python -m stages.side_by_side train judge`.

What runs side by side shares the cores out: trainings that share cores slow each other down many
times over. There is no `dvc queue` here: a worker of dvc-task 0.40 that is about to end still
accepts what is queued in that moment, and drops it; the queue then calls it running for ever.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from infogan.base.cores import threads_asked, usable_cores
from infogan.base.errors import InfoGANError, end_in_one_line

# At once, or once another DVC process has let go of its lock.
DVC = (sys.executable, "-m", "dvc", "--wait-for-lock")


def main() -> None:
    """Run what has changed of some stages, and say what failed."""
    parser = argparse.ArgumentParser(prog="python -m stages.side_by_side", description=__doc__)
    parser.add_argument("stages", nargs="+", help="stages of dvc.yaml, in the order they start")
    args = parser.parse_args()
    try:
        failed = run(args.stages)
    except KeyboardInterrupt:
        raise InfoGANError("interrupted; the same command goes on from here") from None
    if failed:
        raise InfoGANError(f"{', '.join(failed)}: failed; the cause stands above")


def run(stages: Sequence[str]) -> list[str]:
    """Reproduce stages, one with a matrix for each of its entries; returns what failed."""
    listed = subprocess.run([*DVC, "stage", "list", "--name-only", *stages], stdout=subprocess.PIPE)
    if listed.returncode:  # DVC has said why
        raise SystemExit(1)
    names = listed.stdout.decode().split()
    jobs = share_cores(len(names))
    ended_well = side_by_side([[*DVC, "repro", "--single-item", name] for name in names], jobs)
    return [name for name, well in zip(names, ended_well, strict=True) if not well]


def share_cores(parts: int) -> int:
    """Give each of so many commands its part of the cores, at least one, as OMP_NUM_THREADS.

    Returns how many can run at a time; a value that is set already stays.
    """
    threads = threads_asked() or max(1, usable_cores() // parts)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return max(1, usable_cores() // threads)


def side_by_side(commands: Iterable[Sequence[str]], jobs: int) -> list[bool]:
    """Run all commands, `jobs` at a time, in this terminal; whether each ended well.

    On Ctrl-C, which reaches the commands too, it starts no more and waits for those that run.
    """

    def ends_well(command: Sequence[str]) -> bool:
        return subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(ends_well, commands))


if __name__ == "__main__":
    end_in_one_line(main)
