"""A report made from what the runs left: which figures, and the text that holds the tables."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from infogan.base.dataset import LUMINANCE, DataSet
from infogan.params import Params
from infogan.report import tables
from infogan.report.claims import Measured
from infogan.report.document import Block, Picture, Table
from infogan.report.runs import Run, all_metrics
from infogan.report.symptoms import symptoms

SEED_METRICS = (
    *("accuracy_matched", "accuracy_majority", "nmi", "ari", "accuracy_generated"),
    *("bound_cat_nats", "bound_cont_fitted_nats", "slant_spearman", "width_spearman"),
    *("digit_kept", "frechet_classifier"),
)
FACTOR_METRICS = ("mig", "factor_vae", "dci_disentanglement", "dci_completeness")
MAX_FACTORS_SHOWN = 5
ABOUT = (
    "InfoGAN (Chen et al., NIPS 2016) splits the generator's input into noise z and a latent code "
    "c, and adds a lower bound on the mutual information I(c; G(z, c)) to the GAN game. Without "
    "labels, each code then comes to control one feature of the images: on MNIST the digit, its "
    "rotation and its width."
)


def document(
    runs: list[Run],
    params: Params,
    data_set: DataSet,
    judge: dict[str, Any],
    pictures: Iterable[Picture],
) -> list[Block]:
    """The report: claims, the figures, all metrics, every seed, parameters, what it ran on."""
    measured = all_metrics(runs)
    seeds = ("seeds " if len(params.seeds) > 1 else "seed ") + ", ".join(map(str, params.seeds))
    parts: list[Block] = [
        "# InfoGAN, replicated: the results",
        ABOUT,
        f"Data set `{params.dataset}`, {params.num_steps:,} steps, {seeds}. Values are means "
        "over seeds, ± the standard deviation where there are several seeds, and n is their number."
        " Made by `dvc repro`; the departures from the paper are in "
        "[deviations.md](deviations.md). Links to files lead into the repository's folder "
        "`reports/`: in a copy of this page alone they are dead.",
    ]
    if data_set.stands_in_for:
        parts.append(
            f"**A stand-in.** These images are rendered here, with known factors, to measure a "
            f"claim that the paper makes on {data_set.stands_in_for}; they are not its images."
        )
    if warnings := _warnings(runs, measured, params, judge["frechet_floor"]):
        parts += ["## Warnings", warnings]
    claims = tables.claims_table(measured, params.dataset, judge["frechet_floor"])
    if claims.rows:
        parts += [
            "## The paper's claims",
            "The paper states no protocol, seed or spread for its values. Ours follow the "
            "protocols below; a rule holds or fails for each seed, and none is left out but one "
            "whose images are nothing like the data. It judges the value in bold; `gan` is the "
            "control, a regular GAN.",
            claims,
        ]
    present = [name for own in measured.values() for metrics in own.values() for name in metrics]
    factors = [factor.name for factor in (*data_set.factors, LUMINANCE)]
    shown = [name for name in _seed_metrics(data_set) if name in present]
    parts += [
        "## Figures",
        *pictures,
        "## All metrics",
        tables.metrics_table(measured, dict.fromkeys(present), factors),
        _judge(data_set, judge),
        "## Every seed",
        tables.seeds_table("Objective", measured, shown),
    ]
    if shapes := [run for run in runs if "leakage" in run.record]:
        what = "shape of the digit" if data_set.shows_strokes else "factor"
        parts += [
            "## What the continuous codes do",
            f"Rank correlation of each code with each {what}, abs(c) <= 1.",
            _leakage_table(shapes, params),
        ]
    if informed := [run for run in runs if "information" in run.record]:
        parts += [
            "## What the categorical codes decide",
            "Share of each factor's entropy that each categorical code gives away, in generated "
            "images.",
            _information_table(informed, params),
        ]
    return [
        *parts,
        "## Parameters",
        "All that can change a result; the repository's `params.yaml` says where each comes from.",
        _parameters_table(params),
        "## Environment of the training",
        Table(("", "Value"), [(key, str(value)) for key, value in runs[0].environment.items()]),
    ]


def _parameters_table(params: Params) -> Table:
    """All parameters but where a run computes, a row for each section of the file."""
    values = params.model_dump(exclude={"runtime"})
    sections = {key: value for key, value in values.items() if isinstance(value, dict)}
    general = {key: value for key, value in values.items() if key not in sections}

    def shown(value: object) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    rows = [
        (name, ", ".join(f"`{key}: {shown(value)}`" for key, value in values.items()))
        for name, values in {"general": general, **sections}.items()
    ]
    return Table(("Section", "Values"), rows)


def _warnings(runs: list[Run], measured: Measured, params: Params, floor: float) -> str:
    """One line for each sign, in any run, that its training went wrong."""
    lines = []
    for run in runs:
        metrics, contingency = measured[run.objective][run.seed], run.record.get("contingency")
        for sign in symptoms(metrics, contingency, run.grids, params.codes.names, floor):
            lines.append(f"- `{run.objective}-{run.seed}`: {sign}.")
    return "\n".join(lines)


def _judge(data_set: DataSet, judge: dict[str, Any]) -> str:
    """How far the judge of generated images can be trusted."""
    num, floor = judge["num_test"], judge["frechet_floor"]
    if data_set.factors:
        scores = ", ".join(f"{f.name} {judge[f'{f.name}_r2']:.3f}" for f in data_set.factors)
        what = f"reads the factors of the {num:,} test images with R2 {scores}"
    else:
        what = f"is right on {judge['accuracy_test']:.2%} of the {num:,} test images"
    return (
        f"The judge of generated images {what}. The Frechet distance of real test to real training "
        f"images, the floor, is {floor:.3f}."
    )


def _seed_metrics(data_set: DataSet) -> list[str]:
    """What is shown of every seed; of many factors none."""
    factors = data_set.factors if len(data_set.factors) <= MAX_FACTORS_SHOWN else ()
    keys = ("code_spearman", "spearman", "share")
    own = (f"{factor.name}_{key}" for factor in factors for key in keys)
    return list(dict.fromkeys((*SEED_METRICS, *own, *FACTOR_METRICS)))


def _information_table(runs: list[Run], params: Params) -> Table:
    """A row for each factor, a column for each categorical code of each run."""
    names = params.codes.names[: len(params.codes.categorical)]
    shares = [np.array(run.record["information"]["codes"]) for run in runs]
    header = [f"`{run.objective}-{run.seed}` {name}" for run in runs for name in names]
    rows = [
        (factor, *(f"{value:.3f}" for own in shares for value in own[:, i]))
        for i, factor in enumerate(runs[0].record["information"]["factors"])
    ]
    return Table(("Factor", *header), rows)


def _leakage_table(runs: list[Run], params: Params) -> Table:
    names = params.codes.names[len(params.codes.categorical) :]
    rows = [
        (run.objective, str(run.seed), name, *(f"{value:.2f}" for value in row))
        for run in runs
        for name, row in zip(names, run.record["leakage"]["codes"], strict=True)
    ]
    shapes = runs[0].record["leakage"]["shapes"]
    return Table(("Objective", "Seed", "Code", *shapes), rows)
