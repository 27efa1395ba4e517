from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from infogan.base.errors import InfoGANError
from infogan.base.files import save_array, write_file
from infogan.report.runs import mean_curves, read_run
from tests.report.test_text import make_run


def write_log(folder, *steps):
    rows = "".join(f"{step}\t0.5\n" for step in steps)
    write_file(folder / "plots" / "metrics" / "generator_loss.tsv", f"step\tgenerator_loss\n{rows}")


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InfoGANError, match="run gan-4 is incomplete"):
        read_run(tmp_path, "gan", 4)


@pytest.mark.parametrize("steps", [(1, 2, 2, 3), (1, 2, 4, 3)])
def test_a_log_that_two_trainings_wrote_is_named_with_its_cure(tmp_path, steps):
    write_log(tmp_path / "train" / "gan-4", *steps)
    cure = "run dvc repro --force --single-item train@gan-4, then dvc repro"
    said = rf"generator_loss\.tsv: .*twice or out of order; {cure}$"
    with pytest.raises(InfoGANError, match=said):
        read_run(tmp_path, "gan", 4)


def test_a_damaged_film_or_grid_names_the_run_and_the_file(tmp_path):
    train, grids = tmp_path / "train" / "gan-4", tmp_path / "traverse" / "gan-4"
    write_log(train, 2)
    write_file(train / "environment.json", "{}")
    write_file(tmp_path / "evaluate" / "gan-4" / "measurements.json", "{}")
    for path in (train / "film.npy", grids / "c1.npy"):
        save_array(train / "film.npy", np.zeros((2, 3, 2, 1, 28, 28), np.uint8))
        save_array(grids / "c1.npy", np.zeros((3, 2, 1, 28, 28), np.uint8))
        assert read_run(tmp_path, "gan", 4).film.shape == (2, 3, 2, 1, 28, 28)
        contents = bytearray(path.read_bytes())
        contents[500] ^= 1
        path.write_bytes(contents)
        with pytest.raises(InfoGANError, match=rf"run gan-4 .*{path.name}: its checksum is wrong"):
            read_run(tmp_path, "gan", 4)


def test_mean_curves_average_over_the_seeds_of_an_objective():
    runs = []
    for objective, seed, *losses in (("infogan", 0, 1, 2), ("infogan", 1, 3, 6), ("gan", 0, 5, 7)):
        curves = pd.DataFrame({"step": [20, 40], "generator_loss": losses})
        run = make_run(objective, seed)
        runs.append(replace(run, curves=curves.assign(objective=objective, seed=seed)))
    curves = mean_curves(runs)
    assert list(curves.columns) == ["infogan_generator_loss", "gan_generator_loss"]
    assert curves.loc[40].tolist() == [4.0, 7.0]
