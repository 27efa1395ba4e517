"""A checksum of tensors, so that a file whose bits have changed is noticed before it is used."""

import zlib

import torch
from torch import Tensor


def checksum(header: str, tensors: dict[str, Tensor]) -> str:
    """CRC-32 of a header and of all names, types, shapes and values, in the order of the names."""
    crc = zlib.crc32(header.encode())
    for name in sorted(tensors):
        described = f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}"
        crc = zlib.crc32(described.encode(), crc)
        values = tensors[name].contiguous().flatten().view(torch.uint8)
        crc = zlib.crc32(values.numpy().data, crc)
    return str(crc)
