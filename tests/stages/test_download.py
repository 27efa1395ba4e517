import sys
from pathlib import Path

import pytest
import yaml

from infogan.base.packed import load_images, load_split
from infogan.datasets import lookup
from stages import run_stage
from stages.download import main, parser
from tests.toy_data import TOY, register, write_raw

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params(tmp_path):
    """Writes a complete params.yaml for a data set."""

    def write(dataset):
        values = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"dataset": dataset}
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(values))
        return str(path)

    return write


def test_the_stage_packs_the_data_set_that_the_parameters_name(
    tmp_path, params, monkeypatch, capsys
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    out = tmp_path / "packed"
    main(parser().parse_args(["--params", params("digits"), "--out", str(out)]))
    assert all(line.startswith("download: ") for line in capsys.readouterr().out.splitlines())
    assert load_split(out, lookup("digits"), "train").images.shape == (1_437, 1, 28, 28)


def test_the_raw_files_of_the_project_are_used_from_its_temporary_copies(
    tmp_path, params, monkeypatch
):
    register(monkeypatch, "toy", TOY)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    write_raw(tmp_path / "data" / "raw" / "toy")
    main(parser().parse_args(["--params", params("toy"), "--out", str(tmp_path / "packed")]))
    assert load_images(tmp_path / "packed", TOY, "test").shape == (4, 1, 3, 5)


def test_a_data_set_that_cannot_be_had_ends_in_one_line_and_status_1(
    tmp_path, params, monkeypatch, capsys
):
    register(monkeypatch, "toy", TOY)
    raw, out = tmp_path / "raw", tmp_path / "packed"
    options = ["--params", params("toy"), "--raw", str(raw), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["download", *options])
    with pytest.raises(SystemExit, match="1"):
        run_stage(main, parser())
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"put these files, or a .gz of each, into {raw / 'toy'}" in error
    assert not out.exists()
