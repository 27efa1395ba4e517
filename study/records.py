"""The study's results in Git: one folder per experiment, from which its report is made.

`record.json` holds the metrics, all parameters, and what dvc.lock says of the run: the digests of
the code, the data and the weights that its numbers come from.
"""

import io
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from jaxtyping import UInt8
from PIL import Image

from infogan.base.errors import InfoGANError
from infogan.datasets import lookup
from infogan.objectives import INFOGAN_ALONE
from infogan.report.grids import grid_image
from infogan.report.pictures import category_order
from infogan.report.tables import convergence
from study.experiments import Experiment, flat_parameters

Grid = UInt8[np.ndarray, "row column channel height width"]

PICTURE = "codes.png"
ROWS_PER_FACTOR = 2
# What a record keeps of dvc.lock.
STAGES = ("objectives", "classifier", "train", "traverse", "evaluate")


@dataclass(frozen=True)
class Record:
    """One experiment's results; `curves` has a column for the step and one for each quantity."""

    recipe: str
    seed: int
    metrics: dict[str, float]
    contents: dict[str, Any]
    curves: pd.DataFrame
    picture: Path

    @property
    def dataset(self) -> str:
        """What it was trained on."""
        return str(self.contents["parameters"]["dataset"])


def collect(experiment: Experiment, repository: Path, folder: Path) -> bool:
    """Copy a finished experiment's results out of DVC, if it is not on record already.

    False where none of that name has finished with the experiment's parameters.
    """
    if is_on_record(experiment, folder):
        return True
    revision = _newest(repository, experiment.name)
    if revision is None:
        return False
    run = f"{experiment.objective}-{experiment.seed}"
    files = DVCFileSystem(str(repository), rev=revision)
    parameters = _parameters_of(files.read_text("params.yaml"))
    if not _same(parameters, experiment):
        return False
    measurements = json.loads(files.read_text(f"runs/evaluate/{run}/measurements.json"))
    lock = yaml.safe_load(files.read_text("dvc.lock"))["stages"]
    names = {*STAGES, *(f"{stage}@{run}" for stage in STAGES)}
    contents = {
        "recipe": experiment.recipe,
        "seed": experiment.seed,
        "measurements": measurements,
        "environment": json.loads(files.read_text(f"runs/train/{run}/environment.json")),
        "parameters": parameters,
        "lock": {name: entry for name, entry in lock.items() if name in names},
    }
    target = folder / experiment.name
    target.mkdir(parents=True, exist_ok=True)

    def grid(code: str) -> Grid:
        with files.open(f"runs/traverse/{run}/{code}.npy", "rb") as file:
            return np.load(io.BytesIO(file.read()))

    images = _picture(experiment, measurements, grid)
    Image.fromarray(grid_image(images)).save(target / PICTURE, optimize=True)
    (target / "curves.csv").write_text(files.read_text("reports/curves.csv"))
    # Last, since it marks the record as whole.
    (target / "record.json").write_text(json.dumps(contents, indent=1) + "\n")
    return True


def _picture(
    experiment: Experiment, measurements: dict[str, Any], grid: Callable[[str], Grid]
) -> Grid:
    """The run in one grid: c1 in the order of the classes, or two rows for each factor's code."""
    if "category_to_class" in measurements:
        return grid("c1")[:, category_order(measurements["category_to_class"])]
    first = len(experiment.parameters["codes.categorical"])
    roles = measurements["roles"]
    factors = lookup(str(experiment.parameters["dataset"])).factors
    codes = [roles[factor.name]["code"] for factor in factors if factor.name in roles]
    return np.concatenate([grid(f"c{first + code + 1}")[:ROWS_PER_FACTOR] for code in codes])


def is_on_record(experiment: Experiment, folder: Path) -> bool:
    """Whether the folder holds results of this experiment, with these parameters."""
    try:
        contents = json.loads(
            (folder / experiment.name / "record.json").read_text(encoding="utf-8")
        )
    except (OSError, ValueError):
        return False
    return _same(contents.get("parameters", {}), experiment)


def _same(recorded: dict[str, Any], experiment: Experiment) -> bool:
    """Whether parameters are equal, but for those that the experiment's objective does not read.

    One that came after the record counts as off.
    """
    unread = () if experiment.objective == "infogan" else INFOGAN_ALONE

    def read(parameters: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in parameters.items() if key.split(".")[0] not in unread}

    wanted = read(experiment.parameters)
    return read(recorded) == {k: v for k, v in wanted.items() if k in recorded or v}


def load_records(folder: Path) -> list[Record]:
    """All records, by recipe and seed; an InfoGANError names one that cannot be read."""
    records = []
    for path in sorted(folder.glob("*/record.json")):
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
            prefix = f"{contents['parameters']['objectives'][0]}_"
            curves = pd.read_csv(path.parent / "curves.csv")
            curves.columns = curves.columns.str.removeprefix(prefix)
            records.append(
                Record(
                    contents["recipe"],
                    contents["seed"],
                    contents["measurements"]["metrics"] | convergence(curves),
                    contents,
                    curves,
                    path.parent / PICTURE,
                )
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InfoGANError(
                f"{path.parent}: not a whole record ({error}); delete it and run the study again"
            ) from error
    return sorted(records, key=lambda record: (record.recipe, record.seed))


def _parameters_of(text: str) -> dict[str, Any]:
    """The parameters in the text of a params.yaml; none where it is of another time's kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        path.write_text(text, encoding="utf-8")
        try:
            return flat_parameters(path)
        except InfoGANError:
            return {}


def _newest(repository: Path, name: str) -> str | None:
    """The newest experiment of that name, whatever commit it was based on."""
    command = ["git", "for-each-ref", "--sort=-creatordate", "--count=1", "--format=%(refname)"]
    found = subprocess.run(
        [*command, f"refs/exps/*/*/{name}"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip() or None
