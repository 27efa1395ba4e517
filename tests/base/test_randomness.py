import hashlib

import torch

from infogan.base.randomness import derive_seed, random_stream


def test_a_seed_is_the_first_63_bits_of_the_sha_256_of_seed_and_purpose():
    # So it is the same in every process, on every machine and for every version of Python.
    digest = hashlib.sha256(b"3/latents").hexdigest()
    assert derive_seed(3, "latents") == int(digest[:16], 16) // 2


def test_a_stream_neither_reads_nor_moves_the_global_random_state():
    torch.manual_seed(1)
    first = torch.randn(5, generator=random_stream(4, "batches"))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(torch.randn(5, generator=random_stream(4, "batches")), first)
    assert torch.equal(torch.get_rng_state(), state)
    for other in (random_stream(4, "latents"), random_stream(5, "batches")):
        assert not torch.equal(torch.randn(5, generator=other), first)
