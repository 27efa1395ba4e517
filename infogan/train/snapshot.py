"""Snapshots of a training under way, so that one that was killed goes on where it stood.

A snapshot is bound to everything that decides what the training computes: its `identity`, plain
values such as parameters, digests of code and data, and versions. One with another identity is
never taken up.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import SoftFileLease, Timeout
from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.base.tensors import load_tensors, save_tensors
from infogan.train.locks import Say

Identity = dict[str, Any]

# A holder that has not renewed its claim for so long is on a machine that died.
SECONDS_OF_LEASE = 20.0
# How long to wait for a holder that may be about to end, or be dead.
SECONDS_TO_WAIT = 30.0

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
        self._text = json.dumps(identity, indent=2)
        digest = hashlib.sha256(self._text.encode()).hexdigest()[:16]
        self.folder = root / f"{run}-{digest}"
        self.run, self.identity, self.say = run, identity, say
        self.seconds_between = seconds_between
        self.stop_requested = False
        self.resumed_step = 0
        self._last = time.monotonic()
        self._lease = _lease(self.folder)
        self._claim()

    def close(self) -> None:
        """Leave the snapshots to the next training of the same identity."""
        with suppress(OSError):
            self._lease.release()

    def load(self) -> Snapshot | None:
        """The newest snapshot of this training, if there is a sound one; says what it found."""
        if not self._lease.is_locked:
            return None
        try:
            header, tensors = load_tensors(self.folder / "snapshot", "snapshot")
        except FileNotFoundError:
            self._explain_difference()
            return None
        except (OSError, ValueError) as error:
            self.say(f"starts anew: the snapshot in {self.folder} is damaged ({error})")
            return None
        described = json.loads(header)
        log = [(step, means) for step, means in described["log"]]
        self.resumed_step = described["step"]
        self.say(f"goes on after step {self.resumed_step}, from the snapshot in {self.folder}")
        return Snapshot(self.resumed_step, tensors, log)

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
        if self._lease.is_locked and self._lease.is_lock_held_by_us:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def _save(self, snapshot: Snapshot) -> bool:
        if not self._lease.is_locked:
            return False
        if not self._lease.is_lock_held_by_us:  # as after this process stood still for long
            self.say(f"keeps no more snapshots: another has taken over {self.folder}")
            self.close()
            return False
        header = json.dumps({"step": snapshot.step, "log": snapshot.log})
        try:
            save_tensors(self.folder / "snapshot", snapshot.tensors, "snapshot", header)
        except InfoGANError as error:
            # The training is worth more than its snapshot.
            self.say(f"training goes on without a snapshot: {error}")
            return False
        return True

    def _claim(self) -> None:
        """Lease the folder for this process; say why where that fails."""
        try:
            try:
                self._lease.acquire(timeout=0)
            except Timeout:
                self.say(f"waits for {self._holder()}, which runs the same training")
                self._lease.acquire(timeout=SECONDS_TO_WAIT)
            # What a killed process left of one: our own name, or safetensors' while it writes.
            for partial in self.folder.glob(".*"):
                partial.unlink()
            write_file(self.folder / "identity.json", self._text)
            _drop_oldest(self.folder.parent)
        except Timeout:
            self.say(f"{self._holder()} runs the same training: this one keeps no snapshots")
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: no thread to renew it
            self.say(f"keeps no snapshots: {error}")
            self.close()

    def _holder(self) -> str:
        if (owner := self._lease.owner) is None:
            return "another process"
        machine = owner.hostname.partition("?")[0]  # in a container, its number follows
        return f"process {owner.pid} on {machine}"

    def _explain_difference(self) -> None:
        """Name what differs from the newest unfinished training that could have been this one."""
        others = {path.parent for path in self.folder.parent.glob(f"{self.run}-*/snapshot")}
        for folder in sorted(others, key=_last_changed, reverse=True):
            try:
                other = json.loads((folder / "identity.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue  # killed while it wrote this, or done meanwhile
            names = _differences(self.identity, other)
            if not any(name.startswith(OF_ANOTHER) for name in names):
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                self.say(f"starts anew: {folder.name} differs in {', '.join(names[:3])}{more}")
                return


def _lease(folder: Path) -> SoftFileLease:
    """The sole use of a training's folder, among the processes of all machines that share it.

    A file beside the folder names the holder, which renews it until it releases it or dies.
    """
    return SoftFileLease(f"{folder}.lock", lease_duration=SECONDS_OF_LEASE)


def _drop_oldest(root: Path) -> None:
    """Delete old unfinished trainings beyond the newest; running ones, which are leased, stay."""
    folders = [path.parent for path in root.glob("*/identity.json")]
    folders.sort(key=_last_changed, reverse=True)
    for folder in folders[MAX_KEPT + 1 :]:
        if _last_changed(folder) < time.time() - SECONDS_KEPT:
            with suppress(OSError), _lease(folder).acquire(timeout=0):
                shutil.rmtree(folder, ignore_errors=True)


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
