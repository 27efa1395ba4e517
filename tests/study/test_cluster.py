"""The study on this machine, on small digits.

The tests build on each other in the order in which they stand.
"""

import json
import os
import shutil
import signal
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest

from study.cluster import Store, Study, connected
from study.experiments import Recipe, experiments
from study.node import Job, set_up
from study.progress import Progress
from tests.study.places import RECORD, WEIGHTS, Place, clone, make_place, until, weights_by_hand
from tests.test_pipeline import commit


@pytest.fixture(scope="module")
def here(tmp_path_factory, make_params) -> Place:
    return make_place(tmp_path_factory, make_params)


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
    assert here.weights() == weights_by_hand(here, tmp_path)


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
