"""The study on two workers that share nothing but a folder, each in a process of its own."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.study.places import Place, make_place, until


@pytest.fixture(scope="module")
def away(tmp_path_factory, make_params) -> Place:
    return make_place(tmp_path_factory, make_params)


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
    away, scheduler, tmp_path_factory
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
    assert away.run("dvc", "exp", "list", "--name-only").split() == ["ours-0"]
    digest = away.weights()
    cached = away.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    assert hashlib.md5(cached.read_bytes()).hexdigest() == digest
    assert list((store / ".resume").iterdir()) == []
    assert away.clones() == []
