"""Everything that decides what a training computes, as plain values."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from infogan.method.runtime import Backend
from infogan.params import Params
from infogan.train.objective import Objective

# As the stage's `params` in dvc.yaml; the precision is part of where it runs.
DECIDING_PARAMETERS = {"dataset", "num_steps", "codes", "networks", "training"}


def identify(
    params: Params,
    objective: Objective,
    seed: int,
    backend: Backend,
    images: Tensor,
    labels: Tensor | None,
) -> dict[str, Any]:
    """Parameters, objective, seed, and digests of data and code, and where the training runs."""
    data = hashlib.sha256(images.numpy().data)
    if labels is not None:
        data.update(labels.numpy().data)
    return {
        "parameters": params.model_dump(mode="json", include=DECIDING_PARAMETERS),
        "objective": objective.describe(),
        "seed": seed,
        "data": data.hexdigest(),
        "code": _digest_of_code(),
        "environment": backend.describe(),
    }


def _digest_of_code() -> str:
    """SHA-256 of the sources of all our modules that are loaded, and of the one that is run."""
    files = {
        getattr(module, "__file__", None)
        for name, module in sys.modules.items()
        if name.split(".")[0] in ("infogan", "stages", "__main__")
    }
    sources = (Path(file).read_bytes() for file in sorted(filter(None, files)))
    return hashlib.sha256(b"".join(sources)).hexdigest()
