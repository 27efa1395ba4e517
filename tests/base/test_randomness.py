import hashlib

import torch

from infogan.base.randomness import derive_seed, random_stream

PURPOSES = ("initialisation", "batches", "latents", "")


def test_a_seed_is_the_first_63_bits_of_the_sha_256_of_seed_and_purpose():
    # So it is the same in every process, on every machine and for every version of Python.
    digest = hashlib.sha256(b"3/latents").hexdigest()
    assert derive_seed(3, "latents") == int(digest[:16], 16) // 2


def test_seeds_fit_a_signed_64_bit_number():
    seeds = [derive_seed(seed, "latents") for seed in range(200)]
    assert min(seeds) >= 0
    assert 2**62 < max(seeds) < 2**63


def test_every_seed_and_purpose_has_a_seed_of_its_own():
    derived = {derive_seed(seed, purpose) for seed in range(100) for purpose in PURPOSES}
    assert len(derived) == 100 * len(PURPOSES)


def test_the_same_seed_and_purpose_give_the_same_numbers():
    first, again = (torch.randn(5, generator=random_stream(4, "batches")) for _ in range(2))
    assert torch.equal(first, again)


def test_streams_of_different_purposes_or_seeds_are_uncorrelated():
    streams = [(4, "batches"), (4, "latents"), (5, "batches")]
    draws = torch.stack([torch.randn(10_000, generator=random_stream(*s)) for s in streams])
    correlation = torch.corrcoef(draws).fill_diagonal_(0)
    assert correlation.abs().max() < 0.05  # standard error 0.01


def test_a_stream_neither_reads_nor_moves_the_global_random_state():
    torch.manual_seed(1)
    first = torch.randn(5, generator=random_stream(4, "batches"))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(torch.randn(5, generator=random_stream(4, "batches")), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_stream_lives_on_the_asked_device():
    assert random_stream(4, "batches", "cpu").device == torch.device("cpu")
