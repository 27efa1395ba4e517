"""The generator's input (z, c): its layout, its prior, and how Q's output is read.

Latents are float32 rows `[noise | categorical codes, one-hot each | continuous codes]`, in the
release's order. Q's raw output is `[logits of each categorical code | means | log std]`.
Information is in nats.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

NoisePrior = Literal["uniform", "normal"]


@dataclass(frozen=True)
class CodeLayout:
    """How many columns of each kind a latent vector has; `categorical` lists the codes' sizes."""

    noise: int
    categorical: tuple[int, ...]
    continuous: int

    @property
    def latent_dim(self) -> int:
        """Columns of the generator's input."""
        return self.noise + sum(self.categorical) + self.continuous

    @property
    def recognition_dim(self) -> int:
        """Columns of Q's output: the logits, then a mean and a log std per continuous code."""
        return sum(self.categorical) + 2 * self.continuous

    @property
    def names(self) -> tuple[str, ...]:
        """c1, c2, ...: the categorical codes first, then the continuous ones, as in the paper."""
        return tuple(f"c{i + 1}" for i in range(len(self.categorical) + self.continuous))

    @property
    def noise_slice(self) -> slice:
        """Columns of z."""
        return slice(0, self.noise)

    def categorical_slice(self, code: int) -> slice:
        """Columns of one categorical code."""
        start = self.noise + sum(self.categorical[:code])
        return slice(start, start + self.categorical[code])

    @property
    def continuous_slice(self) -> slice:
        """Columns of all continuous codes."""
        return slice(self.noise + sum(self.categorical), self.latent_dim)

    @property
    def categorical_entropies_nats(self) -> tuple[float, ...]:
        """H(c) of each uniform categorical code: log(size)."""
        return tuple(math.log(size) for size in self.categorical)

    @property
    def continuous_entropy_nats(self) -> float:
        """Differential entropy of all the U(-1, 1) codes together: log 2 each."""
        return self.continuous * math.log(2)


@dataclass(frozen=True)
class Recognition:
    """Q(c|x) of a batch: logits per categorical code; mean and log std of the continuous codes."""

    logits: tuple[Float[Tensor, "batch _"], ...]
    mean: Float[Tensor, "batch continuous"]
    log_std: Float[Tensor, "batch continuous"]


def sample(
    layout: CodeLayout,
    num: int,
    noise_prior: NoisePrior,
    rng: torch.Generator,
) -> Float[Tensor, "num latent"]:
    """Draw latents from the prior, on the device of `rng`.

    Noise is U(-1, 1) or N(0, 1), categorical codes are uniform, continuous codes U(-1, 1).
    """
    device = rng.device
    noise = torch.empty(num, layout.noise, device=device)
    if noise_prior == "uniform":
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


def split_continuous(
    layout: CodeLayout, latents: Float[Tensor, "batch latent"]
) -> Float[Tensor, "batch continuous"]:
    """The columns of the continuous codes."""
    return latents[:, layout.continuous_slice]


def split_recognition(
    layout: CodeLayout, output: Float[Tensor, "batch recognition"]
) -> Recognition:
    """Read Q's raw output as the parameters of Q(c|x)."""
    sizes = [*layout.categorical, layout.continuous, layout.continuous]
    *logits, mean, log_std = output.split(sizes, dim=1)
    return Recognition(tuple(logits), mean, log_std)
