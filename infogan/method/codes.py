"""The generator's input (z, c): how it is drawn, and how Q's output is read.

Latents are float32 rows, with columns as in `CodeLayout`. Q's raw output is
`[logits of each categorical code | means | log std]`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infogan.params import CodeLayout


@dataclass(frozen=True)
class Recognition:
    """Q(c|x) of a batch: logits per categorical code; mean and log std of the continuous codes."""

    logits: tuple[Float[Tensor, "batch _"], ...]
    mean: Float[Tensor, "batch continuous"]
    log_std: Float[Tensor, "batch continuous"]


def sample(layout: CodeLayout, num: int, rng: torch.Generator) -> Float[Tensor, "num latent"]:
    """Draw latents from the prior, on the device of `rng`.

    Noise is U(-1, 1) or N(0, 1), categorical codes are uniform, continuous codes U(-1, 1).
    """
    device = rng.device
    noise = torch.empty(num, layout.noise, device=device)
    if layout.noise_prior == "uniform":
        noise.uniform_(-1, 1, generator=rng)
    else:
        noise.normal_(generator=rng)
    categorical = [
        one_hot(torch.randint(size, (num,), generator=rng, device=device), size)
        for size in layout.categorical
    ]
    continuous = torch.empty(num, layout.continuous, device=device)
    continuous.uniform_(-1, 1, generator=rng)
    return torch.cat([noise, *categorical, continuous], dim=1)


def one_hot(categories: Int[Tensor, " batch"], size: int) -> Float[Tensor, "batch size"]:
    """Float one-hot rows, without waiting for the device to check the range."""
    columns = torch.arange(size, device=categories.device)
    return (categories[:, None] == columns).float()


def split_categorical(
    layout: CodeLayout, latents: Float[Tensor, "batch latent"]
) -> tuple[Float[Tensor, "batch _"], ...]:
    """The one-hot columns of every categorical code."""
    return tuple(latents[:, layout.categorical_slice(i)] for i in range(len(layout.categorical)))


def split_recognition(
    layout: CodeLayout, output: Float[Tensor, "batch recognition"]
) -> Recognition:
    """Read Q's raw output as the parameters of Q(c|x)."""
    sizes = [*layout.categorical, layout.continuous, layout.continuous]
    *logits, mean, log_std = output.split(sizes, dim=1)
    return Recognition(tuple(logits), mean, log_std)
