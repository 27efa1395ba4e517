import os
import threading
import time

import pytest

from infogan.train import locks
from infogan.train.locks import Held, Lease, sole_writer


def test_writers_into_other_folders_do_not_wait(tmp_path):
    said = []
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with sole_writer(tmp_path / "a", said.append), sole_writer(tmp_path / "b", said.append):
        assert said == []


# Between machines.


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(locks, "SECONDS_BETWEEN_BEATS", 0.1)
    monkeypatch.setattr(locks, "SECONDS_OF_LEASE", 1.0)
    monkeypatch.setattr(locks, "SECONDS_TO_WAIT", 3.0)


def lease_elsewhere(folder, monkeypatch):
    """A lease of a machine whose lock on the file this one does not see."""
    with monkeypatch.context() as patch:
        patch.setattr(locks.platform, "node", lambda: "elsewhere")
        lease = Lease(folder, print)
    os.close(lease._lock)
    lease._lock = os.open(os.devnull, os.O_RDONLY)
    return lease


def test_a_lease_that_another_machine_renews_is_respected(tmp_path, monkeypatch, fast):
    lease = lease_elsewhere(tmp_path, monkeypatch)
    said = []
    with pytest.raises(Held, match=f"process {os.getpid()} on elsewhere"):
        Lease(tmp_path, said.append)
    assert said == [f"waits for process {os.getpid()} on elsewhere, which runs the same training"]
    assert lease.is_ours()
    lease.release()


def test_a_lease_is_taken_once_another_machine_is_done_or_has_died(tmp_path, monkeypatch, fast):
    first = lease_elsewhere(tmp_path, monkeypatch)
    threading.Timer(0.5, first.release).start()
    begun = time.monotonic()
    Lease(tmp_path, print).release()
    assert time.monotonic() - begun > 0.4
    dying = lease_elsewhere(tmp_path, monkeypatch)
    dying._is_released.set()  # it beats no more, and never says so
    ours = Lease(tmp_path, print)
    assert time.monotonic() - begun > 1.4
    assert ours.is_ours()
    assert not dying.is_ours()
    ours.release()


def test_a_released_lease_leaves_no_holder_and_can_be_taken_at_once(tmp_path):
    for _ in range(2):
        lease = Lease(tmp_path, print)
        assert (tmp_path / "holder").exists()
        lease.release()
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
