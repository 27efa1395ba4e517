"""The tour of a trained run, docs/tour.ipynb, on a run of a few steps."""

import ast
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.imports import ROOT
from tests.test_trained import train_a_run

TOUR = ROOT / "docs" / "tour.ipynb"
CELLS = [cell for cell in json.loads(TOUR.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def project(tmp_path_factory, make_params):
    """Where a reader is after `make repro`."""
    folder = tmp_path_factory.mktemp("project")
    run = train_a_run(folder, make_params, {})
    run.rename(run.with_name("infogan-0"))
    (folder / "docs").mkdir()
    return folder


def execute(source: str, names: dict[str, Any]) -> object:
    """Run a cell; the value of the expression that it ends in."""
    tree = ast.parse(source)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, TOUR.name, "exec"), names)
    return eval(ast.unparse(last), names)


def test_the_cells_of_the_tour_run_in_order_and_show_what_is_stored(project, monkeypatch):
    monkeypatch.chdir(project / "docs")
    names: dict[str, Any] = {}
    for cell in CELLS:
        shown = execute("".join(cell["source"]), names)
        (stored,) = cell["outputs"]
        assert isinstance(shown, Image.Image) == ("image/png" in stored["data"])


def test_the_examples_of_the_page_run_as_they_stand(project, monkeypatch):
    monkeypatch.chdir(project)
    Image.new("RGB", (40, 50)).save("seven.png")
    examples = re.findall(r"```python\n(.*?)```", TOUR.with_name("notebook.md").read_text(), re.S)
    names: dict[str, Any] = {}
    for example in examples:
        shown = execute(example, names)
    assert isinstance(shown, np.ndarray)
    assert shown.shape == (10,)


def test_the_stored_tour_is_of_the_committed_run():
    record = json.loads((ROOT / "reports" / "study" / "default-0" / "record.json").read_text())
    to_class = record["measurements"]["category_to_class"]
    (stored,) = CELLS[-2]["outputs"]
    categories = re.findall(r"\d+", "".join(stored["data"]["text/plain"]))
    # The labels of the first ten test images, all of which its Q sorts right.
    assert [to_class[int(each)] for each in categories] == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_the_stored_tour_is_small_of_one_pass_and_names_no_path_of_the_machine_that_ran_it():
    assert TOUR.stat().st_size < 200_000
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    for cell in CELLS:
        assert cell["outputs"]
        texts = [cell["source"], *(output["data"]["text/plain"] for output in cell["outputs"])]
        assert not re.search(r"(?<![\w.])/\w", "".join(map("".join, texts)))
