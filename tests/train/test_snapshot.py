import errno
import os
import re
import shutil

import pytest
import torch

from infogan.train.snapshot import MAX_KEPT, Interrupted, Snapshot, Snapshots

IDENTITY = {"parameters": {"training": {"lr": 0.1, "batch": 8}, "steps": 9}, "seed": 3}

TENSORS = {
    "weight": torch.tensor([[0.1, -0.0, 1e-45], [3e38, float("inf"), -2.5]]),
    "rounded": torch.tensor([1.5, -3.0], dtype=torch.bfloat16),
    "generator": torch.arange(5, dtype=torch.uint8),
    "count": torch.tensor(2**40 + 1),
    "empty": torch.zeros(0, 3),
    "maps": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "across": torch.rand(4, 5).T,
}
LOG = [
    (3, {"loss": 0.1 + 0.2, "bound": -1e-320}),
    (6, {"loss": 1.7976931348623157e308, "bound": torch.tensor(0.1).item()}),
]
STATE = Snapshot(7, TENSORS, LOG)


@pytest.fixture
def open_snapshots(tmp_path, monkeypatch):
    """Open the snapshots of a training, `after` the end of the one that holds them, if any."""
    monkeypatch.setattr("infogan.train.snapshot.SECONDS_TO_WAIT", 0.0)

    def open_them(
        identity=IDENTITY, *, run="infogan-0", root=tmp_path / "resume", between=0.0, after=None
    ):
        if after is not None:
            after.close()  # as the end of its process does
        said = []
        snapshots = Snapshots(root, run, identity, said.append, between)
        snapshots.said = said
        return snapshots

    return open_them


def saved(open_snapshots, **options):
    """Snapshots in which a training has left a state, in a process that has ended."""
    snapshots = open_snapshots(**options)
    snapshots.after_step(lambda: STATE)
    snapshots.close()
    return snapshots


def bits(tensor):
    return tensor.dtype, tensor.shape, tensor.flatten().view(torch.uint8).tolist()


def assert_loads_state(snapshots):
    loaded = snapshots.load()
    assert loaded.step == STATE.step
    found, expected = (
        {name: bits(value) for name, value in each.tensors.items()} for each in (loaded, STATE)
    )
    assert found == expected
    # repr, so that -0.0 is not 0.0.
    assert repr(loaded.log) == repr(LOG)


# What is kept comes back.


def test_the_newest_snapshot_comes_back_bit_for_bit_with_its_log(open_snapshots):
    snapshots = open_snapshots()
    assert snapshots.load() is None
    assert snapshots.said == []
    for state in (Snapshot(1, TENSORS, []), STATE):
        snapshots.after_step(lambda state=state: state)
    # What a kill while it was written leaves goes with the next: of ours, and of safetensors.
    for name in (".snapshot.123.partial", ".tmpA1b2C3"):
        (snapshots.folder / name).write_bytes(b"half of a snap")
    snapshots = open_snapshots(after=snapshots)
    assert_loads_state(snapshots)
    assert snapshots.resumed_step == 7
    assert snapshots.said == [f"goes on after step 7, from the snapshot in {snapshots.folder}"]
    assert {path.name for path in snapshots.folder.iterdir()} == {"identity.json", "snapshot"}


# What is damaged does not.


def test_a_flipped_bit_or_a_missing_byte_is_noticed_and_replaced_by_the_next(open_snapshots):
    snapshots = open_snapshots()
    # Many a flipped bit turns a name into another one that comes at the same place in order.
    state = Snapshot(2, {"sum.loss": torch.tensor(0.5), "weight.0": torch.ones(1, 2)}, LOG[:1])
    snapshots.after_step(lambda: state)
    path = snapshots.folder / "snapshot"
    sound = path.read_bytes()
    damaged = [sound[:length] for length in (*range(0, len(sound), 17), len(sound) - 1)]
    for position in range(0, 8 * len(sound), 11):
        contents = bytearray(sound)
        contents[position // 8] ^= 1 << position % 8
        damaged.append(bytes(contents))
    for contents in (*damaged, sound + b"\0"):
        path.unlink()  # another file: torch may have the one before in memory
        path.write_bytes(contents)
        snapshots.said.clear()
        assert snapshots.load() is None
        (line,) = snapshots.said
        assert line.startswith(f"starts anew: the snapshot in {snapshots.folder} is damaged (")
    assert snapshots.resumed_step == 0
    snapshots.after_step(lambda: STATE)
    assert_loads_state(open_snapshots(after=snapshots))


# Another training's is never taken up.


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        (
            {"parameters": {"training": {"lr": 0.2, "batch": 8}, "steps": 9}, "seed": 4},
            "parameters.training.lr, seed",
        ),
        ({"parameters": 1, "seed": 3}, "parameters"),
        (
            {"data": "d", "code": "c", "environment": {"torch": "2", "gpu": "a"}},
            "code, data, environment and 2 more",
        ),
    ],
)
def test_another_identity_starts_anew_and_its_difference_from_the_newest_is_named(
    open_snapshots, identity, named
):
    leave_unfinished(open_snapshots, [8])
    before = saved(open_snapshots)
    snapshots = open_snapshots(identity)
    assert snapshots.load() is None
    assert snapshots.said == [f"starts anew: {before.folder.name} differs in {named}"]
    # The other one still waits.
    assert_loads_state(open_snapshots())


@pytest.mark.parametrize(
    ("key", "run"), [("dataset", "infogan-0"), ("networks", "infogan-0"), ("steps", "infogan-00")]
)
def test_another_run_or_one_on_other_data_or_networks_is_not_compared(open_snapshots, key, run):
    # Such as a small demonstration that was interrupted: nobody expects it to go on as this one.
    saved(open_snapshots, identity={"parameters": {key: "small"}}, run=run)
    snapshots = open_snapshots({"parameters": {key: "large"}})
    assert snapshots.load() is None
    assert snapshots.said == []


@pytest.mark.parametrize("identity", ["{", None])
def test_an_unfinished_training_whose_identity_is_lost_is_left_alone(open_snapshots, identity):
    # Killed while it wrote down what it is.
    path = saved(open_snapshots).folder / "identity.json"
    path.unlink()
    if identity is not None:
        path.write_text(identity)
    assert open_snapshots({**IDENTITY, "seed": 4}).load() is None
    assert_loads_state(open_snapshots())


# When it is saved.


def test_nothing_is_saved_before_its_time(open_snapshots, monkeypatch):
    snapshots, now, taken = open_snapshots(between=30.0), [1000.0], []
    monkeypatch.setattr("infogan.train.snapshot.time.monotonic", lambda: now[0])
    snapshots._last = now[0]

    def take():
        taken.append(now[0])
        return STATE

    for now[0] in (1000.0, 1029.9, 1030.0, 1031.0, 1059.9, 1060.1, 1200.0, 1210.0):
        snapshots.after_step(take)
        assert (snapshots.folder / "snapshot").exists() == bool(taken)
    assert taken == [1030.0, 1060.1, 1200.0]


# One training at a time.


def test_a_second_training_of_the_same_identity_keeps_no_snapshots_and_says_so(open_snapshots):
    first = open_snapshots()
    first.after_step(lambda: STATE)
    second = open_snapshots()
    assert second.load() is None
    waits, keeps_none = second.said
    assert waits.startswith(f"waits for process {os.getpid()} on ")
    assert keeps_none.startswith(f"process {os.getpid()} on ")
    assert keeps_none.endswith(" runs the same training: this one keeps no snapshots")
    second.after_step(lambda: Snapshot(98, TENSORS, []))
    second.stop_requested = True
    with pytest.raises(Interrupted, match="stopped after step 99; nothing could be kept"):
        second.after_step(lambda: Snapshot(99, TENSORS, []))
    second.discard()
    assert_loads_state(open_snapshots(after=first))


def claim_elsewhere(folder):
    """Put in place the claim of a process on another machine, which does not renew it."""
    fields = ("pid=7", "host=elsewhere", "mode=lease", "token=a", "duration=0.3")
    (folder.parent / "claim").write_text("\n".join(["filelock/2", *fields, ""]))
    os.replace(folder.parent / "claim", f"{folder}.lock")


def test_a_dead_machines_training_goes_on_here(open_snapshots, monkeypatch):
    claim_elsewhere(saved(open_snapshots).folder)
    monkeypatch.setattr("infogan.train.snapshot.SECONDS_TO_WAIT", 60.0)
    monkeypatch.setattr("infogan.train.snapshot.SECONDS_OF_LEASE", 0.3)
    snapshots = open_snapshots()
    assert snapshots.said == ["waits for process 7 on elsewhere, which runs the same training"]
    assert_loads_state(snapshots)


@pytest.mark.parametrize("lasts", [True, False])
def test_a_training_that_another_machine_took_over_keeps_no_more_snapshots(open_snapshots, lasts):
    first = open_snapshots()
    first.after_step(lambda: STATE)
    claim_elsewhere(first.folder)
    if lasts:
        first.after_step(lambda: Snapshot(8, TENSORS, LOG))
        assert first.said == [f"keeps no more snapshots: another has taken over {first.folder}"]
    first.discard()
    os.remove(f"{first.folder}.lock")
    assert_loads_state(open_snapshots())


# Room.


def leave_unfinished(open_snapshots, seeds, since=1e9):
    """Trainings that were killed one after the other; the first is the oldest."""
    left = [saved(open_snapshots, identity={**IDENTITY, "seed": seed}) for seed in seeds]
    for later, snapshots in enumerate(left):
        os.utime(snapshots.folder, (since + later, since + later))
    return [snapshots.folder for snapshots in left]


def test_the_newest_unfinished_trainings_running_ones_and_foreign_files_are_kept(open_snapshots):
    running = open_snapshots()
    running.after_step(lambda: STATE)
    root = running.folder.parent
    (root / "notes").mkdir()
    (root / "note").write_text("mine")
    left = leave_unfinished(open_snapshots, range(10, 10 + MAX_KEPT))
    left += leave_unfinished(open_snapshots, [90, 91], since=1e9 + 90)
    for path in (running.folder, root / "notes", root / "note"):
        os.utime(path, (1e8, 1e8))
    new = open_snapshots({**IDENTITY, "seed": 99})
    kept = [running.folder, new.folder, *left[-MAX_KEPT:]]
    assert {path for path in root.iterdir() if path.suffix != ".lock"} == {
        *(root / "notes", root / "note"),
        *kept,
    }
    # Also the oldest of them can still go on.
    assert_loads_state(open_snapshots({**IDENTITY, "seed": 12}))
    assert_loads_state(open_snapshots(after=running))


def test_all_unfinished_trainings_of_the_last_week_are_kept(open_snapshots):
    left = [saved(open_snapshots, identity={"seed": seed}) for seed in range(MAX_KEPT + 2)]
    open_snapshots({**IDENTITY, "seed": 99})
    assert all(snapshots.folder.exists() for snapshots in left)


# Without room, training goes on.


def no_space(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_that_cannot_be_made_is_said_and_training_goes_on(open_snapshots, tmp_path):
    (tmp_path / "file").write_text("in the way")
    snapshots = open_snapshots(root=tmp_path / "file")
    assert snapshots.load() is None
    snapshots.after_step(lambda: STATE)
    snapshots.discard()
    (line,) = snapshots.said
    assert re.match(f"keeps no snapshots: .*{tmp_path / 'file'}", line)


def test_a_disk_too_full_for_a_claim_is_said_and_training_goes_on(open_snapshots, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr("pathlib.Path.write_bytes", no_space)
        snapshots = open_snapshots()
    snapshots.after_step(lambda: STATE)
    assert not (snapshots.folder / "snapshot").exists()
    (line,) = snapshots.said
    assert re.match(r"keeps no snapshots: cannot write .*identity\.json: No space left", line)


def test_a_snapshot_that_cannot_be_written_is_said_and_the_one_before_stays(
    open_snapshots, monkeypatch
):
    snapshots = open_snapshots()
    snapshots.after_step(lambda: STATE)
    with monkeypatch.context() as full:
        full.setattr(os, "replace", no_space)
        snapshots.after_step(lambda: Snapshot(8, TENSORS, []))
        snapshots.stop_requested = True
        with pytest.raises(Interrupted, match="stopped after step 9; nothing could be kept"):
            snapshots.after_step(lambda: Snapshot(9, TENSORS, []))
    assert snapshots.said == 2 * [
        f"training goes on without a snapshot: cannot write {snapshots.folder / 'snapshot'}: "
        "No space left on device; free some space there and run again"
    ]
    assert_loads_state(open_snapshots(after=snapshots))


def test_a_training_goes_on_after_all_snapshots_were_deleted(open_snapshots):
    snapshots = open_snapshots()
    shutil.rmtree(snapshots.folder.parent)
    snapshots.after_step(lambda: STATE)
    snapshots.discard()
    (line,) = snapshots.said
    assert line.startswith("keeps no more snapshots: ")
