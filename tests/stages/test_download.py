import pytest

from infogan.base.errors import InfoGANError
from infogan.base.packed import load_images
from stages.download import main, parser
from tests.stages.test_stages import write_params
from tests.toy_data import TOY, register, write_raw


@pytest.fixture
def path(tmp_path, make_params, monkeypatch):
    """The path of a params.yaml that names the toy data set."""
    register(monkeypatch, "toy", TOY)
    return str(write_params(tmp_path, make_params, {"dataset": "toy"}))


def test_the_projects_raw_files_of_the_named_data_set_are_packed_in_its_temporary_copies_too(
    tmp_path, path, monkeypatch, capsys
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    write_raw(tmp_path / "data" / "raw" / "toy")
    main(parser().parse_args(["--params", path, "--out", str(tmp_path / "packed")]))
    assert load_images(tmp_path / "packed", TOY, "test").shape == (4, 1, 3, 5)
    assert all(line.startswith("download: ") for line in capsys.readouterr().out.splitlines())


def test_a_data_set_is_looked_for_where_it_is_said_and_nothing_is_written_without_it(
    tmp_path, path
):
    raw, out = tmp_path / "raw", tmp_path / "packed"
    with pytest.raises(InfoGANError, match=f"or a .gz of each, into {raw / 'toy'}"):
        main(parser().parse_args(["--params", path, "--raw", str(raw), "--out", str(out)]))
    assert not out.exists()
