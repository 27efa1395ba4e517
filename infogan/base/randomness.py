"""Where random numbers come from: every stream derives from a run's seed and its purpose."""

import hashlib

import torch


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, independent of every other purpose's."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def random_stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose; CPU and GPU draw different numbers from the same seed."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose))
