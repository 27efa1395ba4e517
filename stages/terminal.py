"""A training and its terminal: what it prints, and what stops it."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from infogan.train.snapshot import Interrupted, Snapshots

SECONDS_PER_LINE = 5.0

SHORT_NAMES = {
    "discriminator_loss": "D",
    "generator_loss": "G",
    "bound_cat_nats": "cat",
    "bound_cont_nats": "cont",
}


class Terminal:
    """Prints how a training goes; calls `when_lost` once nobody reads that any more."""

    def __init__(self, run: str, num_steps: int) -> None:
        self.run, self.num_steps = run, num_steps
        self.shown = time.monotonic()
        self.shown_step = 0
        self.is_lost = False
        self.when_lost: Callable[[], None] = lambda: None

    def say(self, text: str) -> None:
        """Print a line about the training."""
        self._print(f"train {self.run}  {text}")

    def show(self, step: int, means: dict[str, float], *, is_news: bool = True) -> None:
        """A line of at most 80 columns every few seconds, and for the last step.

        How far, how fast, how long still; D and G are their losses, cat and cont the bounds of the
        codes, in nats.
        """
        now = time.monotonic()
        if is_news:
            if now - self.shown < SECONDS_PER_LINE and step < self.num_steps:
                return
            speed = (step - self.shown_step) / max(now - self.shown, 1e-9)
            minutes, seconds = divmod(int((self.num_steps - step) / speed), 60)
            pace = f"{speed:.1f}/s  {minutes}:{seconds:02d} left"
            values = " ".join(f"{SHORT_NAMES[name]} {value:.2f}" for name, value in means.items())
            self._print(f"{self.run}  {step}/{self.num_steps}  {pace}  {values}")
        self.shown, self.shown_step = now, step

    def _print(self, line: str) -> None:
        try:
            print(line, flush=True)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # its reader, or the terminal, is gone
                raise
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            self.is_lost = True
            self.when_lost()


@contextmanager
def stopping_gracefully(snapshots: Snapshots, terminal: Terminal) -> Iterator[None]:
    """Let a signal, or the loss of the terminal, end the training at a snapshot; twice, at once.

    Ctrl-C and `dvc queue kill` send SIGINT, a closed terminal sends SIGHUP. The exit status is
    that of a process that the first signal killed.
    """
    received: list[int] = []

    def request_stop(number: int, frame: object = None) -> None:
        received.append(number)
        snapshots.stop_requested = True
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` asks
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, request_stop) for number in signals}
    terminal.when_lost = lambda: request_stop(signal.SIGPIPE)
    if terminal.is_lost:
        terminal.when_lost()
    try:
        yield
    except Interrupted as stop:
        with suppress(OSError):
            print(f"train {terminal.run}  {stop}", file=sys.stderr, flush=True)
        raise SystemExit(128 + received[0]) from None
    finally:
        restore()
