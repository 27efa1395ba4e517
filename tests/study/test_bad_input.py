"""What a person can get wrong about the study's cluster, in one line each, and nothing lost."""

import os
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from dvc.repo import Repo

from infogan.base.errors import InfoGANError
from infogan.params import load_params
from study.cluster import BOOTSTRAP, NO_COMMAND, Store, Study, connected, refuse_changes
from study.experiments import Experiment, flat_parameters
from study.git import git
from study.node import UNFIT, Job, differences, set_up
from study.progress import Progress
from study.records import refuse_taken_name
from tests.imports import ROOT


@pytest.fixture
def repository(tmp_path, command):
    """A repository with one commit, in which this process works."""
    for name in ("params.yaml", "README.md", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command("git", "add", "-A")
    command("git", "commit", "-q", "-m", "State")
    return tmp_path


def test_a_dirty_tree_is_refused_by_the_names_of_its_files(repository):
    refuse_changes()
    (repository / "reports" / "study" / "ours-0").mkdir(parents=True)
    (repository / "reports" / "study" / "ours-0" / "record.json").touch()
    (repository / "README.md").write_text("with a new table")
    refuse_changes()
    (repository / "params.yaml").write_text("seeds: [1]")
    (repository / "new.py").touch()
    with pytest.raises(InfoGANError, match=r"not in the last commit: params\.yaml, new\.py; "):
        refuse_changes()


def test_an_address_where_no_scheduler_answers_is_one_line(monkeypatch):
    monkeypatch.setattr("study.cluster.SECONDS_TO_CONNECT", 1)
    refused = pytest.raises(InfoGANError, match=r"^no scheduler at tcp://127\.0\.0\.1:9: .*\Z")
    with refused, connected("tcp://127.0.0.1:9", 1):
        pass
    with pytest.raises(InfoGANError, match=r"no scheduler at nowhere:: "), connected("nowhere:", 1):
        pass


def test_a_store_that_cannot_be_written_is_one_line(repository):
    (repository / ".dvc").mkdir()
    (repository / "file").touch()
    Store(str(repository / "store")).check()
    assert [path for path in (repository / "store").rglob("*") if path.is_file()] == []
    with pytest.raises(InfoGANError, match=r"^STORE .*/file/store cannot be written: .*\Z"):
        Store(str(repository / "file" / "store")).check()


def test_a_name_that_is_taken_is_refused_and_its_experiment_stays(repository):
    head = git("rev-parse", "HEAD").decode().strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/ours-0"
    git("update-ref", ref, "HEAD")
    parameters = flat_parameters(load_params(repository / "params.yaml"))
    one = Experiment("ours", 0, parameters, {})
    (repository / ".dvc").mkdir()
    refuse_taken_name(one, repository)
    other = replace(one, parameters=parameters | {"num_steps": 7})
    refuse_taken_name(replace(other, recipe="theirs"), repository)
    with pytest.raises(InfoGANError, match="experiment ours-0 is there, with other parameters"):
        refuse_taken_name(other, repository)
    assert git("rev-parse", ref).decode().strip() == head


def test_a_bundle_that_does_not_fit_fails_its_training_alone(repository, capsys):
    (repository / ".dvc").mkdir()
    client = SimpleNamespace(scheduler=SimpleNamespace(address="tcp://127.0.0.1:9"))
    study = Study(client, Store(""), "python", lambda one: True)
    study.keep(Experiment("ours", 0, {}, {}), b"# v2 git bundle\n", Progress(Path("logs"), 1))
    assert study.failed == ["ours-0"]
    said = capsys.readouterr().out
    assert said.startswith("study: ours-0: failed; the last lines of logs/ours-0.log:\n    git: ")
    assert said.endswith("study: ours-0 failed; 0 of 1 left\n")


@pytest.mark.parametrize(
    ("given", "address", "resume"),
    [
        ("b/../c", "/a/c", "/a/c/.resume"),
        ("~/c", "/home/a/c", "/home/a/c/.resume"),
        ("s3://b", "s3://b", ""),
        ("", "", "/a/.resume"),
    ],
)
def test_a_store_in_a_folder_is_the_same_for_workers_in_others(monkeypatch, given, address, resume):
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setattr("os.getcwd", lambda: "/a")
    store = Store(given)
    assert (store.address, store.resume) == (address, resume)


def test_a_path_with_marks_of_the_configuration_stays_one(repository):
    (repository / ".dvc" / "tmp").mkdir(parents=True)
    store = f"{repository}/a, b #1"
    set_up(Job("", store, "", "", cache="", resume="", environment={}))
    with Repo(config={}) as repo:
        assert repo.config["remote"]["study"]["url"] == store


def test_a_worker_that_cannot_make_a_clone_is_unfit(tmp_path):
    command = (sys.executable, "-c", BOOTSTRAP.read_text(), "0" * 40, "", "{}")
    environment = {"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}
    for changed in ({}, {"PATH": str(tmp_path)}):  # no bundle; no git
        done = subprocess.run(
            command, input=b"", capture_output=True, env=environment | changed, check=False
        )
        assert done.returncode == UNFIT
        assert b"no clone of 000" in done.stderr
        assert b"Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [UNFIT, NO_COMMAND])
def test_what_an_unfit_worker_could_not_do_waits_for_another(repository, monkeypatch, status):
    (repository / ".dvc").mkdir()
    retired = []
    client = SimpleNamespace(
        scheduler=SimpleNamespace(address=""),
        who_has=lambda futures: {"task": ["tcp://one"]},
        scheduler_info=lambda n_workers: {"workers": ["tcp://one", "tcp://two"]},
        retire_workers=retired.extend,
    )
    study = Study(client, Store(""), "python", lambda one: True)
    done = SimpleNamespace(returncode=status, stderr=b"sh: python: not found")
    future = Future()
    future.set_result(done)
    step = (study.job, [Experiment("ours", 0, {}, {})])

    monkeypatch.setattr("study.cluster.wait", lambda *given, **options: None)
    study.running = {future: step}
    study.take(Progress(Path("logs"), 1))
    assert study.waiting == [step]
    assert retired == ["tcp://one"]
    assert study.failed == []


def test_the_first_three_packages_that_differ_are_named():
    ours = {"a": "1", "b": "2", "c": None, "d": "4", "e": "5"}
    assert differences({"a": "1", "b": "3", "c": "3", "d": None, "e": "6"}, ours) == [
        *("b 2 where 3 is meant", "c None where 3 is meant", "d 4 where None is meant")
    ]
