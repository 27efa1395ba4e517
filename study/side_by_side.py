"""Commands run side by side, each with a log of its own, and started one after another.

The study does without `dvc queue`: a worker of dvc-task 0.40 that is about to end still accepts
what is queued in that moment, and drops it; the queue then calls it running for ever.
"""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class _Running:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def is_starting(self, under_way: str) -> bool:
        return not self.has_ended() and under_way not in self.log.read_text(errors="replace")


def side_by_side(
    commands: Mapping[str, Sequence[str]], jobs: int, logs: Path, under_way: str
) -> Iterator[tuple[str, bool]]:
    """Run all commands, `jobs` at a time; yields each one's name and success when it has ended.

    Until `under_way` stands in a command's log, `<logs>/<name>.log`, no other is started and
    nothing is yielded: what it does at its start collides with nothing. On Ctrl-C, which reaches
    the commands too, it waits for those that run.
    """
    logs.mkdir(parents=True, exist_ok=True)
    waiting = list(commands)
    running: list[_Running] = []
    try:
        while waiting or running:
            if waiting and len(running) < jobs:
                name = waiting.pop(0)
                running.append(_start(name, commands[name], logs / f"{name}.log"))
            while any(one.is_starting(under_way) for one in running):
                time.sleep(SECONDS_BETWEEN_LOOKS)
            for ended in [one for one in running if one.has_ended()]:
                running.remove(ended)
                yield ended.name, ended.process.returncode == 0
            if not waiting or len(running) == jobs:
                time.sleep(SECONDS_BETWEEN_LOOKS)
    finally:
        for one in running:
            one.process.wait()


def _start(name: str, command: Sequence[str], log: Path) -> _Running:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    return _Running(name, process, log)
