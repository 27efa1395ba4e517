"""Two states of the results, in a small repository of their own."""

import json
import os
import re
import subprocess
import sys
from io import BytesIO

import pytest
import yaml
from PIL import Image

from compare.page import comparison_page, num_differing
from compare.revisions import flat, read_results, resolve
from infogan.base.errors import InfoGANError
from tests.imports import ROOT

PARAMETERS = {"seeds": [0], "lambda_cont": 0.1, "codes": {"noise": 62}}
METRICS = {"infogan": {"nmi": 0.5, "accuracy_matched": 0.25, "settling_step": 220.0}}


def png(shade: int) -> bytes:
    encoded = BytesIO()
    Image.new("L", (3, 2), shade).save(encoded, format="png")
    return encoded.getvalue()


@pytest.fixture
def git(tmp_path):
    """Runs a Git command in the repository, and gives what it prints."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        settings |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.org"}

    def run(*arguments: str) -> str:
        command = ["git", *arguments]
        environment = os.environ | settings
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    return run


@pytest.fixture
def write(tmp_path):
    """Writes a state of the results into the workspace."""

    def write_results(metrics: dict, parameters: dict, pictures: dict[str, bytes]) -> None:
        figures = tmp_path / "reports" / "figures"
        figures.mkdir(parents=True, exist_ok=True)
        for path in figures.iterdir():
            path.unlink()
        for name, data in pictures.items():
            (figures / f"{name}.png").write_bytes(data)
        (tmp_path / "reports" / "metrics.json").write_text(json.dumps(metrics))
        (tmp_path / "reports" / "curves.csv").write_text(
            "step,infogan_bound_cat_nats\n20,0.5\n40,2.25\n"
        )
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(parameters))

    return write_results


@pytest.fixture
def repository(tmp_path, git, write):
    """`main`; an experiment `higher` based on it; and an older one of the same name."""
    write(METRICS, PARAMETERS, {"figure_1": png(0), "film": png(9), "samples": png(7)})
    git("add", "-A")
    git("commit", "-q", "-m", "State")
    base = git("rev-parse", "HEAD")
    changed = {"infogan": {"nmi": 0.75, "nmi_std": 0.125, "settling_step": 120.0, "ari": 1.0}}
    write(
        changed,
        PARAMETERS | {"seeds": [0, 1], "lambda_cont": "3e-1"},
        {"figure_1": png(1), "figure_2": png(2), "samples": png(7)},
    )
    git("add", "-A")
    tree = git("write-tree")
    experiment = git("commit-tree", tree, "-p", base, "-m", "Experiment")
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/higher", experiment)
    other = git("commit-tree", git("rev-parse", f"{base}^{{tree}}"), "-m", "Of another base")
    git("update-ref", f"refs/exps/ab/{'c' * 38}/higher", other)
    git("reset", "-q", "--hard", base)
    return tmp_path


def page(repository, before, after):
    return comparison_page(read_results(repository, before), read_results(repository, after))


def row(text, name):
    """The text of the cells of a table's row."""
    cells = next(line for line in text.splitlines() if f"<code>{name}</code></th>" in line)
    return [re.sub("<[^>]*>", "", cell.split("</div>")[0]) for cell in cells.split("<div>")[1:]]


def test_metrics_stand_side_by_side_with_their_difference(repository):
    text = page(repository, "main", "higher")
    assert row(text, "nmi")[:3] == ["0.500", "0.750 ± 0.125", "+0.250"]
    steps = ["220", "120", "\N{MINUS SIGN}100"]
    assert row(text, "settling_<wbr>step")[:3] == steps


def test_a_metric_that_only_one_has_is_shown_as_such(repository):
    text = page(repository, "main", "higher")
    assert row(text, "ari")[:3] == ["-", "1.000", "only in higher"]
    assert row(text, "accuracy_<wbr>matched")[:3] == ["0.250", "-", "only in main"]


def test_only_parameters_that_differ_are_listed_and_text_that_is_a_number_is_one(repository):
    text = page(repository, "main", "higher")
    assert row(text, "lambda_<wbr>cont") == ["0.1", "0.3"]
    assert row(text, "seeds") == ["[0]", "[0, 1]"]
    assert "codes.noise" not in text
    assert flat({"a": {"b": "1e-05"}, "c": "auto"}) == {"a.b": 1e-05, "c": "auto"}


def test_pictures_stand_side_by_side_and_a_missing_one_is_shown_as_such(repository):
    text = page(repository, "main", "higher")
    assert text.count('class="pair"') == 3
    assert "<strong>samples</strong>, main and higher, the same" in text
    assert "No figure_2 in main" in text
    assert "No film in higher" in text
    order = [text.index(f"<strong>{name}</strong>") for name in ("figure_1", "figure_2", "film")]
    assert order == sorted(order)


def test_the_page_is_one_file_with_the_curves_of_both(repository):
    text = page(repository, "main", "higher")
    assert "data:image/svg+xml;base64," in text
    assert 'src="data:image' in text
    assert 'src="figures' not in text
    assert "https:" not in text


def test_the_workspace_counts_whether_committed_or_not(repository, write):
    assert num_differing(*(read_results(repository, name) for name in ("HEAD", "workspace"))) == (
        *(0, 0),
    )
    write({"infogan": {"nmi": 0.5}}, PARAMETERS | {"codes": {"noise": 3}}, {})
    states = [read_results(repository, name) for name in ("HEAD", "workspace")]
    assert num_differing(*states) == (1, 2)
    assert "No film in workspace" in comparison_page(*states)


def test_of_two_experiments_of_a_name_that_of_the_present_commit_counts(repository, git):
    own = resolve(repository, "higher")
    assert git("log", "-1", "--format=%s", own) == "Experiment"


def test_an_unknown_name_is_refused_in_one_line_that_says_what_there_is(repository):
    with pytest.raises(InfoGANError) as refused:
        read_results(repository, "hihger")
    assert str(refused.value) == (
        "no revision or experiment 'hihger'; there are experiments higher; branches main; "
        "workspace, what lies here"
    )


def test_a_revision_without_results_is_named(repository, git):
    git("rm", "-q", "reports/metrics.json")
    git("commit", "-q", "-m", "No results")
    with pytest.raises(InfoGANError, match=r"main has no reports/metrics.json"):
        read_results(repository, "main")


def test_results_that_cannot_be_read_are_named(repository):
    (repository / "reports" / "metrics.json").write_text("<<<<<<< HEAD")
    with pytest.raises(InfoGANError, match=r"workspace: reports/metrics.json is not JSON"):
        read_results(repository, "workspace")


def test_the_command_writes_a_page_named_after_both_and_an_error_is_one_line(repository):
    def run(*names: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "compare", *names]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=False
        )

    done = run("main", "higher")
    path = repository / "comparisons" / "main-higher.html"
    assert "comparisons/main-higher.html; 2 parameters and 4 metrics differ" in done.stdout
    assert "<h1>Compared: main and higher</h1>" in path.read_text()
    failed = run("main", "no/such")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith("error: no revision or experiment 'no/such'")
