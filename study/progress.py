"""What a running study shows: how many trainings have ended, and where each that runs is."""

import sys
import time
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from study.node import Event

SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """On a terminal a bar and a line for each training that runs; elsewhere lines now and then.

    All that a training prints goes to `<logs>/<name>.log`.
    """

    def __init__(self, logs: Path, total: int) -> None:
        self.logs, self.total, self.ended = logs, total, 0
        self.running: dict[str, str] = {}
        self.started: set[str] = set()
        self.shown = time.monotonic()
        self.seconds = SECONDS_BETWEEN_LINES
        self.live = Live(get_renderable=self.picture, refresh_per_second=2, transient=True)
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "Progress":
        if sys.stdout.isatty():
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def log(self, name: str) -> Path:
        """The file of all that an experiment has printed."""
        return self.logs / f"{name}.log"

    def show(self, event: Event) -> None:
        """Take in what a node said."""
        with self.log(event.name).open(
            "a" if event.name in self.started else "w", encoding="utf-8"
        ) as log:
            log.write(event.text)
        self.started.add(event.name)
        if event.has_ended:
            self.running.pop(event.name, None)
        elif lines := event.text.strip().splitlines():
            self.running[event.name] = f"{event.where}  {lines[-1][:90]}"

    def say(self, text: str) -> None:
        """Print a line about the study."""
        print(f"study: {text}", flush=True)

    def end(self, name: str, state: str) -> None:
        """Print that an experiment has ended."""
        self.ended += 1
        self.say(f"{name} {state}; {self.total - self.ended} of {self.total} left")

    def tick(self) -> None:
        """Say where each training is, if nothing else shows it and it is time."""
        if not self.live.is_started and time.monotonic() - self.shown >= self.seconds:
            self.shown = time.monotonic()
            for name, line in sorted(self.running.items()):
                self.say(f"{name} at {line}")

    def picture(self) -> Group:
        """The bar, and what runs where."""
        table = Table.grid(padding=(0, 2))
        for name, line in sorted(self.running.items()):
            table.add_row(name, line)
        bar = ProgressBar(self.total, self.ended, width=40)
        return Group(bar, f"{self.ended} of {self.total} trainings", table)
