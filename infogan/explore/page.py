"""One self-contained web page in which a trained generator runs and its codes can be turned.

The page holds the networks with batch norm folded into the layers before it and the weights
rounded: each row of a layer is a scale times whole numbers, of GENERATOR_BITS for G and
RECOGNITION_BITS for Q. That keeps the page below 20 MB for MNIST and its images within 2/255 of
PyTorch's. A small page leaves Q out and has LARGEST_BITS for G's largest layer, where most weights
are and rounding averages out: 8 MB at most, and images within 4/255. Maps lie in memory pixel by
pixel (height, width, channel), as in `networks`.
"""

import base64
import html
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.datasets import lookup
from infogan.evaluate.record import ROLE_NAMES, UNMATCHED
from infogan.method.networks import Discriminator, FlattenMaps, Generator, UnflattenMaps
from infogan.params import Params

TEMPLATE = Path(__file__).with_suffix(".html")
GENERATOR_BITS = 11
RECOGNITION_BITS = 7
LARGEST_BITS = 7  # of G on a small page


@dataclass
class Operation:
    """One layer of the page's networks: a matrix, a bias and an activation.

    `kind` is dense, conv (rows: channels out; columns: kernel row, kernel column, channel in) or
    upconv (rows: kernel row, kernel column, channel out; columns: channels in). `size` is the
    height of the square maps that enter; `slope` belongs to a leaky ReLU.
    """

    kind: str
    matrix: Float[np.ndarray, "row column"]
    bias: Float[np.ndarray, " channel"]
    stride: int = 1
    size: int = 1
    activation: str = "none"
    slope: float = 0.0

    def describe(self) -> dict[str, Any]:
        """What the page needs to know besides the numbers."""
        return {
            "kind": self.kind,
            "rows": self.matrix.shape[0],
            "columns": self.matrix.shape[1],
            "channels": len(self.bias),
            "stride": self.stride,
            "size": self.size,
            "activation": self.activation,
            "slope": self.slope,
        }


def write_page(
    path: Path,
    generator: Generator,
    discriminator: Discriminator,
    facts: dict[str, Any],
    *,
    small: bool = False,
) -> None:
    """Write the page, or a small one; `facts` is what `page_facts` gives."""
    g, q = fold_layers(generator.layers, size=1), []
    bits = [GENERATOR_BITS] * len(g)
    if small:
        bits[max(range(len(g)), key=lambda layer: g[layer].matrix.size)] = LARGEST_BITS
    else:
        layers = [*discriminator.trunk, *discriminator.recognition]
        q = fold_layers(layers, size=facts["image"]["height"])
    contents = facts | {
        "generator": [operation.describe() for operation in g],
        "recognition": [operation.describe() for operation in q],
    }
    low, high, scales = _quantise(g, bits)
    q_low, _, q_scales = _quantise(q, [RECOGNITION_BITS] * len(q))
    biases = [operation.bias for operation in [*g, *q]]
    numbers = np.concatenate([*scales, *q_scales, *biases]).astype("<f4").tobytes()
    blobs = {"low": low, "high": high, "recognition": q_low, "numbers": numbers}
    page = TEMPLATE.read_text(encoding="utf-8")
    # "<" cannot end the script element inside JSON strings.
    page = page.replace("{{facts}}", json.dumps(contents).replace("<", "\\u003c"))
    page = page.replace("{{title}}", html.escape(facts["title"]))
    for name, data in blobs.items():
        encoded = base64.b64encode(zlib.compress(data, 9)).decode()
        page = page.replace("{{" + name + "}}", encoded)
    write_file(path, page)


def page_facts(
    params: Params, noise: Float[Tensor, "sample noise"], record: dict[str, Any]
) -> dict[str, Any]:
    """What the page knows besides the networks, from the measurements and samples of the noise."""
    layout, data_set = params.codes, lookup(params.dataset)
    channels, height, width = data_set.image_shape
    low, high = data_set.value_range
    continuous = layout.names[len(layout.categorical) :]
    roles = {
        continuous[role["code"]]: f"{ROLE_NAMES[name] if data_set.shows_strokes else name} "
        f"(rank correlation {record['metrics'][f'{name}_spearman']:.2f})"
        for name, role in record["roles"].items()
    }
    return {
        "title": f"InfoGAN on {params.dataset}: what its codes mean",
        "layout": {
            "noise": layout.noise,
            "categorical": list(layout.categorical),
            "continuous": layout.continuous,
            "names": list(layout.names),
            "prior": layout.noise_prior,
        },
        "image": {"channels": channels, "height": height, "width": width, "low": low, "high": high},
        "categories": named_categories(record, data_set.class_names),
        "roles": roles,
        "limit": params.traverse.limit,
        "digits": data_set.shows_strokes,
        "noise": [[round(float(value), 4) for value in row] for row in noise],
    }


def named_categories(record: dict[str, Any], class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Label and purity of each category of c1: its matched class, and that class's share in it."""
    if "contingency" not in record:
        return []
    named = []
    for counts, matched in zip(record["contingency"], record["category_to_class"], strict=True):
        label = "-" if matched == UNMATCHED else class_names[matched]
        purity = 0.0 if matched == UNMATCHED else counts[matched] / max(sum(counts), 1)
        named.append({"label": label, "purity": round(purity, 4)})
    return named


def fold_layers(layers: Any, size: int) -> list[Operation]:
    """The layers as operations, batch norm folded in; `size` is the height of what enters."""
    operations: list[Operation] = []
    for _, layer in nn.Sequential(*layers).named_modules(remove_duplicate=False):
        match layer:
            case nn.Sequential() | FlattenMaps():
                continue
            case UnflattenMaps():
                size = layer.shape[1]
            case nn.Linear():
                operations.append(Operation("dense", _numbers(layer.weight), _numbers(layer.bias)))
            case nn.ConvTranspose2d(stride=(stride, _)):
                matrix = _numbers(layer.weight.permute(2, 3, 1, 0).flatten(0, 2))
                operations.append(Operation("upconv", matrix, _numbers(layer.bias), stride, size))
                size *= stride
            case nn.Conv2d(stride=(stride, _)):
                matrix = _numbers(layer.weight.permute(0, 2, 3, 1).flatten(1))
                operations.append(Operation("conv", matrix, _numbers(layer.bias), stride, size))
                size //= stride
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                _fold_norm(operations[-1], layer)
            case nn.ReLU() | nn.Sigmoid() | nn.Tanh():
                operations[-1].activation = type(layer).__name__.lower()
            case nn.LeakyReLU():
                operations[-1].activation = "leaky"
                operations[-1].slope = float(layer.negative_slope)
            case _:
                raise InfoGANError(f"the explorer cannot show a layer {type(layer).__name__}")
    return operations


def _fold_norm(operation: Operation, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    """y = (x - mean) / sqrt(var + eps) * gamma + beta, with the running statistics."""
    scale = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
    repeats = len(operation.matrix) // len(operation.bias)  # every output channel's rows
    operation.matrix = operation.matrix * np.tile(scale, repeats)[:, None]
    shift = _numbers(norm.bias) - _numbers(norm.running_mean) * scale
    operation.bias = operation.bias * scale + shift


def _numbers(tensor: Tensor | None) -> np.ndarray:
    assert tensor is not None
    return tensor.detach().double().cpu().numpy()


def _quantise(
    operations: list[Operation], bits: list[int]
) -> tuple[bytes, bytes, list[Float[np.ndarray, " row"]]]:
    """Low bytes, high bytes and the scales of all rows; one number is 256 high + low, both signed.

    Up to 8 bits the high bytes are all 0, of which nothing remains when they are packed.
    """
    levels, scales = [np.zeros(0, np.int16)], []
    for operation, depth in zip(operations, bits, strict=True):
        scale = np.abs(operation.matrix).max(axis=1) / (2 ** (depth - 1) - 1)
        safe = np.where(scale > 0, scale, 1)
        levels.append(np.round(operation.matrix / safe[:, None]).astype(np.int16).ravel())
        scales.append(scale)
    whole = np.concatenate(levels)
    low = whole.astype(np.int8)
    return low.tobytes(), ((whole - low) >> 8).astype(np.int8).tobytes(), scales
