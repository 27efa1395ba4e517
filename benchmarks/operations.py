"""How many multiply-adds a training step must do, counted layer by layer.

A pass that learns multiplies three times per layer: forward, for its weights' gradients, and for
its input's. D's first layer needs no gradient of its input while D learns, and G's never does.
"""

import torch
from torch import Tensor, nn

from infogan.method.networks import Table, build_networks
from infogan.params import CodeLayout, Networks
from infogan.train.objective import Objective

# The layers with weights to multiply with.
WEIGHTED = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


def step_multiply_adds(
    table: Table, layout: CodeLayout, options: Networks, objective: Objective, *, fresh: bool
) -> dict[str, int]:
    """Multiply-adds of each pass of a step, per image; `fresh`: latents of their own for G."""
    generator, discriminator = build_networks(table, layout, options, seed=0)
    image = torch.zeros(2, *table.image_shape)
    features = discriminator.trunk(image)
    g = forward_multiply_adds(generator, torch.zeros(2, layout.latent_dim))
    trunk = forward_multiply_adds(discriminator.trunk, image)
    d = sum(forward_multiply_adds(discriminator.decision, features))
    q = sum(forward_multiply_adds(discriminator.recognition, features))
    t = sum(trunk)
    passes = {
        "G, forward": sum(g) * (2 if fresh else 1),
        "D and Q on fake images": 3 * (t + d + q) - trunk[0],
        "D on real images": 3 * (t + d) - trunk[0],
        "D's gradients for G": 2 * (t + d + (q if objective.generator_learns_bound else 0)),
        "G, backward": 2 * sum(g) - g[0],
    }
    if objective.categories_from_maps:
        passes["Q on maps of fake images"] = 3 * (t + q) - trunk[0]
    if objective.learns_from_real_images:
        passes["Q on real images and their maps"] = 3 * (t + 2 * q) - trunk[0]
    return passes


def forward_multiply_adds(network: nn.Module, batch: Tensor) -> list[int]:
    """Multiply-adds of each of the WEIGHTED layers, per row of the batch."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # Each weight meets each pixel of the map that is not strided over: a convolution's output,
        # a transposed convolution's input.
        pixels = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        positions = pixels[0, 0].numel() if pixels.ndim == 4 else 1
        weight = layer.get_parameter("weight")
        counts.append(weight.numel() * positions)

    layers = [layer for layer in network.modules() if isinstance(layer, WEIGHTED)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network(batch)
    for hook in hooks:
        hook.remove()
    return counts
