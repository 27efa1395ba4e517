import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from infogan.base.errors import InfoGANError
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


def test_a_discriminator_with_a_logit_per_label_is_loaded_as_one(tmp_path, make_params):
    params = make_params()
    saved = build_networks(TABLES["mnist"], params.codes, params.networks, seed=3, num_labels=4)
    save_weights(tmp_path / "weights.safetensors", *saved, params)
    _, loaded = load_weights(tmp_path / "weights.safetensors", params)
    assert torch.equal(loaded.decision.weight, saved[1].decision.weight)
    assert loaded.decision.out_features == 4


def test_loaded_networks_are_in_evaluation_mode_and_compute_the_same(path, networks, make_params):
    generator, discriminator = load_weights(path, make_params())
    assert not any(module.training for module in generator.modules())
    assert not any(module.training for module in discriminator.modules())
    latents = torch.rand(5, 16)
    images = generator(latents)
    assert torch.equal(images, networks[0].eval()(latents))
    assert torch.equal(discriminator(images)[1], networks[1].eval()(images)[1])


def test_the_same_networks_give_the_same_bytes(path, tmp_path, networks, make_params):
    again = tmp_path / "again.safetensors"
    save_weights(again, *networks, make_params())
    assert again.read_bytes() == path.read_bytes()


def test_saving_leaves_nothing_but_the_file(path):
    assert [file.name for file in path.parent.iterdir()] == ["weights.safetensors"]


def test_saving_replaces_an_earlier_file(path, networks, make_params):
    with torch.no_grad():
        networks[0].layers[1].weight.fill_(0.5)
    save_weights(path, *networks, make_params())
    assert (load_weights(path, make_params())[0].layers[1].weight == 0.5).all()


def test_saving_that_fails_leaves_the_earlier_file_and_no_partial_one(
    path, networks, make_params, monkeypatch
):
    def fail(source, target):
        raise OSError("no space left")

    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InfoGANError, match=r"cannot write .*weights\.safetensors: no space left"):
        save_weights(path, *networks, make_params())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["weights.safetensors"]


def test_the_description_says_what_decides_the_networks(path, make_params):
    assert network_description(make_params()) == {
        "dataset": "digits",
        "codes.noise": 6,
        "codes.categorical": [5, 3],
        "codes.continuous": 2,
        "codes.continuous_std": "fixed",
        "networks.width": 0.05,
        "networks.leaky_slope": 0.01,
        "networks.norm_eps": 1e-5,
    }
    with safe_open(path, framework="pt") as file:
        contents = json.loads(file.metadata()["contents"])
    assert json.loads(contents["networks"]) == network_description(make_params())


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("dataset", "mnist", "digits"),
        ("codes.noise", 7, "6"),
        ("codes.categorical", [3, 5], "[5, 3]"),
        ("codes.continuous", 0, "2"),
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


@pytest.mark.parametrize(
    "changes",
    [
        {"num_steps": 9, "seeds": [8]},
        {"networks.init_std": 0.5, "networks.norm_momentum": 0.5},
        {"training.batch_size": 64, "lambda_disc": 0.1},
    ],
)
def test_parameters_that_do_not_decide_the_networks_may_change(path, make_params, changes):
    load_weights(path, make_params(changes))


def test_an_absent_file_is_refused(tmp_path, make_params):
    message = refusal(tmp_path / "absent.safetensors", make_params())
    assert "run the train stage" in message


@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, 0.999])
def test_a_truncated_file_is_refused(path, make_params, kept):
    contents = path.read_bytes()
    path.write_bytes(contents[: kept if isinstance(kept, int) else int(kept * len(contents))])
    assert "run the train stage" in refusal(path, make_params())


@pytest.mark.parametrize("contents", [b"not weights", b"\x00" * 100, b"\xff" * 100])
def test_a_file_of_another_kind_is_refused(path, make_params, contents):
    path.write_bytes(contents)
    refusal(path, make_params())


def test_a_folder_is_refused(tmp_path, make_params):
    refusal(tmp_path, make_params())


@pytest.mark.parametrize(
    "metadata", [None, {"contents": "{}"}, {"networks": "{"}, {"networks": "{}"}]
)
def test_weights_without_a_description_of_their_networks_are_refused(path, make_params, metadata):
    save_file({"images": torch.zeros(3, 2)}, path, metadata)
    refusal(path, make_params())


def test_weights_that_do_not_fit_their_description_are_refused(path, make_params):
    described = {"networks": json.dumps(network_description(make_params()))}
    save_file({"generator.layers.1.weight": torch.zeros(3, 2)}, path, described)
    refusal(path, make_params())


@pytest.mark.parametrize("position", [0.1, 0.5, 0.999])
def test_a_flipped_bit_is_noticed(path, make_params, position):
    data = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(data[:8], "little")
    data[header + int(position * (len(data) - header))] ^= 1
    path.write_bytes(data)
    with pytest.raises(InfoGANError, match="the file was changed"):
        load_weights(path, make_params())
