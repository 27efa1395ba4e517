import json

import pytest
import torch
from safetensors.torch import save_file

from infogan.base.errors import InfoGANError
from infogan.base.tensors import save_tensors
from infogan.method.networks import TABLES, build_networks
from infogan.method.weights import load_weights, network_description, save_weights


@pytest.fixture
def networks(make_params):
    """Networks with running statistics of their own."""
    params = make_params()
    generator, discriminator = build_networks(
        TABLES["mnist"], params.codes, params.networks, seed=3
    )
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        discriminator(generator(torch.rand(7, params.codes.latent_dim, generator=rng)))
    return generator, discriminator


@pytest.fixture
def path(tmp_path, networks, make_params):
    path = tmp_path / "weights.safetensors"
    save_weights(path, *networks, make_params())
    return path


def refusal(path, params):
    """The message with which a file is refused, checked to be one line that names the file."""
    with pytest.raises(InfoGANError) as refused:
        load_weights(path, params)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_loading_undoes_saving_bitwise(path, networks, make_params):
    for saved, loaded in zip(networks, load_weights(path, make_params()), strict=True):
        expected = saved.state_dict()
        assert any("running_mean" in key for key in expected)
        assert list(loaded.state_dict()) == list(expected)
        for key, value in loaded.state_dict().items():
            assert value.dtype == expected[key].dtype
            assert torch.equal(value, expected[key]), key
        assert not any(module.training for module in loaded.modules())


def test_a_discriminator_with_a_logit_per_label_is_loaded_as_one(tmp_path, make_params):
    params = make_params()
    saved = build_networks(TABLES["mnist"], params.codes, params.networks, seed=3, num_labels=4)
    save_weights(tmp_path / "weights.safetensors", *saved, params)
    _, loaded = load_weights(tmp_path / "weights.safetensors", params)
    assert torch.equal(loaded.decision.weight, saved[1].decision.weight)
    assert loaded.decision.out_features == 4


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("dataset", "mnist", "digits"),
        ("codes.noise", 7, "6"),
        ("codes.categorical", [3, 5], "[5, 3]"),
        ("codes.continuous", 0, "2"),
        ("codes.continuous_std", "learned", "fixed"),
        ("networks.width", 0.1, "0.05"),
        ("networks.leaky_slope", 0.1, "0.01"),
        ("networks.norm_eps", 1e-3, "1e-05"),
    ],
)
def test_other_networks_are_refused_with_file_key_value_and_expectation(
    path, make_params, key, value, stored
):
    message = refusal(path, make_params({key: value}))
    assert f"{key} = {stored}, expected {value}" in message


def test_parameters_that_do_not_decide_the_networks_may_change(path, make_params):
    changes = {"num_steps": 9, "seeds": [8], "lambda_disc": 0.1, "training.batch_size": 64}
    load_weights(path, make_params(changes | {"networks.init_std": 0.5}))


def test_an_absent_cut_off_or_changed_file_or_one_of_another_kind_is_refused(path, make_params):
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    flipped = [bytearray(whole) for _ in range(3)]
    for contents, position in zip(flipped, (header, (header + len(whole)) // 2, -1), strict=True):
        contents[position] ^= 1
    for metadata in (None, {"contents": "{}"}, {"contents": "["}):
        save_file({"images": torch.zeros(3, 2)}, path, metadata)
        assert "run the train stage" in refusal(path, make_params())
    cut_off = (whole[:size] for size in (0, 5, 60, len(whole) // 2, len(whole) - 10))
    for contents in (*flipped, *cut_off, b"not weights", b"\xff" * 100):
        path.write_bytes(contents)
        assert "run the train stage" in refusal(path, make_params())
    path.unlink()
    assert "run the train stage" in refusal(path, make_params())


def test_weights_that_do_not_fit_their_description_are_refused(path, make_params):
    description = json.dumps(network_description(make_params()))
    save_tensors(path, {"generator.layers.1.weight": torch.zeros(3, 2)}, "networks", description)
    assert "do not fit the generator's layers" in refusal(path, make_params())
