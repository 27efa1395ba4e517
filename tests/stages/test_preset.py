import sys

import pytest
from dvc.utils.hydra import apply_overrides

from infogan.base.errors import end_in_one_line
from infogan.params import load_params
from stages.preset import differing, flags, main
from tests.conftest import REPOSITORY, load_preset

PARAMS = REPOSITORY / "params.yaml"
PRESETS = sorted((REPOSITORY / "presets").glob("*.yaml"))
NAMES = [path.stem for path in PRESETS]


@pytest.fixture(params=PRESETS, ids=NAMES)
def preset(request):
    return request.param


@pytest.fixture
def project(tmp_path):
    """A folder with the repository's parameters and presets."""
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    (tmp_path / "presets").symlink_to(REPOSITORY / "presets")
    return tmp_path


@pytest.fixture
def command(project, monkeypatch, capsys):
    """Gives the command in a project, and returns its output."""
    monkeypatch.chdir(project)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["preset", *arguments])
        end_in_one_line(main)
        return capsys.readouterr().out

    return run


def test_the_command_writes_the_preset_and_leaves_all_other_lines_alone(project, command, preset):
    before, path = PARAMS.read_text().splitlines(), project / "params.yaml"
    command(preset.stem)
    assert load_params(path) == load_preset(preset.stem)
    differ = differing(load_params(PARAMS), load_preset(preset.stem))
    changed = [*(name.split(".")[-1] + ":" for name in differ), "-"]  # the latter: parts of lists
    kept = [line for line in before if not line.strip().startswith(tuple(changed))]
    assert [line for line in path.read_text().splitlines() if line in kept] == kept


def test_dvc_changes_a_list_and_no_other_line_also_to_none_and_back(tmp_path):
    path = tmp_path / "params.yaml"
    text = PARAMS.read_text()
    path.write_text(text)
    apply_overrides(str(path), ["seeds=[3,4]", "objectives=[gan]", "codes.categorical=[]"])
    changed = text.replace("- 0\n", "- 3\n- 4\n").replace("- infogan\n", "")
    assert path.read_text() == changed.replace("categorical:\n  - 10\n", "categorical: []\n")
    apply_overrides(str(path), ["seeds=[0]", "objectives=[infogan,gan]", "codes.categorical=[10]"])
    assert path.read_text() == text


def test_what_dvc_writes_for_a_small_number_is_read_as_that_number(project):
    path = project / "params.yaml"
    apply_overrides(str(path), ["lambda_cont=0.00001"])
    assert "lambda_cont: 1e-05" in path.read_text()
    assert load_params(path).lambda_cont == 0.00001


def test_the_flags_have_no_blanks(preset):
    words = flags(differing(load_params(PARAMS), load_params(PARAMS, preset)))
    assert words[::2] == ["-S"] * (len(words) // 2)
    assert not any(set(word) & set(" \n") for word in words)


def test_the_command_writes_the_file_as_it_lies_and_flags_write_nothing(project, command):
    path = project / "params.yaml"
    path.write_text(PARAMS.read_text().replace("log_every: 20", "log_every: 30"))
    before = path.read_text()
    assert command("demo", "--flags").startswith("-S dataset=digits -S num_steps=600 ")
    assert path.read_text() == before
    assert command("demo").startswith("preset: params.yaml is demo's")
    assert "log_every: 30" in path.read_text()
    assert load_params(path).dataset == "digits"
    assert command("demo", "--flags") == "\n"


@pytest.mark.parametrize("arguments", [(), ("papre",), ("--flags",), ("../params",)])
def test_without_a_known_name_one_line_lists_those_there_are(project, command, capsys, arguments):
    with pytest.raises(SystemExit, match="1"):
        command(*arguments)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: preset ")
    assert said.err.endswith(f"expected one of {', '.join(NAMES)}\n")
    assert said.err.count("\n") == 1
    assert (project / "params.yaml").read_text() == PARAMS.read_text()
