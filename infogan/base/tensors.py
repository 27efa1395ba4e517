"""Tensors on disk: safetensors files that say what they hold and notice a changed bit."""

import json
import os
import re
import zlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from infogan.base.files import whole_file


def save_tensors(path: Path, tensors: dict[str, Tensor], kind: str, header: str) -> None:
    """Write tensors with a header, whole or not at all; the same values give the same bytes.

    `kind` is the header's name in the file; InfoGANError as for `whole_file`.
    """
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    # One key: safetensors writes several in no fixed order, and equal tensors give equal bytes.
    contents = json.dumps({kind: header, "checksum": checksum(header, tensors)})
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, {"contents": contents})
        except SafetensorError as error:  # what the system refused, as the system says it
            if not (found := re.search(r"\(os error (\d+)\)", str(error))):
                raise
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def load_tensors(path: Path, kind: str) -> tuple[str, dict[str, Tensor]]:
    """Header and tensors as `save_tensors` wrote them, on the CPU.

    OSError where the file cannot be read; ValueError, in one line, where it is of another kind,
    cut off or changed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            contents = json.loads((file.metadata() or {})["contents"])
            header, expected = contents[kind], contents["checksum"]
            tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"no file of this kind ({type(error).__name__}: {reason})") from error
    if expected != checksum(header, tensors):
        raise ValueError("its checksum is wrong: the file was changed")
    return header, tensors


def checksum(header: str, tensors: dict[str, Tensor]) -> str:
    """CRC-32 of a header and of all names, types, shapes and values, in the order of the names."""
    crc = zlib.crc32(header.encode())
    for name in sorted(tensors):
        described = f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}"
        crc = zlib.crc32(described.encode(), crc)
        values = tensors[name].contiguous().flatten().view(torch.uint8)
        crc = zlib.crc32(values.numpy().data, crc)
    return str(crc)
