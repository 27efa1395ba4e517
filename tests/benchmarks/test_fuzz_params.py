import pytest
import torch

from benchmarks.fuzz_params import ORIGINAL, damaged, ending, fuzz, is_good
from infogan.download.packing import read_digits

DIGITS = torch.as_tensor(read_digits({}, "train")[0])


def test_damaged_files_are_refused_in_one_line_or_train_two_steps():
    counts = fuzz(60, 1000)
    assert counts.total() == 60
    assert counts.keys() - {"stopped"} == {"refused", "trained"}


def test_a_case_has_a_file_of_its_own_that_its_seed_decides():
    files = [damaged(5, case) for case in range(20)]
    assert files == [damaged(5, case) for case in range(20)]
    assert len({*files, ORIGINAL.encode()}) > 18
    assert files != [damaged(6, case) for case in range(20)]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("", "", "trained"),
        ("batch_size: 128 ", "batch_size: 128000 ", "trained"),
        ("num_steps:", "num_stepz:", "refused"),
        ("generator_lr: 0.001", "generator_lr: 1e+200", "stopped"),
    ],
    ids=["sound", "capped", "misspelt", "diverging"],
)
def test_a_file_is_judged_by_how_it_ends(tmp_path, old, new, kind):
    path = tmp_path / "params.yaml"
    path.write_text(ORIGINAL.replace(old, new, 1))
    assert ending(path, DIGITS)[0] == kind


@pytest.mark.parametrize("given", [{"images": None}, {"images": DIGITS, "seconds": 1e-6}])
def test_another_exception_than_ours_or_computing_for_too_long_is_a_failure(tmp_path, given):
    path = tmp_path / "params.yaml"
    path.write_text(ORIGINAL)
    assert ending(path, **given)[0] == "FAILED"


def test_a_refusal_is_one_line_that_names_the_key_or_the_place():
    assert is_good("refused", ": seeds = 3: expected a valid list")
    assert is_good("refused", ": not valid YAML: found a tab in line 3")
    assert not is_good("refused", ": something is wrong")
    assert not is_good("refused", ": seeds = 3: expected a valid list\nin params.yaml")
    assert not is_good("stopped", ": seeds = 3: expected a valid list")
