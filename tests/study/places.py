"""A repository whose study is one small training on scikit-learn's digits, and one that fails."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.imports import ROOT
from tests.stages.test_stages import TINY, run_stage
from tests.test_pipeline import commit, copy_repository, environment, make_run

RECIPES = """
ours: {about: a small one, seeds: [0]}
bad: {about: too few images, set: {training.batch_size: 5000}, seeds: [0]}
"""
SMALL = {
    "objectives": ["infogan"],
    "seeds": [0],
    "num_steps": 150,  # so many that there is time to disturb it
    "training.held_out_images": 0,
}
RECORD = "reports/study/ours-0/record.json"
WEIGHTS = "runs/train/infogan-0/weights.safetensors"


class Place:
    """A repository, and what runs in it."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder, self.scratch = folder, scratch
        self.run = make_run(folder, scratch)
        self.environment = environment(scratch) | {"TMPDIR": str(scratch)}

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Tests that run in the background of a script have inherited that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def log(self, name: str) -> str:
        path = self.folder / ".dvc" / "tmp" / "study" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def weights(self) -> str:
        """The digest of the weights on record."""
        record = json.loads((self.folder / RECORD).read_text())
        outs = record["lock"]["train@infogan-0"]["outs"]
        return next(out["md5"] for out in outs if out["path"] == WEIGHTS)

    def is_training(self) -> bool:
        """Whether a training has logged some steps."""
        log = "runs/train/infogan-0/plots/metrics/generator_loss.tsv"
        return any(
            path.read_text().count("\n") > 5 for path in self.scratch.glob(f"*/project/{log}")
        )

    def clones(self) -> list[Path]:
        return list(self.scratch.glob("infogan-study-*"))


def make_place(tmp_path_factory, make_params) -> Place:
    """A new repository with nothing in its cache; the project is a folder of it."""
    folder = tmp_path_factory.mktemp("repository") / "project"
    folder.mkdir()
    place = Place(folder, tmp_path_factory.mktemp("home"))
    copy_repository(folder, place.run, "..")
    (folder / "dvc.lock").unlink(missing_ok=True)
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    del pipeline["stages"]["explore"]  # time
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    (folder / "study" / "experiments.yaml").write_text(RECIPES)
    values = make_params(TINY | SMALL).model_dump()
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    commit(place.run)
    return place


def clone(place: Place, folder: Path, scratch: Path) -> Place:
    make_run(folder, scratch)("git", "clone", "-q", str(place.folder.parent), ".")
    return Place(folder / "project", scratch)


def weights_by_hand(place: Place, folder: Path) -> str:
    """The digest of the weights that its training leaves in this process, undisturbed."""
    params = place.folder / "params.yaml"
    run_stage("objectives", params, "--out", folder / "objectives")
    run_stage("download", params, "--out", folder / "data", "--raw", folder / "raw")
    objective = ("--objective", folder / "objectives" / "infogan.json", "--seed", "0")
    run_stage("train", params, *objective, "--data", folder / "data", "--out", folder / "out")
    return hashlib.md5((folder / "out" / "weights.safetensors").read_bytes()).hexdigest()


def until(is_so, process: subprocess.Popen[str] | None = None) -> None:
    give_up = time.monotonic() + 600
    while not is_so():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up
        time.sleep(0.1)
