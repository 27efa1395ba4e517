"""What one training learns from the bound L_I, and from what else."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.params import Maps


@dataclass(frozen=True)
class Objective:
    """The weights of the bound in Eq. 6, who maximises it besides Q's head, and our additions."""

    lambda_disc: float
    lambda_cont: float
    lambda_information: float
    lambda_consistency: float
    generator_learns_bound: bool
    trunk_learns_bound: bool
    categories_from_maps: bool
    maps: Maps  # of fake and of real images
    labels_given: bool  # D judges an image together with its label, and c1 is the fake one's

    @property
    def learns_from_real_images(self) -> bool:
        """Whether Q is also trained on real images."""
        return self.lambda_information > 0 or self.lambda_consistency > 0

    def describe(self) -> dict[str, Any]:
        """Plain values, by name."""
        values: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return values


_ADAPTER = TypeAdapter(Objective)


def save_objective(path: Path, objective: Objective) -> None:
    """Write an objective as JSON."""
    write_file(path, _ADAPTER.dump_json(objective, indent=2) + b"\n")


def load_objective(path: Path) -> Objective:
    """Read what `save_objective` wrote; an InfoGANError names a file that is not of this kind."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InfoGANError(
            f"{path}: not an objective ({reason}); run `dvc repro objectives`"
        ) from error
