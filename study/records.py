"""The study's results in Git: one folder per experiment, from which its report is made.

`record.json` holds the metrics, all parameters, and what dvc.lock says of the run: the digests of
the code, the data and the weights that its numbers come from.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc_data.index import DataIndexDirError
from jaxtyping import UInt8
from PIL import Image

from infogan.base.errors import InfoGANError
from infogan.base.files import parse_array, write_file
from infogan.datasets import lookup
from infogan.objectives import INFOGAN_ALONE
from infogan.params import parse_params
from infogan.report.grids import grid_image
from infogan.report.pictures import category_order
from infogan.report.tables import convergence
from study.experiments import Experiment, flat_parameters
from study.git import git, head, refs_of

Grid = UInt8[np.ndarray, "row column channel height width"]

PICTURE = "codes.png"
ROWS_PER_FACTOR = 2
# What a record keeps of dvc.lock.
STAGES = ("objectives", "judge", "train", "traverse", "evaluate")


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
    def name(self) -> str:
        """Name of its experiment."""
        return f"{self.recipe}-{self.seed}"

    @property
    def dataset(self) -> str:
        """What it was trained on."""
        return str(self.contents["parameters"]["dataset"])

    @property
    def device(self) -> str:
        """What it was computed on: cpu or cuda."""
        return str(self.contents["environment"]["device"])


def collect(experiment: Experiment, repository: Path, folder: Path, commit: str = "") -> bool:
    """Copy a finished experiment's results out of DVC, if it is not on record already.

    With a `commit`, only those of an experiment based on it, and in place of what is on record.
    False where none of that name has finished with the experiment's parameters.
    """
    if not commit and on_record(experiment, folder):
        return True
    # The newest of that name.
    newest = ("--sort=-creatordate", "--count=1", "--format=%(refname)")
    based = refs_of(commit) if commit else "refs/exps/*/*"
    found = git("for-each-ref", *newest, f"{based}/{experiment.name}", folder=repository)
    if not (revision := found.decode().strip()):
        return False
    try:
        return copy_results(experiment, _Experiment(repository, revision), folder / experiment.name)
    # DVC's cache has lost an object: it has to run again.
    except (FileNotFoundError, DataIndexDirError) as error:
        print(f"study: {experiment.name} counts as not done: {error}")
        return False


class _Experiment:
    """The files of an experiment, by their paths in the project."""

    def __init__(self, repository: Path, revision: str) -> None:
        self.files = DVCFileSystem(str(repository), rev=revision, subrepos=True)
        # The project may be a folder of the Git repository.
        self.folder = git("rev-parse", "--show-prefix", folder=repository).decode().strip()

    def read(self, path: str) -> bytes:
        contents: bytes = self.files.cat_file(self.folder + path)
        return contents

    def parameters(self) -> dict[str, Any]:
        """Its parameters; none where they are of another time's kind."""
        try:
            text = self.read("params.yaml").decode()
            return flat_parameters(parse_params(text, "params.yaml"))
        except InfoGANError:
            return {}


def copy_results(experiment: Experiment, done: _Experiment, target: Path) -> bool:
    """Put the experiment on record, if it ran with the parameters of the recipe."""
    parameters = done.parameters()
    if not same_parameters(parameters, experiment.parameters):
        return False
    run = f"{experiment.objective}-{experiment.seed}"
    measurements = json.loads(done.read(f"runs/evaluate/{run}/measurements.json"))
    lock = yaml.safe_load(done.read("dvc.lock"))["stages"]
    names = {*STAGES, *(f"{stage}@{run}" for stage in STAGES)}
    contents = {
        "recipe": experiment.recipe,
        "seed": experiment.seed,
        "measurements": measurements,
        "judge": json.loads(done.read("runs/judge/metrics.json")),
        "environment": json.loads(done.read(f"runs/train/{run}/environment.json")),
        "parameters": parameters,
        "lock": {name: entry for name, entry in lock.items() if name in names},
    }

    def grid(code: str) -> Grid:
        name = f"runs/traverse/{run}/{code}.npy"
        try:
            return parse_array(done.read(name), name)
        except ValueError as error:
            raise InfoGANError(f"experiment {experiment.name}: {error}") from error

    images = _picture(experiment, measurements, grid)
    curves = done.read("reports/curves.csv")
    picture = io.BytesIO()
    Image.fromarray(grid_image(images)).save(picture, format="png", optimize=True)
    # It marks the record as whole: an earlier one goes first, the new one comes last.
    (target / "record.json").unlink(missing_ok=True)
    write_file(target / PICTURE, picture.getvalue())
    write_file(target / "curves.csv", curves)
    write_file(target / "record.json", json.dumps(contents, indent=1) + "\n")
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


def on_record(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """The record of this experiment, with these parameters; empty, if there is none."""
    path = folder / experiment.name / "record.json"
    try:
        contents: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    same = same_parameters(contents.get("parameters", {}), experiment.parameters)
    return contents if same else {}


def same_parameters(recorded: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether parameters are equal, but for those that the one objective does not read.

    One that came after the record counts as off.
    """
    unread = () if wanted["objectives"] == ["infogan"] else INFOGAN_ALONE

    def read(parameters: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in parameters.items() if key.split(".")[0] not in unread}

    return read(recorded) == {k: v for k, v in read(wanted).items() if k in recorded or v}


def load_records(folder: Path) -> list[Record]:
    """All records, by recipe and seed; an InfoGANError names one that cannot be read."""
    records = []
    for path in sorted(folder.glob("*/record.json")):
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
            prefix = f"{contents['parameters']['objectives'][0]}_"
            curves = pd.read_csv(path.parent / "curves.csv")
            curves.columns = curves.columns.str.removeprefix(prefix)
            Image.open(path.parent / PICTURE).verify()
            contents["judge"]["frechet_floor"], contents["environment"]
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
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InfoGANError(
                f"{path.parent}: not a whole record ({error}); delete it and run the study again"
            ) from error
    return sorted(records, key=lambda record: (record.recipe, record.seed))


def refuse_taken_name(experiment: Experiment, repository: Path) -> None:
    """Refuse where the last commit has an experiment of that name with other parameters."""
    ref = f"{refs_of(head(repository))}/{experiment.name}"
    if not git("for-each-ref", ref, folder=repository):
        return
    if not same_parameters(_Experiment(repository, ref).parameters(), experiment.parameters):
        raise InfoGANError(
            f"experiment {experiment.name} is there, with other parameters than the study's; "
            f"dvc exp rename it, or dvc exp remove {experiment.name}"
        )
