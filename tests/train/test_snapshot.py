import errno
import fcntl
import json
import os
import random
import re

import pytest
import torch
from safetensors.torch import save_file

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


class Said(list):
    """Lines that were said."""

    __call__ = list.append

    @property
    def text(self):
        return "\n".join(self)


@pytest.fixture
def open_snapshots(tmp_path, monkeypatch):
    """Open the snapshots of a training, `after` the end of the one that holds them, if any."""
    monkeypatch.setattr("infogan.train.locks.SECONDS_TO_WAIT", 0.0)

    def open_them(
        identity=IDENTITY, *, run="infogan-0", root=tmp_path / "resume", between=0.0, after=None
    ):
        if after is not None:
            after.close()  # as the end of its process does
        return Snapshots(root, run, identity, Said(), between)

    return open_them


def saved(open_snapshots, state=STATE, **options):
    """Snapshots in which a training has left a state, in a process that has ended."""
    snapshots = open_snapshots(**options)
    snapshots.after_step(lambda: state)
    snapshots.close()
    return snapshots


def bits(tensor):
    return tensor.dtype, tensor.shape, tensor.flatten().view(torch.uint8).tolist()


def assert_same(first, second):
    assert first.step == second.step
    contents = ([(name, bits(v)) for name, v in each.tensors.items()] for each in (first, second))
    assert next(contents) == next(contents)
    # repr, so that -0.0 is not 0.0.
    assert repr(first.log) == repr(second.log)


# What is kept comes back.


def test_the_newest_snapshot_comes_back_bit_for_bit_with_its_log(open_snapshots):
    snapshots = open_snapshots()
    assert snapshots.load() is None
    assert snapshots.say == []
    for state in (Snapshot(1, TENSORS, []), STATE):
        snapshots.after_step(lambda state=state: state)
    snapshots = open_snapshots(after=snapshots)
    assert_same(snapshots.load(), STATE)
    assert snapshots.resumed_step == 7
    assert snapshots.say == [f"goes on after step 7, from the snapshot in {snapshots.folder}"]


def test_identities_are_equal_whatever_the_order_of_their_keys_and_readable(open_snapshots):
    before = saved(open_snapshots)
    assert json.loads((before.folder / "identity.json").read_text()) == IDENTITY
    reordered = {"seed": 3, "parameters": {"steps": 9, "training": {"batch": 8, "lr": 0.1}}}
    assert open_snapshots(reordered, after=before).load().step == 7


# What is damaged does not.


def damaged(sound, folder):
    """Contents that are no snapshot."""
    for position in range(0, 8 * len(sound), 11):
        contents = bytearray(sound)
        contents[position // 8] ^= 1 << position % 8
        yield bytes(contents)
    yield from (sound[:length] for length in [*range(0, len(sound), 17), len(sound) - 1])
    yield sound + b"\0"
    yield from (b"step 7", bytes(1000), random.Random(0).randbytes(1000))
    for metadata in (None, {}, {"header": "{}"}, {"checksum": "0"}, {"header": "", "checksum": ""}):
        save_file({"weight": torch.ones(2)}, folder / "garbage", metadata)
        yield (folder / "garbage").read_bytes()


def test_a_flipped_bit_or_a_missing_byte_is_noticed_and_replaced_by_the_next(
    open_snapshots, tmp_path
):
    snapshots = open_snapshots()
    # Many a flipped bit turns a name into another one that comes at the same place in order.
    state = Snapshot(2, {"sum.loss": torch.tensor(0.5), "weight.0": torch.ones(1, 2)}, LOG[:1])
    snapshots.after_step(lambda: state)
    for contents in damaged((snapshots.folder / "snapshot").read_bytes(), tmp_path):
        (snapshots.folder / "other").write_bytes(contents)
        os.replace(snapshots.folder / "other", snapshots.folder / "snapshot")
        snapshots.say.clear()
        assert snapshots.load() is None
        said = f"starts anew: the snapshot in {snapshots.folder} is damaged ("
        assert snapshots.say.text.startswith(said)
    assert snapshots.resumed_step == 0
    snapshots.after_step(lambda: STATE)
    assert_same(open_snapshots(after=snapshots).load(), STATE)


# Another training's is never taken up.


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        ({"parameters": IDENTITY["parameters"]}, "seed"),
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
    assert snapshots.folder != before.folder
    assert snapshots.load() is None
    assert snapshots.say == [f"starts anew: {before.folder.name} differs in {named}"]
    # The other one still waits.
    assert_same(open_snapshots().load(), STATE)


@pytest.mark.parametrize(
    ("key", "run"), [("dataset", "infogan-0"), ("networks", "infogan-0"), ("steps", "infogan-00")]
)
def test_another_run_or_one_on_other_data_or_networks_is_not_compared(open_snapshots, key, run):
    # Such as a small demonstration that was interrupted: nobody expects it to go on as this one.
    saved(open_snapshots, identity={"parameters": {key: "small"}})
    snapshots = open_snapshots({"parameters": {key: "large"}}, run=run)
    assert snapshots.load() is None
    assert snapshots.say == []


@pytest.mark.parametrize("identity", ["{", None])
def test_an_unfinished_training_whose_identity_is_lost_is_left_alone(open_snapshots, identity):
    # Killed while it wrote down what it is.
    before = saved(open_snapshots)
    (before.folder / "identity.json").unlink()
    if identity is not None:
        (before.folder / "identity.json").write_text(identity)
    snapshots = open_snapshots({**IDENTITY, "seed": 4})
    assert snapshots.load() is None
    assert_same(open_snapshots().load(), STATE)


# When it is saved.


def test_nothing_is_saved_before_its_time(open_snapshots, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("infogan.train.snapshot.time.monotonic", lambda: now[0])
    snapshots = open_snapshots(between=30.0)
    taken = []

    def take():
        taken.append(now[0])
        return STATE

    for now[0] in (1000.0, 1029.9, 1030.0, 1031.0, 1059.9, 1060.1, 1200.0, 1210.0):
        snapshots.after_step(take)
        assert (snapshots.folder / "snapshot").exists() == bool(taken)
    assert taken == [1030.0, 1060.1, 1200.0]


def test_a_request_to_stop_saves_at_once_and_interrupts(open_snapshots):
    snapshots = open_snapshots(between=1e9)
    snapshots.stop_requested = True
    with pytest.raises(Interrupted) as stopped:
        snapshots.after_step(lambda: STATE)
    assert str(stopped.value) == "stopped after step 7; the same command goes on from there"
    assert_same(open_snapshots(after=snapshots).load(), STATE)


# One training at a time.


def test_a_second_training_of_the_same_identity_keeps_no_snapshots_and_says_so(open_snapshots):
    first = open_snapshots()
    first.after_step(lambda: STATE)
    second = open_snapshots()
    assert second.load() is None
    assert second.say == [
        f"process {os.getpid()} runs the same training: this one keeps no snapshots"
    ]
    second.after_step(lambda: Snapshot(98, TENSORS, []))
    second.stop_requested = True
    with pytest.raises(Interrupted, match="stopped after step 99; nothing could be kept"):
        second.after_step(lambda: Snapshot(99, TENSORS, []))
    second.discard()
    assert_same(open_snapshots(after=first).load(), STATE)


def test_a_dead_machines_training_goes_on_here(open_snapshots):
    folder = saved(open_snapshots).folder
    (folder / "holder").write_text("process 7 on elsewhere")
    os.utime(folder / "holder", (1e9, 1e9))
    lock = os.open(folder / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)  # which some file systems keep after its end
    snapshots = open_snapshots()
    assert snapshots.load().step == 7
    assert open_snapshots().say.text.endswith("keeps no snapshots")  # the new lock holds
    os.close(lock)


def test_a_training_that_another_machine_took_over_keeps_no_more_snapshots(open_snapshots):
    first = open_snapshots()
    first.after_step(lambda: STATE)
    (first.folder / "holder").write_text("process 7 on elsewhere")
    first.after_step(lambda: Snapshot(8, TENSORS, LOG))
    first.discard()
    assert "another process has taken the training over" in first.say.text
    os.utime(first.folder / "holder", (1e9, 1e9))
    assert open_snapshots().load().step == 7


# Room.


def unfinished(folder):
    return {path.name for path in folder.iterdir() if (path / "snapshot").exists()}


def leave_unfinished(open_snapshots, seeds, since=1e9):
    """Trainings that were killed one after the other; the first is the oldest."""
    left = [saved(open_snapshots, identity={**IDENTITY, "seed": seed}) for seed in seeds]
    for later, snapshots in enumerate(left):
        os.utime(snapshots.folder, (since + later, since + later))
    return left


def test_only_the_newest_unfinished_trainings_are_kept(open_snapshots):
    left = leave_unfinished(open_snapshots, range(10, 10 + MAX_KEPT))
    root = left[0].folder.parent
    left += leave_unfinished(open_snapshots, [90, 91], since=1e9 + 90)
    new = open_snapshots({**IDENTITY, "seed": 99})
    assert unfinished(root) == {snapshots.folder.name for snapshots in left[-MAX_KEPT:]}
    assert new.folder.exists()
    # Also the oldest of them can still go on.
    assert_same(open_snapshots(left[-MAX_KEPT].identity).load(), STATE)


def test_all_unfinished_trainings_of_the_last_week_are_kept_and_running_ones_however_old(
    open_snapshots,
):
    running = open_snapshots()
    running.after_step(lambda: STATE)
    os.utime(running.folder, (1e8, 1e8))
    for seed in range(MAX_KEPT + 2):
        saved(open_snapshots, identity={"seed": seed})
    open_snapshots({**IDENTITY, "seed": 99})
    assert len(unfinished(running.folder.parent)) == MAX_KEPT + 3
    assert_same(open_snapshots(after=running).load(), STATE)


def test_foreign_files_and_folders_among_the_snapshots_stay(open_snapshots, tmp_path):
    (tmp_path / "resume" / "notes").mkdir(parents=True)
    for name in ("infogan-0-notes", *(f"note{index}" for index in range(MAX_KEPT + 2))):
        (tmp_path / "resume" / name).write_text("mine")
    foreign = [*(tmp_path / "resume").glob("*note*")]
    for path in foreign:
        os.utime(path, (1e8, 1e8))
    snapshots = open_snapshots(after=saved(open_snapshots))
    assert_same(snapshots.load(), STATE)
    assert all(path.exists() for path in foreign)


# What is no plain file is left alone.


def put_link(path, target):
    path.unlink()
    path.symlink_to(target)


def put_pipe(path, target):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("put", [put_link, put_pipe])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("snapshot", "starts anew: the snapshot in .* is damaged .snapshot is no regular file.$"),
        ("lock", "keeps no snapshots: .*lock"),
        ("identity.json", "goes on after step 7, "),
    ],
)
def test_what_is_no_plain_file_is_neither_read_nor_written_through(
    open_snapshots, tmp_path, put, name, says
):
    before, target = saved(open_snapshots), tmp_path / "mine"
    kept = (before.folder / name).read_bytes()
    target.write_bytes(kept)
    put(before.folder / name, target)
    other = open_snapshots({**IDENTITY, "seed": 4})
    assert other.load() is None
    assert other.say == [] or name == "lock"
    snapshots = open_snapshots()
    assert (snapshots.load() is None) == (name != "identity.json")
    (line,) = snapshots.say
    assert re.match(says, line)
    snapshots.after_step(lambda: Snapshot(8, TENSORS, LOG))
    assert target.read_bytes() == kept
    again = open_snapshots(after=snapshots).load()
    assert (again is None) if name == "lock" else (again.step == 8)


def test_a_folder_that_is_a_link_is_refused_and_nothing_is_put_there(open_snapshots, tmp_path):
    folder = saved(open_snapshots).folder
    folder.rename(tmp_path / "mine")
    folder.symlink_to(tmp_path / "mine")
    kept = (tmp_path / "mine" / "snapshot").read_bytes()
    (tmp_path / "mine" / ".note.partial").write_text("mine")
    snapshots = open_snapshots()
    assert snapshots.load() is None
    assert snapshots.say == [f"keeps no snapshots: {folder} is a link"]
    snapshots.after_step(lambda: Snapshot(8, TENSORS, LOG))
    assert (tmp_path / "mine" / "snapshot").read_bytes() == kept
    assert (tmp_path / "mine" / ".note.partial").exists()


# Without room, training goes on.


def test_a_folder_that_cannot_be_made_is_said_and_training_goes_on(open_snapshots, tmp_path):
    (tmp_path / "file").write_text("in the way")
    snapshots = open_snapshots(root=tmp_path / "file")
    assert snapshots.load() is None
    snapshots.after_step(lambda: STATE)
    snapshots.discard()
    (line,) = snapshots.say
    assert line.startswith("keeps no snapshots: ")
    assert str(tmp_path / "file") in line


def no_space(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
    assert snapshots.say == 2 * [
        f"training goes on without a snapshot: cannot write {snapshots.folder / 'snapshot'}: "
        "No space left on device; free some space there and run again"
    ]
    assert sorted(path.name for path in snapshots.folder.iterdir()) == [
        *("holder", "identity.json", "lock", "snapshot")
    ]
    assert_same(open_snapshots(after=snapshots).load(), STATE)


def test_a_disk_too_full_for_a_claim_is_said_and_training_goes_on(open_snapshots, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr("pathlib.Path.write_bytes", no_space)
        snapshots = open_snapshots()
    assert snapshots.load() is None
    snapshots.after_step(lambda: STATE)
    assert snapshots.say == [
        f"keeps no snapshots: cannot write {snapshots.folder / 'holder'}: "
        "No space left on device; free some space there and run again"
    ]


def test_a_folder_that_is_lost_while_training_is_made_again(open_snapshots):
    snapshots = open_snapshots()
    snapshots.folder.rename(snapshots.folder.with_name("away"))
    snapshots.after_step(lambda: STATE)
    assert snapshots.say == []
    assert_same(open_snapshots(after=snapshots).load(), STATE)


@pytest.mark.parametrize("name", [".snapshot.123.partial", ".tmpA1b2C3"])
def test_what_a_killed_training_left_of_a_snapshot_goes_with_the_next(open_snapshots, name):
    before = saved(open_snapshots)
    left = before.folder / name
    left.write_bytes(b"half of a snap")
    assert open_snapshots(after=before).load().step == 7
    assert not left.exists()
