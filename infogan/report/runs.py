"""What the stages left of each run, read back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from infogan.base.errors import InfoGANError
from infogan.base.files import load_array
from infogan.report.claims import Measured
from infogan.report.tables import convergence


@dataclass(frozen=True)
class Run:
    """What the stages left of one trained run."""

    objective: str
    seed: int
    record: dict[str, Any]
    environment: dict[str, Any]
    curves: pd.DataFrame
    grids: dict[str, UInt8[np.ndarray, "row column channel height width"]]
    film: UInt8[np.ndarray, "frame draw category channel height width"]


def read_run(folder: Path, objective: str, seed: int) -> Run:
    """The outputs of train, traverse and evaluate for one run, below the folder of all runs."""
    name = f"{objective}-{seed}"
    train, evaluate = folder / "train" / name, folder / "evaluate" / name
    grids = sorted((folder / "traverse" / name).glob("*.npy"))
    logs = sorted((train / "plots" / "metrics").glob("*.tsv"))
    try:
        curves = pd.concat([_read_log(log, name) for log in logs], axis=1)
        return Run(
            objective,
            seed,
            json.loads((evaluate / "measurements.json").read_text(encoding="utf-8")),
            json.loads((train / "environment.json").read_text(encoding="utf-8")),
            curves.reset_index().assign(objective=objective, seed=seed),
            {path.stem: load_array(path) for path in grids},
            load_array(train / "film.npy"),
        )
    except InfoGANError:
        raise
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InfoGANError(
            f"{folder}: run {name} is incomplete ({reason}); run dvc repro"
        ) from error


def _read_log(path: Path, run: str) -> pd.DataFrame:
    """One quantity by step; InfoGANError for steps that two trainings at once have written."""
    log = pd.read_csv(path, sep="\t", index_col="step")
    if not (log.index.is_monotonic_increasing and log.index.is_unique):
        raise InfoGANError(
            f"{path}: the log of run {run} has steps twice or out of order; "
            f"run dvc repro --force --single-item train@{run}, then dvc repro"
        )
    return log


def all_metrics(runs: list[Run]) -> Measured:
    """The metrics of every run, by objective and seed."""
    measured: Measured = {}
    for run in runs:
        metrics = run.record["metrics"] | convergence(run.curves)
        measured.setdefault(run.objective, {})[run.seed] = metrics
    return measured


def all_curves(runs: list[Run]) -> pd.DataFrame:
    """The training curves of every run, one row per run and logged step."""
    return pd.concat([run.curves for run in runs], ignore_index=True)


def mean_curves(runs: list[Run]) -> pd.DataFrame:
    """Training curves as one column per objective and quantity, means over seeds, by step."""
    curves = all_curves(runs)
    quantities = list(curves.columns.drop(["step", "objective", "seed"]))
    means = [
        rows.groupby("step")[quantities].mean().dropna(axis=1).add_prefix(f"{objective}_")
        for objective, rows in curves.groupby("objective", sort=False)
    ]
    return pd.concat(means, axis=1)
