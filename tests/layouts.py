"""Code layouts and random streams for tests, in one line."""

from typing import Literal

import torch

from infogan.params import CodeLayout


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def code_layout(
    noise: int,
    categorical: tuple[int, ...],
    continuous: int,
    prior: Literal["uniform", "normal"] = "uniform",
    std: Literal["fixed", "learned"] = "learned",
) -> CodeLayout:
    """`code_layout(62, (10,), 2)`: the paper's on MNIST."""
    return CodeLayout(
        noise=noise,
        noise_prior=prior,
        categorical=categorical,
        continuous=continuous,
        continuous_std=std,
    )


def with_std(layout: CodeLayout, *, learned: bool) -> CodeLayout:
    """The same layout with Q's std learned, or fixed at 1."""
    return layout.model_copy(update={"continuous_std": "learned" if learned else "fixed"})
