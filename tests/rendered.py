"""What the tests of rendered images share."""

import torch


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def middle_values(factors, num):
    """Every factor in the middle of its range."""
    return torch.tensor([[(factor.low + factor.high) / 2 for factor in factors]]).repeat(num, 1)
