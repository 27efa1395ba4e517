"""What README.md and docs/ say, held against the repository."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copyfile, copytree

import numpy as np
import pytest
import yaml

from infogan.base.packed import load_split
from infogan.datasets import lookup
from tests.imports import ROOT
from tests.toy_data import PREFIXES, idx_bytes

README = ROOT / "README.md"
# Written by hand, so that nothing but this test keeps them true.
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "reports" / "deviations.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
# A file of the code in `code style`, named by its path.
NAMED = re.compile(r"`((?:infogan|stages|study|compare|tests|benchmarks|presets|docs)/[\w/.]+)`")
BLOCK = re.compile(r"^```(\w+) (\S+/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def kept_in_git() -> set[Path]:
    """All files that are or would be kept in Git, and their folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = {ROOT / name for name in listed.splitlines() if (ROOT / name).exists()}
    return files | {folder for file in files for folder in file.parents}


def anchors(page: Path) -> set[str]:
    """What a link can point at inside a page: its headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_file_that_a_page_names_or_links_to_exists_and_has_the_heading(page):
    text = page.read_text()
    recipe = {ROOT / path for _, path, _ in BLOCK.findall(text)}
    named = {ROOT / path.rstrip("/") for path in NAMED.findall(text)}
    assert named - kept_in_git() - recipe == set()
    for link in LINK.findall(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target in kept_in_git(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_has_at_most_130_lines():
    assert len(README.read_text().splitlines()) <= 130


def test_the_map_has_a_row_for_each_folder_of_the_top_level_and_of_the_package():
    rows = README.read_text().split("\n## Map\n")[1].split("\n## ")[0]
    folders = [
        path.relative_to(ROOT).as_posix()
        for path in kept_in_git()
        if path.is_dir() and path.parent in (ROOT, ROOT / "infogan")
    ]
    assert [name for name in folders if not name.startswith(".") and f"`{name}/`" not in rows] == []


def test_every_page_of_the_documentation_is_linked_from_the_readme():
    links = LINK.findall(README.read_text())
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links}
    assert {page for page in PAGES if page != README} <= linked


def test_a_clone_holds_a_small_explorer_of_the_committed_run():
    page = (ROOT / "docs/explorer.html").read_text(encoding="utf-8")
    assert len(page) <= 8_000_000
    report = json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))
    correlation = report["infogan"]["slant_spearman"]
    assert f"rank correlation {correlation:.2f}" in page


# The recipes of docs/extending.md, followed to the letter in a copy of the project.


def follow(recipe: str, folder: Path) -> list[str]:
    """Write and patch what a recipe's blocks say; returns their paths."""
    for part in ("infogan", "stages"):
        copytree(ROOT / part, folder / part)
    (folder / "presets").mkdir()
    copyfile(ROOT / "params.yaml", folder / "params.yaml")
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {recipe}\n")[1].split("\n## ")[0]
    for kind, path, contents in BLOCK.findall(section):
        if kind == "diff":
            patch = f"--- a/{path}\n+++ b/{path}\n{contents}"
            subprocess.run(["git", "apply", "-"], cwd=folder, input=patch, text=True, check=True)
        else:
            (folder / path).write_text(contents)
    return [path for _, path, _ in BLOCK.findall(section)]


def run(folder: Path, *command: str) -> str:
    """What a Python command prints that succeeds and warns of nothing."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"DVC_ROOT": str(folder)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def stages_to_run_again(paths: list[str], dataset: str) -> set[str]:
    """The stages of dvc.yaml that depend on any of these files."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {
        name
        for name, stage in stages.items()
        for dep in stage["deps"]
        if any((path + "/").startswith(dep.replace("${dataset}", dataset) + "/") for path in paths)
    }


def test_the_recipe_for_a_data_set_needs_no_more_than_its_two_files(tmp_path):
    paths = follow("A data set", tmp_path)
    assert paths == ["infogan/datasets/kmnist.py", "presets/kmnist.yaml"]
    # What is trained on another data set stays.
    assert stages_to_run_again(paths, "mnist") == {"download", "objectives"}
    preset = yaml.safe_load((tmp_path / "presets/kmnist.yaml").read_text())
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | preset
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    raw = tmp_path / "data" / "raw" / "kmnist"
    raw.mkdir(parents=True)
    labels = {split: np.arange(size) % 10 for split, size in lookup("mnist").split_sizes.items()}
    for split, values in labels.items():
        images = np.zeros((len(values), 28, 28), np.uint8)
        (raw / f"{PREFIXES[split]}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (raw / f"{PREFIXES[split]}-labels-idx1-ubyte").write_bytes(idx_bytes(np.uint8(values)))

    run(tmp_path, "-m", "stages.objectives", "--out", "objectives")
    run(tmp_path, "-m", "stages.download", "--out", "packed")
    packed = load_split(tmp_path / "packed", replace(lookup("mnist"), name="kmnist"), "test")
    np.testing.assert_array_equal(packed.labels.numpy(), labels["test"])


MEASURE_INK = """
from torch import ones, device, float32
from infogan.datasets import lookup
from infogan.evaluate.measurements import MEASUREMENTS
from infogan.evaluate.subject import Subject
from infogan.judge.judge import Judge
from infogan.method.networks import TABLES, build_networks
from infogan.method.runtime import Backend
from infogan.params import load_params
from infogan.report.protocols import protocol
from pathlib import Path

params, mnist = load_params(Path("params.yaml")), lookup("mnist")
networks = build_networks(TABLES["mnist"], params.codes, params.networks, seed=0)
backend = Backend(device("cpu"), float32, 1)
judge = Judge(mnist)
subject = Subject(*networks, judge, mnist, params, 0, backend, None, None, lambda text: None)
print(MEASUREMENTS[-1](subject).metrics["ink"], protocol("ink"), sep=": ")
"""


def test_the_recipe_for_a_metric_measures_and_explains_it_and_trains_nothing(tmp_path):
    paths = follow("A metric", tmp_path)
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("num_samples: 10000", "num_samples: 200"))
    ink, meaning = run(tmp_path, "-c", MEASURE_INK).split(": ")
    assert float(ink) == pytest.approx(0.5, abs=0.1)  # an untrained G draws grey
    assert meaning.startswith("mean of all pixels")
    assert stages_to_run_again(paths, "mnist") == {"evaluate", "report"}


def test_the_recipe_for_an_objective_is_one_entry(tmp_path):
    paths = follow("An objective", tmp_path)
    assert paths == ["infogan/objectives.py"]
    assert stages_to_run_again(paths, "mnist") == {"objectives"}
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("[infogan, gan]", "[infogan, strict]"))
    run(tmp_path, "-m", "stages.objectives", "--out", "objectives")
    ours, strict = (
        json.loads((tmp_path / "objectives" / f"{name}.json").read_text())
        for name in ("infogan", "strict")
    )
    assert strict == ours | {"trunk_learns_bound": False}
