import pytest

from benchmarks.harness import call, changed


def test_a_change_reaches_its_key_and_no_other(params):
    other = changed(params, {"num_steps": 3, "codes.noise": 5})
    assert (other.num_steps, other.codes.noise) == (3, 5)
    assert changed(other, {"num_steps": params.num_steps, "codes.noise": 62}) == params


def test_a_call_returns_what_the_function_does_in_another_process():
    assert call("json.dumps", [1, "a"]) == '[1, "a"]'
    assert call("os.getenv", "TOLD", TOLD="yes") == "yes"


def test_a_call_that_fails_ends_the_benchmark_and_its_cause_stands_above(capfd):
    with pytest.raises(SystemExit, match=r"math\.sqrt: failed"):
        call("math.sqrt", -1)
    assert "ValueError" in capfd.readouterr().err
