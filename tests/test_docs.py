"""What README.md and docs/ say, held against the repository."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copytree

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
BLOCK = re.compile(r"^```\w+ (\S+/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
def test_every_relative_link_leads_to_a_file_of_the_repository_and_a_heading_in_it(page):
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target in kept_in_git(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_file_that_a_page_names_exists(page):
    text = page.read_text()
    recipe = {ROOT / path for path, _ in BLOCK.findall(text)}
    named = {ROOT / path.rstrip("/") for path in NAMED.findall(text)}
    assert named - kept_in_git() - recipe == set()


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


def test_the_recipe_for_a_data_set_needs_no_more_than_its_two_files(tmp_path):
    for folder in ("infogan", "stages"):
        copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "presets").mkdir()
    files = dict(BLOCK.findall((ROOT / "docs" / "extending.md").read_text()))
    assert list(files) == ["infogan/datasets/kmnist.py", "presets/kmnist.yaml"]
    for path, contents in files.items():
        (tmp_path / path).write_text(contents)
    preset = yaml.safe_load(files["presets/kmnist.yaml"])
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | preset
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    raw = tmp_path / "data" / "raw" / "kmnist"
    raw.mkdir(parents=True)
    labels = {split: np.arange(size) % 10 for split, size in lookup("mnist").split_sizes.items()}
    for split, values in labels.items():
        images = np.zeros((len(values), 28, 28), np.uint8)
        (raw / f"{PREFIXES[split]}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (raw / f"{PREFIXES[split]}-labels-idx1-ubyte").write_bytes(idx_bytes(np.uint8(values)))

    for command in (["objectives", "--out", "objectives"], ["download", "--out", "packed"]):
        done = subprocess.run(
            [sys.executable, "-m", f"stages.{command[0]}", *command[1:]],
            cwd=tmp_path,
            env=os.environ | {"DVC_ROOT": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
    packed = load_split(tmp_path / "packed", replace(lookup("mnist"), name="kmnist"), "test")
    np.testing.assert_array_equal(packed.labels.numpy(), labels["test"])
