"""Snapshots of a training under way, so that one that was killed goes on where it stood.

A snapshot is bound to everything that decides what the training computes: its `identity`, plain
values such as parameters, digests of code and data, and versions. One with another identity is
never taken up.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.base.tensors import load_tensors, save_tensors
from infogan.train.locks import Held, Lease, Say, check_regular, open_lock, take_lock

Identity = dict[str, Any]

# Unfinished trainings that are kept, of 160 MB each on MNIST. Beyond them those of the last week
# are, too: a cluster may have left more, to go on with; running ones are never deleted.
MAX_KEPT = 16
SECONDS_KEPT = 7 * 24 * 3600.0

# A training of the same run, which is an objective and a seed, that differs in one of these is
# another; in anything else, somebody may expect it to go on, and is told why it does not.
OF_ANOTHER = ("parameters.dataset", "parameters.networks")


class Interrupted(Exception):
    """The training was asked to stop, and its snapshot is written."""


@dataclass(frozen=True)
class Snapshot:
    """The state after `step` steps, and what was logged up to there."""

    step: int
    tensors: dict[str, Tensor]
    log: list[tuple[int, dict[str, float]]]


class Snapshots:
    """The snapshots of one training, in a folder of its own below `root`.

    `root` may be shared by machines. A second training of the same identity that starts while the
    first runs, to write elsewhere, waits a moment for its end, and then keeps none. Setting
    `stop_requested` ends the training after its next step; `resumed_step` is where it set out.
    """

    def __init__(
        self,
        root: Path,
        run: str,
        identity: Identity,
        say: Say,
        seconds_between: float = 30.0,
    ) -> None:
        self._text = json.dumps(identity, sort_keys=True, indent=2)
        digest = hashlib.sha256(self._text.encode()).hexdigest()[:16]
        self.folder = root / f"{run}-{digest}"
        self.run, self.identity, self.say = run, identity, say
        self.seconds_between = seconds_between
        self.stop_requested = False
        self.resumed_step = 0
        self._last = time.monotonic()
        self._lease = self._claim()

    def close(self) -> None:
        """Leave the snapshots to the next training of the same identity."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def load(self) -> Snapshot | None:
        """The newest snapshot of this training, if there is a sound one; says what it found."""
        if self._lease is None:
            return None
        try:
            snapshot = _read(self.folder / "snapshot")
        except FileNotFoundError:
            self._explain_difference()
            return None
        except (OSError, ValueError, KeyError) as error:
            self.say(f"starts anew: the snapshot in {self.folder} is damaged ({error})")
            return None
        self.say(f"goes on after step {snapshot.step}, from the snapshot in {self.folder}")
        self.resumed_step = snapshot.step
        return snapshot

    def after_step(self, take: Callable[[], Snapshot]) -> None:
        """Save the state that `take` gives when it is time; raise Interrupted on request."""
        if not self.stop_requested and time.monotonic() - self._last < self.seconds_between:
            return
        snapshot = take()
        saved = self._save(snapshot)
        self._last = time.monotonic()
        if self.stop_requested:
            kept = "the same command goes on from there" if saved else "nothing could be kept"
            raise Interrupted(f"stopped after step {snapshot.step}; {kept}")

    def discard(self) -> None:
        """Delete this training's snapshots: it is done."""
        if self._lease is not None and self._lease.is_ours():
            shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def _save(self, snapshot: Snapshot) -> bool:
        if self._lease is None:
            return False
        if not self._lease.is_ours():
            self.say("another process has taken the training over: this one keeps no snapshots")
            self.close()
            return False
        names = list(snapshot.tensors)  # their order is the order of what is logged
        header = json.dumps({"step": snapshot.step, "log": snapshot.log, "names": names})
        try:
            save_tensors(self.folder / "snapshot", snapshot.tensors, "snapshot", header)
        except InfoGANError as error:
            # The training is worth more than its snapshot.
            self.say(f"training goes on without a snapshot: {error}")
            return False
        return True

    def _claim(self) -> Lease | None:
        """Make the folder and lease it for this process; None, and a word why, where that fails."""
        lease = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.folder.is_symlink():
                raise ValueError(f"{self.folder} is a link")
            lease = Lease(self.folder, self.say)
            # What a killed process left of one: our own name, or safetensors' while it writes.
            for partial in (*self.folder.glob(".*.partial"), *self.folder.glob(".tmp*")):
                partial.unlink(missing_ok=True)
            write_file(self.folder / "identity.json", self._text)
            _drop_oldest(self.folder)
            return lease
        except Held as holder:
            self.say(f"{holder} runs the same training: this one keeps no snapshots")
        except (OSError, ValueError) as error:
            self.say(f"keeps no snapshots: {error}")
        if lease is not None:
            lease.release()
        return None

    def _explain_difference(self) -> None:
        """Name what differs from the newest unfinished training that could have been this one."""
        others = set(self.folder.parent.glob(f"{self.run}-*")) - {self.folder}
        for folder in sorted(others, key=_last_changed, reverse=True):
            try:
                check_regular(folder / "snapshot")
                check_regular(folder / "identity.json")
                other = json.loads((folder / "identity.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue  # killed while it wrote this, or done meanwhile
            names = _differences(self.identity, other)
            if not any(name.startswith(OF_ANOTHER) for name in names):
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                self.say(f"starts anew: {folder.name} differs in {', '.join(names[:3])}{more}")
                return


def _read(path: Path) -> Snapshot:
    check_regular(path)
    header, tensors = load_tensors(path, "snapshot")
    described = json.loads(header)
    log = [(step, means) for step, means in described["log"]]
    return Snapshot(described["step"], {name: tensors[name] for name in described["names"]}, log)


def _drop_oldest(ours: Path) -> None:
    """Delete old unfinished trainings beyond the newest; running ones, locked, stay."""
    folders = [folder for folder in ours.parent.iterdir() if folder != ours]
    folders.sort(key=_last_changed, reverse=True)
    long_ago = _last_changed(ours) - SECONDS_KEPT
    for folder in folders[MAX_KEPT:]:
        if _last_changed(folder) > long_ago:
            continue
        with suppress(OSError, ValueError):
            lock = open_lock(folder / "lock")
            if take_lock(lock):
                shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _last_changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # another training finished meanwhile


def _differences(ours: Identity, theirs: Identity, prefix: str = "") -> list[str]:
    """Dotted names of the values that differ."""
    names = []
    for key in sorted(ours.keys() | theirs.keys()):
        first, second = ours.get(key), theirs.get(key)
        if isinstance(first, dict) and isinstance(second, dict):
            names += _differences(first, second, f"{prefix}{key}.")
        elif first != second:
            names.append(prefix + key)
    return names
