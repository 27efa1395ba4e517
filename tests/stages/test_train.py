import errno
import io
import os
import signal
import sys

import pytest

from infogan.train.snapshot import Interrupted, Snapshots
from stages.terminal import SECONDS_PER_LINE, Terminal, stopping_gracefully

MEANS = {
    "discriminator_loss": 1.275,
    "generator_loss": 0.8476,
    "bound_cat_nats": -2.294,
    "bound_cont_nats": -12.792,
}


def test_a_long_trainings_line_fits_80_columns(capsys):
    terminal = Terminal("infogan-12", 50_000)
    terminal.shown -= SECONDS_PER_LINE * 1000
    terminal.shown_step = 9_000
    terminal.show(34_567, MEANS)
    line = capsys.readouterr().out
    assert line.startswith("infogan-12  34567/50000  5.1/s  50:")
    assert line.endswith(" left  D 1.27 G 0.85 cat -2.29 cont -12.79\n")
    assert len(line.rstrip("\n")) <= 80


def test_lines_are_seconds_apart_but_for_the_last_step(capsys):
    terminal = Terminal("infogan-0", 100)
    terminal.show(20, MEANS)
    assert capsys.readouterr().out == ""
    terminal.show(100, MEANS)
    assert capsys.readouterr().out.startswith("infogan-0  100/100  ")


class Gone(io.StringIO):
    """A stream that nobody reads."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def flush(self):
        raise OSError(self.number, os.strerror(self.number))


def test_a_terminal_that_is_lost_on_the_way_stops_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone(errno.EIO))
    monkeypatch.setattr(sys, "stderr", Gone(errno.EIO))
    terminal = Terminal("infogan-0", 100)
    snapshots = Snapshots(tmp_path, "infogan-0", {}, print)

    def train():
        with stopping_gracefully(snapshots, terminal):
            terminal.say("goes on")
            terminal.say("nobody reads this, and it does no harm")
            if snapshots.stop_requested:
                raise Interrupted("stopped")

    with pytest.raises(SystemExit) as ended:
        train()
    assert ended.value.code == 128 + signal.SIGPIPE


def test_a_terminal_that_is_a_full_disk_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        Terminal("infogan-0", 100).say("begins")
