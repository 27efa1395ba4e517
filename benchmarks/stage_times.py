"""Measure what `make repro` costs besides training: the time and memory of every other stage.

    python -m benchmarks.stage_times

Each stage runs again, alone, and writes what it wrote before; at the end `dvc repro` finds nothing
to do, which is timed, too. Needs a pipeline that has run, and a machine with nothing else to do.
"""

import argparse
import subprocess
import sys
import time

from benchmarks.harness import options, write_page
from infogan.report import document as doc
from stages import run_stage

# The peak of a process begins with that of the one that starts it: a small one starts the command.
_METER = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)
sys.exit(status)
"""


def cost_of(*command: str) -> tuple[float, float, float]:
    """Seconds by the clock and of the processors, and the peak of memory in GiB, of a command."""
    begin = time.perf_counter()
    words = [sys.executable, "-c", _METER, *command]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}: failed; the cause stands above")
    processor_seconds, peak = map(float, done.stdout.split())
    return seconds, processor_seconds, peak


def main(given: argparse.Namespace) -> None:
    """Run every stage but the trainings, in the pipeline's order, and write the page."""
    listed, costs = subprocess.check_output(["dvc", "stage", "list", "--name-only"], text=True), {}
    for name in listed.split():
        if not name.startswith("train@"):
            costs[f"`{name}`"] = cost_of("dvc", "repro", "--single-item", "--force", name)
            print(f"{name}: {costs[f'`{name}`'][0]:.1f} s", flush=True)
    total = sum(seconds for seconds, *_ in costs.values())
    costs["`dvc repro` with nothing to do"] = cost_of("dvc", "repro")
    rows = [(name, f"{s:.1f}", f"{cpu:.1f}", f"{gib:.2f}") for name, (s, cpu, gib) in costs.items()]
    rows.insert(-1, ("all of these", f"{total:.0f}", "", ""))
    write_page(
        given,
        "What `make repro` costs besides training",
        "Each stage was run by DVC, whose own start is part of the time, and with data that had "
        "been downloaded.",
        doc.Table(("Stage", "seconds", "processor seconds", "peak GiB"), rows),
    )


if __name__ == "__main__":
    run_stage(main, options("stage_times", __doc__))
