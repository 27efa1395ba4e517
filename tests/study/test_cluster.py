"""The study on this machine and on two workers that share nothing but a folder, on small digits.

The tests build on each other in the order in which they stand.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest
import yaml

from study.cluster import Store, Study, connected
from study.experiments import Recipe, experiments
from study.node import Job, set_up
from study.progress import Progress
from tests.imports import ROOT
from tests.stages.test_stages import TINY, run_stage
from tests.test_pipeline import commit, copy_repository, environment, make_run

NUM_STEPS = 600
RECIPES = """
ours: {about: a small one, seeds: [0]}
bad: {about: too few images, set: {training.batch_size: 5000}, seeds: [0]}
"""
SMALL = {
    "objectives": ["infogan"],
    "seeds": [0],
    "num_steps": NUM_STEPS,
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


def until(is_so, process: subprocess.Popen[str] | None = None) -> None:
    give_up = time.monotonic() + 600
    while not is_so():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.fixture(scope="module")
def here(tmp_path_factory, make_params) -> Place:
    """A repository whose study is one small training, and one that fails.

    The project is a folder of a larger Git repository.
    """
    folder = tmp_path_factory.mktemp("here") / "project"
    folder.mkdir()
    place = Place(folder, tmp_path_factory.mktemp("home"))
    copy_repository(folder, place.run, "..")
    place.run("git", "rm", "-rq", "--ignore-unmatch", "reports/study", "dvc.lock")
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    del pipeline["stages"]["explore"]  # time
    (place.folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    (place.folder / "study" / "experiments.yaml").write_text(RECIPES)
    values = make_params(TINY | SMALL).model_dump()
    (place.folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    commit(place.run)
    return place


def test_ctrl_c_ends_all_at_a_snapshot_and_leaves_nothing_else(here):
    study = here.start("study", "run", "ours", "--jobs", "1")
    until(here.is_training, study)
    os.killpg(study.pid, signal.SIGINT)
    said = study.communicate(timeout=120)[0]
    assert said.endswith("error: interrupted; the same command goes on from here\n"), said
    assert "Traceback" not in said
    assert len(list((here.folder / ".resume").glob("*/snapshot"))) == 1
    assert here.clones() == []


def test_the_study_goes_on_and_a_training_that_fails_stops_no_other(here):
    study = here.start("study", "run", "--jobs", "2")
    said = study.communicate(timeout=600)[0]
    assert "goes on after step" in here.log("ours-0")
    assert "study: ours-0 on record" in said
    failed = said.partition("study: bad-0: failed; the last lines of .dvc/tmp/study/bad-0.log:\n")[
        2
    ]
    assert "    error: training.batch_size = 5000: expected at most the 1437" in failed
    assert said.endswith("error: bad-0: failed; the cause stands above and in .dvc/tmp/study\n")
    assert "bad-0" not in here.run("dvc", "exp", "list", "--name-only")
    assert here.clones() == []


def test_a_disturbed_studys_weights_are_those_of_a_training_by_hand(here, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    params = here.folder / "params.yaml"
    run_stage("objectives", params, "--out", tmp_path / "objectives")
    run_stage("download", params, "--out", tmp_path / "data", "--raw", tmp_path / "raw")
    objective = ("--objective", tmp_path / "objectives" / "infogan.json", "--seed", "0")
    run_stage("train", params, *objective, "--data", tmp_path / "data", "--out", tmp_path / "out")
    weights = (tmp_path / "out" / "weights.safetensors").read_bytes()
    assert hashlib.md5(weights).hexdigest() == here.weights()


def test_what_is_on_record_is_written_up_and_not_run_again(here):
    written = here.run("git", "status", "--porcelain", "--untracked-files=all")
    for name in ("ours-0/record.json", "ours-0/codes.png", "ours-0/curves.csv", "runs.csv"):
        assert f"reports/study/{name}" in written
    assert "a small one" in here.run("cat", "reports/study.md")
    assert "0 experiments to run, 1 on record" in here.run("python", "-m", "study", "run", "ours")


def test_what_is_trained_is_measured_anew_by_other_code(here):
    before = json.loads((here.folder / RECORD).read_text())
    (here.scratch / "changed").mkdir()
    place = clone(here, here.scratch / "changed", here.scratch)
    (place.folder / ".dvc" / "config.local").write_text(
        f"[cache]\ndir = {here.folder / '.dvc' / 'cache'}\n"
    )
    shutil.copytree(here.folder / "reports" / "study", place.folder / "reports" / "study")
    measure = place.folder / "infogan" / "evaluate" / "distance.py"
    measure.write_text(measure.read_text() + "\n# Measured by other code.\n")
    commit(place.run)
    # The one without a record stays untrained.
    place.run("python", "-m", "study", "run", "--anew")
    assert "Running stage 'evaluate@" in place.log("ours-0")
    assert "Running stage 'train@" not in place.log("ours-0")
    after = json.loads((place.folder / RECORD).read_text())
    assert after["measurements"] == before["measurements"]
    assert after["lock"]["evaluate@infogan-0"] != before["lock"]["evaluate@infogan-0"]
    assert place.weights() == here.weights()
    said = place.run("python", "-m", "study", "run", "--anew")
    assert "0 experiments to run, 1 on record" in said


def test_an_experiment_whose_objects_are_gone_counts_as_not_done(here):
    record = here.folder / RECORD
    before = record.read_bytes()
    record.unlink()
    cache = here.folder / ".dvc" / "cache"
    cache.rename(here.folder / ".dvc" / "away")
    said = here.run("python", "-m", "study", "collect", "ours", fails=True)
    assert "ours-0 counts as not done: " in said
    assert "0 of 1 experiments on record" in said
    assert said.endswith("no records; run `python -m study run`, then collect\n")
    (here.folder / ".dvc" / "away").rename(cache)
    assert "1 of 1 experiments on record" in here.run("python", "-m", "study", "collect", "ours")
    assert record.read_bytes() == before


def test_a_traversal_that_was_changed_in_the_cache_is_no_record(here):
    record = here.folder / RECORD
    before = record.read_bytes()
    record.unlink()

    def flip_a_bit_of_each() -> None:
        for file in (here.folder / ".dvc" / "cache" / "files").rglob("*"):
            if file.is_file() and (contents := file.read_bytes()).startswith(b"\x93NUMPY"):
                file.chmod(0o644)
                file.write_bytes(contents[:-1] + bytes([contents[-1] ^ 1]))

    flip_a_bit_of_each()
    said = here.run("python", "-m", "study", "collect", "ours", fails=True)
    assert said.startswith("error: experiment ours-0: runs/traverse/infogan-0/c1.npy: its checksum")
    assert not record.exists()
    flip_a_bit_of_each()
    record.write_bytes(before)


def test_experiments_begin_in_the_studys_order(here, tmp_path, monkeypatch):
    monkeypatch.chdir(here.folder)
    ours = Recipe(about="it", seeds=[2, 0, 1, 3, 4])
    wanted = experiments({"a": ours, "b": ours}, Path("params.yaml"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with connected("", 1) as client, Progress(tmp_path, len(wanted)) as progress:
        # The port that Dask takes by itself is left to whoever runs a scheduler here.
        assert client.scheduler_info()["services"]["dashboard"] != 8787
        (interval,) = client.run(dask.config.get, "distributed.admin.tick.interval").values()
        assert interval == "1s"
        # A python that does nothing, well: no results arrive, in the order of the trainings.
        study = Study(client, Store(""), "true", collect=lambda one: False)
        failed = study.run(wanted, progress)
    assert failed == [one.name for one in wanted]


def test_what_a_step_has_done_counts_until_another_lock_file_is_committed(
    here, tmp_path, monkeypatch
):
    (tmp_path / "next").mkdir()
    place = clone(here, tmp_path / "next", tmp_path)
    monkeypatch.chdir(place.folder)
    client = SimpleNamespace(scheduler=SimpleNamespace(address=""))

    def left() -> Path:
        return Study(client, Store(""), "python", collect=lambda one: False).left("ours-0")

    before = left()
    (place.folder / "README.md").write_text("Other records.")
    commit(place.run)
    assert left() == before
    (place.folder / "dvc.lock").write_text("schema: '2.0'\n")
    commit(place.run)
    assert left() != before


def test_stages_keep_the_memory_that_they_free(tmp_path, monkeypatch):
    for_workers = dask.config.get("distributed.nanny.pre-spawn-environ")
    assert "MALLOC_TRIM_THRESHOLD_" in for_workers
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict.fromkeys(for_workers, "1"))
    Path(".dvc").mkdir()
    job = Job("tcp://127.0.0.1:1", "store", "", "", cache="", resume="", environment={})
    set_up(job)
    assert not [name for name in os.environ if "MALLOC" in name]


@pytest.fixture(scope="module")
def away(here, tmp_path_factory) -> Place:
    """A clone of it, which has nothing in its cache."""
    return clone(here, tmp_path_factory.mktemp("away"), tmp_path_factory.mktemp("home"))


def clone(place: Place, folder: Path, scratch: Path) -> Place:
    make_run(folder, scratch)("git", "clone", "-q", str(place.folder.parent), ".")
    return Place(folder / "project", scratch)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def scheduler(away) -> Iterator[str]:
    file = away.scratch / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    command = ("distributed.cli.dask_scheduler", *options, "--scheduler-file", str(file))
    with ended(away.start(*command)) as process:
        until(file.exists, process)
        yield json.loads(file.read_text())["address"]


def start_worker(away: Place, scheduler: str, **more: str) -> subprocess.Popen[str]:
    command = ("distributed.cli.dask_worker", scheduler, "--no-nanny", "--nthreads", "1")
    return away.start(*command, "--no-dashboard", **more)


def start_study(away: Place, scheduler: str, store: Path) -> subprocess.Popen[str]:
    return away.start("study", "run", "ours", "--on", scheduler, "--store", str(store))


def test_a_worker_of_another_environment_is_refused_by_name(away, scheduler, tmp_path):
    other = tmp_path / "torch-0.1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 0.1\n")
    with ended(start_worker(away, scheduler, PYTHONPATH=str(tmp_path))):
        said = start_study(away, scheduler, tmp_path / "store").communicate(timeout=300)[0]
    assert "study: worker tcp://127.0.0.1:" in said
    assert "its environment is not the one of requirements.lock: torch 0.1 where" in said
    assert "\nerror: no worker is left: " in said


def test_a_killed_workers_training_goes_on_at_another_and_all_of_it_arrives(
    here, away, scheduler, tmp_path_factory
):
    store = tmp_path_factory.mktemp("store")
    study = start_study(away, scheduler, store)
    with ended(start_worker(away, scheduler)) as first:
        until(away.is_training, study)
        first.kill()
    with ended(start_worker(away, scheduler)):
        said = study.communicate(timeout=600)[0]
    assert study.returncode == 0, said
    assert "goes on after step" in away.log("ours-0")
    # By the first worker and by the second; the judge by a step of its own.
    assert away.log("ours-0").count("Running stage 'train@") == 2
    assert "Running stage 'judge'" not in away.log("ours-0")
    assert away.weights() == here.weights()
    assert away.run("dvc", "exp", "list", "--name-only").split() == ["ours-0"]
    digest = away.weights()
    cached = away.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    assert hashlib.md5(cached.read_bytes()).hexdigest() == digest
    assert list((store / ".resume").iterdir()) == []
    assert away.clones() == []


def test_what_was_pushed_to_a_folder_is_pulled_over_http_into_a_fresh_clone(here, tmp_path):
    here.run("git", "stash", "-qu")  # the records
    here.run("dvc", "exp", "apply", "ours-0")
    here.run("dvc", "remote", "add", "-q", "--default", "results", str(tmp_path / "results"))
    commit(here.run)
    here.run("dvc", "push", "-q")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "results"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "reader").mkdir()
        reader = clone(here, tmp_path / "reader", here.scratch)
        reader.run("dvc", "remote", "add", "-q", "--local", "--default", "read", address)
        reader.run("dvc", "pull", "-q", "--run-cache")
        server.shutdown()
    assert reader.run("dvc", "status") == "Data and pipelines are up to date.\n"
    weights = (reader.folder / WEIGHTS).read_bytes()
    assert weights == (here.folder / WEIGHTS).read_bytes()
