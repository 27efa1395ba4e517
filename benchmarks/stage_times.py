"""Measure what `make repro` costs besides training: the time and memory of every other stage.

    python -m benchmarks.stage_times

Each stage runs again, alone and in the order of the pipeline, on the present parameters, and
writes what it wrote before; at the end `dvc repro` finds nothing to do, which is timed, too. Needs
a pipeline that has run, and a machine with nothing else to do.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from infogan.method.runtime import resolve
from infogan.params import load_params
from infogan.report import document as doc


class Cost(NamedTuple):
    """Wall-clock seconds, the processors' seconds, and the peak of memory in GiB."""

    seconds: float
    processor_seconds: float
    peak: float


# The peak of a process begins with that of the one that starts it: a small one starts the command.
_METER = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stderr=subprocess.STDOUT)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)
"""


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command and its children to the end; SystemExit with its words if it fails."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _METER, *command], capture_output=True, text=True, errors="replace"
    )
    seconds = time.perf_counter() - begin
    *said, measured = done.stdout.strip().splitlines() or [""]
    if done.returncode or not measured.startswith("0 "):
        last = [*filter(None, [*done.stderr.splitlines(), *said])] or ["?"]
        raise SystemExit(f"error: {' '.join(command)}: {last[-1]}")
    _, processor_seconds, peak = map(float, measured.split())
    return Cost(seconds, processor_seconds, peak)


def stages() -> list[str]:
    """All stages but the trainings, in the order in which the pipeline runs them."""
    listed = subprocess.run(
        ["dvc", "stage", "list", "--name-only"], capture_output=True, text=True, check=True
    ).stdout.split()
    return [name for name in listed if not name.startswith("train@")]


def report(costs: dict[str, Cost], nothing_to_do: Cost, machine: dict[str, str | int]) -> str:
    """The page."""
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    total = sum(cost.seconds for cost in costs.values())
    rows = [
        *((f"`{name}`", *_cells(cost)) for name, cost in costs.items()),
        ("all of these", f"{total:.0f}", "", ""),
        ("`dvc repro` with nothing to do", *_cells(nothing_to_do)),
    ]
    return doc.markdown(
        [
            "# What `make repro` costs besides training",
            f"Made by `python -m benchmarks.stage_times` on {told}. Each stage was run by DVC, "
            "whose own start is part of the time, and with data that had been downloaded.",
            doc.Table(("Stage", "seconds", "processor seconds", "peak GiB"), rows),
        ]
    )


def _cells(cost: Cost) -> tuple[str, str, str]:
    return f"{cost.seconds:.1f}", f"{cost.processor_seconds:.1f}", f"{cost.peak:.2f}"


def main() -> None:
    """Run every stage but the trainings, and write the report."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.stage_times", description=__doc__)
    options.add_argument("--out", type=Path, default=Path("docs/measurements/stage_times.md"))
    given = options.parse_args()
    costs = {}
    for name in stages():
        costs[name] = cost_of(["dvc", "repro", "--single-item", "--force", name])
        print(f"{name}: {costs[name].seconds:.1f} s", flush=True)
    nothing_to_do = cost_of(["dvc", "repro"])
    machine = resolve(load_params(Path("params.yaml")).runtime).describe()
    given.out.write_text(report(costs, nothing_to_do, machine))
    print(f"stage_times: {given.out}")


if __name__ == "__main__":
    main()
