"""Final weights as safetensors that say which networks they belong to."""

import json
from pathlib import Path

from infogan.base.errors import InfoGANError
from infogan.base.tensors import load_tensors, save_tensors
from infogan.datasets import lookup
from infogan.method.networks import TABLES, Discriminator, Generator, build_networks
from infogan.params import Params


def network_description(params: Params) -> dict[str, object]:
    """The parameters that decide the networks' shapes and meaning."""
    return {
        "dataset": params.dataset,
        "codes.noise": params.codes.noise,
        "codes.categorical": list(params.codes.categorical),
        "codes.continuous": params.codes.continuous,
        "codes.continuous_std": params.codes.continuous_std,
        "networks.width": params.networks.width,
        "networks.leaky_slope": params.networks.leaky_slope,
        "networks.norm_eps": params.networks.norm_eps,
    }


def save_weights(
    path: Path, generator: Generator, discriminator: Discriminator, params: Params
) -> None:
    """Write both networks to one file, whole or not at all."""
    tensors = {
        f"{name}.{key}": value
        for name, network in (("generator", generator), ("discriminator", discriminator))
        for key, value in network.state_dict().items()
    }
    save_tensors(path, tensors, "networks", json.dumps(network_description(params)))


def load_weights(path: Path, params: Params) -> tuple[Generator, Discriminator]:
    """Both networks, in evaluation mode on the CPU.

    Raises InfoGANError when the file is missing or damaged, or holds networks other than the
    parameters describe.
    """
    try:
        header, tensors = load_tensors(path, "networks")
        described = json.loads(header)
    except (OSError, ValueError) as error:
        raise InfoGANError(f"{path}: no readable weights ({error}); run the train stage") from error
    for key, expected in network_description(params).items():
        if described.get(key) != expected:
            raise InfoGANError(
                f"{path}: trained with {key} = {described.get(key)}, expected {expected} as in the "
                "parameters; train again, or restore the parameters"
            )
    table = TABLES[lookup(params.dataset).networks]
    num_labels = len(tensors.get("discriminator.decision.bias", [0]))
    networks = build_networks(table, params.codes, params.networks, seed=0, num_labels=num_labels)
    for name, network in zip(("generator", "discriminator"), networks, strict=True):
        prefix = f"{name}."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            raise InfoGANError(
                f"{path}: the weights do not fit the {name}'s layers; run the train stage again"
            ) from error
        network.eval()
    return networks
