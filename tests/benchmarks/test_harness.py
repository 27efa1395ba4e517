import pytest
import torch

from benchmarks.harness import Training, call, changed, command
from infogan.method.runtime import resolve
from infogan.objectives import OBJECTIVES
from infogan.train.loop import train


def test_steps_are_those_of_a_run_of_the_same_seed(make_params):
    params = make_params({"num_steps": 3, "runtime.precision": "float32"})
    images = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8)
    whole = (OBJECTIVES["infogan"](params), 7, resolve(params.runtime), lambda *_: None)
    trained = train(images, params, *whole)
    training = Training(params, images, seed=7)
    for _ in range(params.num_steps):
        training.step()
    for ours, theirs in (
        (training.players.generator, trained.generator),
        (training.players.discriminator, trained.discriminator),
    ):
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name


def test_a_change_reaches_its_key_and_no_other(params):
    other = changed(params, {"num_steps": 3, "codes.noise": 5})
    assert (other.num_steps, other.codes.noise) == (3, 5)
    assert changed(other, {"num_steps": params.num_steps, "codes.noise": 62}) == params


def test_a_call_returns_what_the_function_does_in_another_process():
    words = command("json.dumps", [1, "a"])
    assert call(words) == '[1, "a"]'
    assert call(command("os.getenv", "TOLD"), {"TOLD": "yes"}) == "yes"


def test_a_call_that_fails_ends_the_benchmark_with_its_last_words():
    with pytest.raises(SystemExit, match="error: ValueError: math domain error"):
        call(command("math.sqrt", -1))
