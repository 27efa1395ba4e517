"""A report made from what the runs left: which figures, and the text that holds the tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.figure import Figure

from infogan import figures, results
from infogan.arrays import load_array
from infogan.captions import picture
from infogan.datasets import DataSet
from infogan.document import Block, Table
from infogan.errors import InfoGANError
from infogan.evaluation import UNMATCHED
from infogan.factors import LUMINANCE
from infogan.params import Params
from infogan.shape_effects import ROLE_NAMES
from infogan.symptoms import symptoms
from infogan.training import film_steps

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
        curves = pd.concat([pd.read_csv(log, sep="\t", index_col="step") for log in logs], axis=1)
        return Run(
            objective,
            seed,
            json.loads((evaluate / "measurements.json").read_text()),
            json.loads((train / "environment.json").read_text()),
            curves.reset_index().assign(objective=objective, seed=seed),
            {path.stem: load_array(path) for path in grids},
            load_array(train / "film.npy"),
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InfoGANError(
            f"{folder}: run {name} is incomplete ({reason}); run dvc repro"
        ) from error


def all_metrics(runs: list[Run]) -> results.RunMetrics:
    """The metrics of every run, by objective and seed."""
    return {
        (run.objective, run.seed): run.record["metrics"] | results.convergence(run.curves)
        for run in runs
    }


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


def draw(
    runs: list[Run],
    params: Params,
    data_set: DataSet,
    real_images: UInt8[np.ndarray, "image channel height width"],
) -> dict[str, Figure]:
    """The figures that layout and objectives allow, by name; pictures show the first seed."""
    layout = params.codes.layout
    curves = all_curves(runs)
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(run.objective, run)
    pictures = {}
    if layout.categorical:
        as_paper = params.dataset == "mnist" and layout.categorical == (10,)
        pictures["figure_1"] = figures.mutual_information_figure(
            curves,
            sum(layout.categorical_entropies_nats),
            figures.PAPER_FIGURE_1 if as_paper else None,
        )
    pictures[f"figure_{data_set.figure}"] = figures.traversal_figure(
        _panels(first, params, data_set)
    )
    pictures["film"] = figures.traversal_figure(
        [_film_panel(run, params) for run in first.values()]
    )
    pictures["losses"] = figures.losses_figure(curves)
    fakes = {
        name: run.grids["samples"].reshape(-1, *data_set.image_shape) for name, run in first.items()
    }
    pictures["samples"] = figures.samples_figure(real_images, fakes)
    for objective, run in first.items() if "contingency" in runs[0].record else ():
        pictures[f"confusion_{objective}"] = figures.confusion_figure(
            np.array(run.record["contingency"]),
            _order(run),
            data_set.class_names,
            f"{figures.objective_name(objective)}, seed {run.seed}: test images",
        )
        seeds = [run for run in runs if run.objective == objective]
        if len(seeds) > 1:
            pictures[f"seeds_{objective}"] = figures.seeds_figure(
                {run.seed: _ordered(run) for run in seeds},
                {run.seed: run.record["metrics"]["accuracy_matched"] for run in seeds},
            )
    return pictures


def document(
    runs: list[Run],
    params: Params,
    data_set: DataSet,
    classifier: dict[str, Any],
    names: list[str],
) -> list[Block]:
    """The report: claims, the figures, all metrics, every seed, parameters, what it ran on."""
    read = [factor.name for factor in (*data_set.factors, LUMINANCE)]
    measured = all_metrics(runs)
    seeds = ("seeds " if len(params.seeds) > 1 else "seed ") + ", ".join(map(str, params.seeds))
    environment = runs[0].environment
    parts: list[Block] = [
        "# InfoGAN, replicated: the results",
        ABOUT,
        f"Data set `{params.dataset}`, {params.num_steps:,} steps, {seeds}. Values are means "
        "over seeds, ± the standard deviation where there are several seeds, and n is their number."
        " Made by `dvc repro`; the departures from the paper are in "
        "[deviations.md](deviations.md).",
    ]
    if data_set.stands_in_for:
        parts.append(
            f"**A stand-in.** These images are rendered here, with known factors, to measure a "
            f"claim that the paper makes on {data_set.stands_in_for}; they are not its images."
        )
    if warnings := _warnings(runs, params, classifier["frechet_floor"]):
        parts += ["## Warnings", warnings]
    claims = results.claims_table(measured, params.dataset)
    if claims.rows:
        parts += [
            "## The paper's claims",
            "The paper states no protocol, seed or spread for its values. Ours follow the "
            "protocols below; a rule holds or fails for each seed, and none is left out. It judges "
            "the value in bold; `gan` is the control, a regular GAN.",
            claims,
        ]
    counts = _counts(runs, params)
    parts.append("## Figures")
    parts += [picture(name, params.seeds, counts[name]) for name in names]
    parts += ["## All metrics", results.metrics_table(measured, read)]
    parts.append(_judge(data_set, classifier))
    parts += ["## Every seed", results.seeds_table(measured, _seed_metrics(data_set))]
    shapes = [run for run in runs if "leakage" in run.record]
    if shapes:
        parts += [
            "## What the continuous codes do",
            "Rank correlation of each code with each shape of the digit, abs(c) <= 1.",
            _leakage_table(shapes, params),
        ]
    informed = [run for run in runs if "information" in run.record]
    if informed:
        parts += [
            "## What the categorical codes decide",
            "Share of each factor's entropy that each categorical code gives away, in generated "
            "images.",
            _information_table(informed, params),
        ]
    parts += [
        "## Parameters",
        "All that can change a result; [params.yaml](../params.yaml) says where each comes from.",
        _parameters_table(params),
        "## Environment of the training",
        Table(("", "Value"), [(key, str(value)) for key, value in environment.items()]),
    ]
    return parts


def _counts(runs: list[Run], params: Params) -> dict[str, str]:
    """By figure, how many of what it shows."""
    seeds = f"n = {len(params.seeds)} run{'s' * (len(params.seeds) > 1)} of each objective"
    counts = {
        "figure_1": seeds,
        "losses": seeds,
        **{
            f"figure_{number}": f"n = {params.traverse.rows} draws of noise and codes a grid"
            for number in range(2, 7)
        },
        "film": "n = 1 draw of noise and codes",
        "samples": f"n = {runs[0].grids['samples'][..., 0, 0, 0].size} images each",
    }
    for run in runs if "contingency" in runs[0].record else ():
        images = int(np.sum(run.record["contingency"]))
        counts.setdefault(f"confusion_{run.objective}", f"n = {images:,} test images")
        counts[f"seeds_{run.objective}"] = seeds
    return counts


def _parameters_table(params: Params) -> Table:
    """All parameters but where a run computes, a row for each section of the file."""
    sections: dict[str, dict[str, Any]] = {"general": {}}
    for key, value in params.model_dump(exclude={"runtime"}).items():
        if isinstance(value, dict):
            sections[key] = value
        else:
            sections["general"][key] = value
    rows = [
        (name, ", ".join(f"`{key}: {_shown(value)}`" for key, value in values.items()))
        for name, values in sections.items()
    ]
    return Table(("Section", "Values"), rows)


def _shown(value: object) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


def _warnings(runs: list[Run], params: Params, floor: float) -> str:
    """One line for each sign, in any run, that its training went wrong."""
    found = {
        f"{run.objective}-{run.seed}": symptoms(
            metrics, run.record.get("contingency"), run.grids, params.codes.layout.names, floor
        )
        for run, metrics in zip(runs, all_metrics(runs).values(), strict=True)
    }
    return "\n".join(f"- `{name}`: {sign}." for name, signs in found.items() for sign in signs)


def _panels(first: dict[str, Run], params: Params, data_set: DataSet) -> list[figures.GridPanel]:
    """c1 of every objective, then the other codes of the first, those with a role ahead."""
    layout = params.codes.layout
    main = next(iter(first.values()))
    panels = []
    for objective, run in first.items() if layout.categorical else ():
        mapping = run.record.get("category_to_class", [])
        order = _order(run)
        labels = [
            "-" if mapping[category] == UNMATCHED else data_set.class_names[mapping[category]]
            for category in order
            if mapping
        ]
        title = f"{figures.code_name('c1')} on {figures.objective_name(objective)}"
        panels.append((title, run.grids["c1"][:, order], labels))
    for name in layout.names[1 : len(layout.categorical)]:
        panels.append((figures.code_name(name), main.grids[name], []))
    continuous = layout.names[len(layout.categorical) :]
    played = {continuous[role["code"]]: key for key, role in main.record["roles"].items()}
    values = np.linspace(-params.traverse.limit, params.traverse.limit, params.traverse.columns)
    roles = [*main.record["roles"], None]
    for name in sorted(continuous, key=lambda name: roles.index(played.get(name))):
        role = ""
        if name in played:
            correlation = main.record["metrics"][f"{played[name]}_spearman"]
            shown = ROLE_NAMES[played[name]] if data_set.shows_strokes else played[name]
            role = rf": {shown}, $\rho = {correlation:.2f}$"
        title = f"{figures.code_name(name)} on {figures.objective_name(main.objective)}{role}"
        labels = [f"{value:.1f}".replace("-", "\N{MINUS SIGN}") for value in values]
        panels.append((title, main.grids[name], labels))
    return [
        figures.GridPanel(f"({chr(ord('a') + index)}) {title}", images, labels)
        for index, (title, images, labels) in enumerate(panels)
    ]


def _film_panel(run: Run, params: Params) -> figures.GridPanel:
    """One draw in every category, from left to right the steps after the first hundredth."""
    steps = film_steps(params.num_steps, params.training.film_frames)
    shown = [i for i, step in enumerate(steps) if step >= params.num_steps / 100]
    rows = run.film[shown, 0].swapaxes(0, 1)
    if params.codes.categorical:
        rows = rows[_order(run)]
    labels = [f"{steps[i]:,}" for i in shown]
    title = f"Steps of training: {figures.objective_name(run.objective)}"
    return figures.GridPanel(title, rows, labels)


def category_order(mapping: Sequence[int]) -> list[int]:
    """Categories by the class that they match in `category_to_class`, those without one last."""
    return sorted(range(len(mapping)), key=lambda i: (mapping[i] == UNMATCHED, mapping[i]))


def _order(run: Run) -> list[int]:
    """The order in which a run's categories of c1 are shown; their own, without classes."""
    mapping = run.record.get("category_to_class")
    return category_order(mapping) if mapping else list(range(run.grids["c1"].shape[1]))


def _ordered(run: Run) -> UInt8[np.ndarray, "row column channel height width"]:
    """The grid of c1, its columns in the order of the classes."""
    return run.grids["c1"][:, _order(run)]


def _judge(data_set: DataSet, classifier: dict[str, Any]) -> str:
    """How far the judge of generated images can be trusted."""
    num, floor = classifier["num_test"], classifier["frechet_floor"]
    if data_set.factors:
        scores = [classifier[f"{factor.name}_r2"] for factor in data_set.factors]
        known = ", ".join(
            f"{factor.name} {score:.3f}"
            for factor, score in zip(data_set.factors, scores, strict=True)
        )
        what = f"reads the factors of the {num:,} test images with R2 {known}"
    else:
        what = f"is right on {classifier['accuracy_test']:.2%} of the {num:,} test images"
    return (
        f"The judge of generated images {what}. The Frechet distance of real test to real training "
        f"images, the floor, is {floor:.3f}."
    )


def _seed_metrics(data_set: DataSet) -> tuple[str, ...]:
    """What is shown of every seed; of many factors none."""
    factors = data_set.factors if len(data_set.factors) <= MAX_FACTORS_SHOWN else ()
    keys = ("code_spearman", "spearman", "share")
    own = [f"{factor.name}_{key}" for factor in factors for key in keys]
    return (*SEED_METRICS, *(name for name in own if name not in SEED_METRICS), *FACTOR_METRICS)


def _information_table(runs: list[Run], params: Params) -> Table:
    """A row for each factor, a column for each categorical code of each run."""
    names = params.codes.layout.names[: len(params.codes.categorical)]
    shares = [np.array(run.record["information"]["codes"]) for run in runs]
    header = [f"`{run.objective}-{run.seed}` {name}" for run in runs for name in names]
    rows = [
        (factor, *(f"{value:.3f}" for own in shares for value in own[:, i]))
        for i, factor in enumerate(runs[0].record["information"]["factors"])
    ]
    return Table(("Factor", *header), rows)


def _leakage_table(runs: list[Run], params: Params) -> Table:
    names = params.codes.layout.names[len(params.codes.categorical) :]
    rows = [
        (run.objective, str(run.seed), name, *(f"{value:.2f}" for value in row))
        for run in runs
        for name, row in zip(names, run.record["leakage"]["codes"], strict=True)
    ]
    shapes = runs[0].record["leakage"]["shapes"]
    return Table(("Objective", "Seed", "Code", *shapes), rows)
