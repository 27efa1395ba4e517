import random
import time

import pytest

from benchmarks.fuzz_params import (
    DAMAGES,
    Judge,
    cases,
    damage,
    fuzz,
    original,
    smallest,
    time_limit,
)


def test_damaged_files_are_refused_in_one_line_or_train_two_steps(tmp_path):
    counts, failures = fuzz(150, 1000, tmp_path)
    assert failures == []
    assert counts.total() == 150
    assert {"refused", "trained"} <= set(counts)


def test_the_same_seed_gives_the_same_files_and_another_seed_others():
    assert list(cases(20, 5)) == list(cases(20, 5))
    assert list(cases(30, 5))[:20] == list(cases(20, 5))
    assert list(cases(20, 5)) != list(cases(20, 6))


def test_every_kind_of_damage_changes_the_file():
    for kind in set(DAMAGES):
        assert any(kind(original(), random.Random(seed)) != original() for seed in range(9)), kind


@pytest.mark.parametrize(
    ("contents", "kind"),
    [
        (original().encode(), "trained"),
        (original().replace("batch_size: 128 ", "batch_size: 128000 ", 1).encode(), "trained"),
        (b"", "refused"),
        (original().replace("generator_lr: 0.001", "generator_lr: 1e+200").encode(), "stopped"),
    ],
    ids=["sound", "capped", "empty", "diverging"],
)
def test_a_file_is_judged_by_how_it_ends(tmp_path, contents, kind):
    assert Judge(tmp_path).outcome(contents).kind == kind


def test_another_exception_than_ours_is_a_failure(tmp_path, monkeypatch):
    def break_down(path):
        raise ZeroDivisionError("at\nnight")

    monkeypatch.setattr("benchmarks.fuzz_params.load_params", break_down)
    assert Judge(tmp_path).outcome(b"").message == "ZeroDivisionError: at\nnight"


def compute_without_end():
    while True:
        pass


def test_computing_without_end_is_given_up_and_waiting_for_the_processor_is_not():
    with time_limit(0.05):
        time.sleep(0.2)
    with pytest.raises(TimeoutError, match="seconds of computing"), time_limit(0.05):
        compute_without_end()


def test_the_smallest_file_keeps_only_the_lines_that_fail():
    contents = b"\n".join(b"%d" % i for i in range(40))
    assert smallest(contents, lambda c: {b"3", b"17"} <= set(c.split(b"\n"))) == b"3\n17"


def test_damage_ends_in_bytes_whatever_it_does():
    assert all(isinstance(damage(original(), random.Random(i)), bytes) for i in range(50))
