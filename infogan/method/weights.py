"""Final weights as safetensors that say which networks they belong to."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.base.tensors import checksum
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
        f"{name}.{key}": value.cpu().contiguous()
        for name, network in (("generator", generator), ("discriminator", discriminator))
        for key, value in network.state_dict().items()
    }
    networks = json.dumps(network_description(params))
    # One key: safetensors writes several in no fixed order, and equal weights give equal bytes.
    contents = json.dumps({"networks": networks, "checksum": checksum(networks, tensors)})
    write_file(path, save(tensors, {"contents": contents}))


def load_weights(path: Path, params: Params) -> tuple[Generator, Discriminator]:
    """Both networks, in evaluation mode on the CPU.

    Raises InfoGANError when the file is missing or damaged, or holds networks other than the
    parameters describe.
    """
    try:
        described, tensors = _read(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
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


def _read(path: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    """The description and the tensors of a weights file."""
    with safe_open(path, framework="pt") as file:
        contents = json.loads((file.metadata() or {})["contents"])
        tensors = {key: file.get_tensor(key) for key in file.offset_keys()}
    if contents["checksum"] != checksum(contents["networks"], tensors):
        raise ValueError("its checksum is wrong: the file was changed")
    return json.loads(contents["networks"]), tensors
