"""Run stages that need nothing of each other: `python -m stages.side_by_side train judge`.

What runs side by side shares the cores out: trainings that share cores slow each other down many
times over. There is no `dvc queue` here: a worker of dvc-task 0.40 that is about to end still
accepts what is queued in that moment, and drops it; the queue then calls it running for ever.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from infogan.base.cores import threads_asked, usable_cores
from infogan.base.errors import InfoGANError, end_in_one_line

# At once, or once another DVC process has let go of its lock.
DVC = (sys.executable, "-m", "dvc", "--wait-for-lock")
SECONDS_BETWEEN_LOOKS = 0.5


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
    listed = subprocess.run([*DVC, "stage", "list", "--name-only"], stdout=subprocess.PIPE)
    if listed.returncode:
        raise InfoGANError("dvc stage list: failed; the cause stands above")
    known = listed.stdout.decode().split()
    names = [name for stage in stages for name in known if name.split("@")[0] == stage]
    if unknown := set(stages) - {name.split("@")[0] for name in known}:
        raise InfoGANError(f"dvc.yaml: no stage {', '.join(sorted(unknown))}")
    jobs = share_cores(len(names))
    commands = {name: [*DVC, "repro", "--single-item", name] for name in names}
    return [name for name, ended_well in side_by_side(commands, jobs) if not ended_well]


def share_cores(parts: int) -> int:
    """Give each of so many commands its part of the cores, at least one, as OMP_NUM_THREADS.

    Returns how many can run at a time; a value that is set already stays.
    """
    threads = threads_asked() or max(1, usable_cores() // parts)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return max(1, usable_cores() // threads)


def side_by_side(commands: Mapping[str, Sequence[str]], jobs: int) -> Iterator[tuple[str, bool]]:
    """Run all commands, `jobs` at a time; yields each one's name and success when it has ended.

    They write to the terminal. On Ctrl-C, which reaches the commands too, it waits for those that
    run.
    """
    waiting = list(commands)
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                running[name] = subprocess.Popen(commands[name], stdin=subprocess.DEVNULL)
            for name, process in list(running.items()):
                if process.poll() is not None:
                    del running[name]
                    yield name, process.returncode == 0
            time.sleep(SECONDS_BETWEEN_LOOKS)
    finally:
        # A second Ctrl-C ends the commands at once, and so the waiting.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in running.values():
            process.wait()
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    end_in_one_line(main)
