import errno
import io
import json
import os
import signal
import sys

import pytest

from infogan.train.snapshot import Interrupted, Snapshots
from stages.terminal import SECONDS_PER_LINE, Terminal, stopping_gracefully
from stages.train import Log

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


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path, "infogan-0", {}, lambda text: None)


@pytest.mark.parametrize("when", ["before", "on the way"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_a_terminal_that_is_lost_stops_the_training(snapshots, monkeypatch, when, number):
    monkeypatch.setattr(sys, "stdout", Gone(number))
    monkeypatch.setattr(sys, "stderr", Gone(number))
    terminal = Terminal("infogan-0", 100)
    if when == "before":
        terminal.say("begins")

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


def test_under_nohup_the_end_of_the_terminal_stops_nothing_and_handlers_are_given_back(
    snapshots, monkeypatch
):
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        handlers = [signal.getsignal(number) for number in signals]
        with stopping_gracefully(snapshots, Terminal("infogan-0", 100)):
            os.kill(os.getpid(), signal.SIGHUP)
            assert not snapshots.stop_requested
            assert signal.getsignal(signal.SIGTERM) != handlers[1]
        assert [signal.getsignal(number) for number in signals] == handlers
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_reader_of_the_summary_finds_the_one_before_while_it_is_written(tmp_path, monkeypatch):
    found, replace = [], os.replace
    summary = tmp_path / "metrics.json"

    def look(source, target):
        found.append(json.loads(summary.read_text())["step"] if summary.exists() else None)
        replace(source, target)

    log = Log(tmp_path)
    monkeypatch.setattr(os, "replace", look)
    for step in (5, 10):
        log.record(step, MEANS)
    assert found == [None, 5]
    assert json.loads(summary.read_text()) == MEANS | {"step": 10}


def test_a_log_has_its_own_rows_alone(tmp_path):
    table = tmp_path / "plots" / "metrics" / "generator_loss.tsv"
    for _ in range(2):
        log = Log(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["plots"]
        log.record(5, {"generator_loss": 0.25})
        log.record(10, {"generator_loss": 0.5})
        assert table.read_text() == "step\tgenerator_loss\n5\t0.25\n10\t0.5\n"
