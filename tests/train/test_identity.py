import platform
from dataclasses import replace

import pytest
import torch

from infogan.method import losses
from infogan.method.runtime import Backend
from infogan.objectives import OBJECTIVES
from infogan.train.identity import identify


@pytest.fixture
def given(make_params, backend, digit_images):
    params = make_params()
    images, labels = digit_images[:9].clone(), torch.arange(9)
    named = {"params": params, "objective": OBJECTIVES["cgan"](params), "seed": 3}
    return named | {"backend": backend, "images": images, "labels": labels}


def test_a_training_is_bound_to_each_part_of_what_decides_it(given, make_params):
    before = identify(**given)
    half = Backend(given["backend"].device, torch.bfloat16, given["backend"].threads)
    for name, changed in {
        "params": make_params({"num_steps": 14}),
        "objective": replace(given["objective"], lambda_cont=0.3),
        "seed": 4,
        "backend": half,
        "images": given["images"] ^ 1,
        "labels": given["labels"] ^ 1,
    }.items():
        assert identify(**given | {name: changed}) != before, name
    assert identify(**given | {"params": make_params({"traverse.rows": 3})}) == before


def test_a_training_is_bound_to_code_library_and_machine(given, monkeypatch, tmp_path):
    (tmp_path / "losses.py").write_text("# changed\n")
    before = identify(**given)
    for place, name, changed in (
        (losses, "__file__", str(tmp_path / "losses.py")),
        (torch, "__version__", "1.0.0"),
        (platform, "machine", lambda: "vax"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, changed)
            assert identify(**given) != before, name
    assert identify(**given) == before
