"""Two states of the results, in a project that is a subfolder of a small repository."""

import json
import re
import sys
from functools import partial
from pathlib import Path
from runpy import run_path

import pandas as pd
import pytest

from compare.__main__ import comparison_page, read_state
from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from study.records import Record
from tests.imports import ROOT

PARAMETERS = {"lambda_cont": 0.1, "lr": 1e-05, "codes": {"noise": 62}, "seeds": [0]}


@pytest.fixture
def git(command, tmp_path, monkeypatch):
    """Runs a Git command in the project, which is where we are."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return partial(command, "git")


def write(metrics: dict, parameters: dict, figures: dict[str, bytes]) -> None:
    for path in Path("reports", "figures").glob("*"):
        path.unlink()
    for name, data in figures.items():
        write_file(Path("reports", "figures", f"{name}.png"), data)
    write_file(Path("reports", "metrics.json"), json.dumps(metrics))
    write_file(Path("params.yaml"), json.dumps(parameters).replace("1e-05", "1e-5"))


@pytest.fixture(autouse=True)
def repository(git):
    """`main`, and an experiment `higher` based on it."""
    metrics = {"infogan": {"nmi": 0.5, "same": 3, "ari": 0.25}}
    write(metrics, PARAMETERS, {"film": b"1", "one": b"2"})
    git("add", "-A")
    git("commit", "-q", "-m", "State")
    base = git("rev-parse", "HEAD")
    changed = {"infogan": {"nmi": 0.75, "same": 3, "fid": 220.0}, "gan": {"nmi": 0.5}}
    write(changed, PARAMETERS | {"lambda_cont": 0.3, "runtime": {"threads": 2}}, {"film": b"3"})
    git("add", "-A")
    experiment = git("commit-tree", git("write-tree"), "-p", base, "-m", "Experiment")
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/higher", experiment)
    git("reset", "-q", "--hard", base)


def record(seed: int, nmi: float, changes: dict) -> Record:
    parameters = {"lambda_cont": 0.1, "lr": 1e-05, "codes.noise": 62, "seeds": [seed]}
    parameters |= {"judge.weights": "judge", "runtime.precision": "auto", "objectives": ["infogan"]}
    contents = {"parameters": parameters | changes}
    return Record("ours", seed, {"nmi": nmi}, contents, pd.DataFrame(), Path())


def page(records: tuple[Record, ...] = ()) -> str:
    return comparison_page(read_state("main"), read_state("higher"), list(records))


def row(text: str, name: str) -> list[str]:
    """The cells of a table's row, bold as `**`."""
    line = next(line for line in text.splitlines() if f"<code>{name}</code></th>" in line)
    cells = [cell.split("</div>")[0] for cell in line.split("<div>")[1:]]
    return [re.sub("<[^>]*>", "", re.sub("</?strong>", "**", cell)) for cell in cells]


def test_metrics_that_differ_stand_beside_each_other_with_their_difference():
    text = page()
    assert row(text, "infogan.nmi")[:4] == ["0.500", "0.750", "+0.25", "-"]
    assert row(text, "infogan.ari")[:3] == ["0.250", "-", "-"]
    assert row(text, "infogan.fid")[:3] == ["-", "220", "-"]
    assert row(text, "gan.nmi")[:3] == ["-", "0.500", "-"]
    assert "infogan.same" not in text


@pytest.mark.parametrize(
    ("values", "changes", "expected"),
    [
        ((0.4, 0.5, 0.6), {}, ["**+0.25**", "0.1"]),
        ((0.3, 0.5, 0.7), {}, ["+0.25", "0.2"]),
        ((0.4, 0.5, 0.6), {"lambda_cont": 0.3}, ["**+0.25**", "0.1"]),
        ((0.4, 0.5, 0.6), {"lambda_cont": 0.7}, ["+0.25", "-"]),
        ((0.4, 0.5, 0.6), {"objectives": ["gan"]}, ["+0.25", "-"]),
        ((0.4,), {}, ["+0.25", "-"]),
    ],
)
def test_a_difference_is_bold_beyond_two_spreads_of_the_studys_seeds(values, changes, expected):
    records = [record(seed, value, changes) for seed, value in enumerate(values)]
    assert row(page(tuple(records)), "infogan.nmi")[2:4] == expected


def test_of_two_recipes_the_larger_spread_counts():
    records = [record(seed, 0.4 + seed / 10, {}) for seed in range(3)]
    records += [record(seed, 0.3 + seed / 5, {"lambda_cont": 0.3}) for seed in range(3)]
    assert row(page(tuple(records)), "infogan.nmi")[2:4] == ["+0.25", "0.2"]


def test_parameters_that_differ_and_all_figures_stand_side_by_side_in_one_file():
    text = page()
    assert row(text, "lambda_<wbr>cont") == ["0.1", "0.3"]
    assert row(text, "runtime.threads") == ["null", "2"]
    assert "codes.noise" not in text
    assert read_state("main").parameters["lr"] == 1e-05
    assert text.count('class="pair"') == 2
    assert "data:image/png;base64,MQ==" in text
    assert "data:image/png;base64,Mw==" in text
    assert "No one in higher" in text
    assert 'src="figures' not in text
    assert "https:" not in text


def test_the_workspace_counts_whether_committed_or_not():
    assert read_state("workspace")[1:] == read_state("HEAD")[1:]
    write({"infogan": {"nmi": 0.5}}, PARAMETERS, {})
    assert read_state("workspace").figures == {}


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("reports/metrics.json", "<<<<<<< HEAD", "damaged"),
        ("params.yaml", "a: [", "damaged"),
        ("params.yaml", "[1]", "damaged"),
        ("reports/metrics.json", None, "workspace has no reports/metrics.json"),
    ],
)
def test_results_that_cannot_be_read_are_named(path, text, problem):
    Path(path).unlink()
    if text:
        write_file(Path(path), text)
    with pytest.raises(InfoGANError, match=problem):
        read_state("workspace")


def test_the_command_writes_a_page_named_after_both_and_an_error_is_one_line(monkeypatch, capsys):
    program = str(ROOT / "compare" / "__main__.py")
    monkeypatch.setattr(sys, "argv", ["compare", "main", "higher"])
    run_path(program, run_name="__main__")
    assert capsys.readouterr().out == "compare: comparisons/main-higher.html\n"
    text = Path("comparisons", "main-higher.html").read_bytes()
    assert b"<h1>Compared: main and higher</h1>" in text
    monkeypatch.setattr(sys, "argv", ["compare", "main", "no/such"])
    with pytest.raises(SystemExit, match="1"):
        run_path(program, run_name="__main__")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("error: unknown Git revision 'no/such', nor experiment")
