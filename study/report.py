"""The study's report: claims by recipe, ablations, every seed, and figures with all seeds."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from infogan.base.errors import InfoGANError
from infogan.datasets import lookup
from infogan.evaluate.record import ROLE_NAMES
from infogan.report import figures, tables
from infogan.report.claims import CLAIMS, Measured, Metrics
from infogan.report.document import Block, Table, markdown
from study.experiments import Recipe
from study.records import Record

HEADLINE = (
    *("accuracy_matched", "nmi", "ari", "accuracy_generated", "bound_cat_training_nats"),
    *("bound_cat_nats", "bound_cat_refit_nats", "bound_cont_refit_nats"),
    *("slant_spearman", "slant_spearman_extrapolated"),
    *("slant_share", "slant_share_together", "slant_change"),
    *("width_spearman", "width_spearman_extrapolated"),
    *("width_share", "width_share_together", "width_change"),
    *("digit_kept", "digit_kept_extrapolated", "beyond_affine", "frechet_classifier"),
    *("bound_cat_settling_step", "generator_loss_settling_step", "settling_ratio"),
)
# The README's table: what is claimed, the paper's value, the metric.
README_ROWS = (
    ("c1 classifies digits, matched one-to-one", "0.95", "accuracy_matched"),
    ("L_I of c1 reaches ln 10 = 2.30 nats", "2.28; GAN: 0.05", "bound_cat_training_nats"),
    ("changing c1 changes the digit", "by eye", "accuracy_generated"),
    ("a continuous code turns the digit", "by eye", "slant_spearman"),
    ("... by this share of the slant within a digit", "by eye", "slant_share"),
    ("... and both continuous codes together by this share", "-", "slant_share_together"),
    ("a continuous code widens the digit", "by eye", "width_spearman"),
    ("... by this share of the width within a digit", "by eye", "width_share"),
    ("... and both continuous codes together by this share", "-", "width_share_together"),
    ("Frechet distance to real images", "-", "frechet_classifier"),
)
README_MARKS = ("<!-- Made by `python -m study report`: -->", "<!-- until here. -->")
ABLATION_METRICS = (
    *("accuracy_matched", "accuracy_generated", "bound_cat_nats"),
    *("slant_spearman", "slant_share", "width_spearman", "width_share", "frechet_classifier"),
)
DATA_METRICS = (
    *("accuracy_matched", "accuracy_majority", "nmi", "ari", "accuracy_generated"),
    *("bound_cat_nats", "frechet_classifier"),
)
CURVE_METRICS = ("bound_cat_training_nats", "bound_cat_settling_step", "bound_cat_nats")
FACTOR_METRICS = (
    *("mig", "factor_vae", "dci_disentanglement", "dci_completeness"),
    *("bound_cont_refit_nats", "frechet_classifier"),
)
REPEATED_METRICS = (
    *("accuracy_matched", "accuracy_generated", "bound_cat_nats"),
    *("slant_share", "slant_share_together", "width_share", "width_share_together"),
    *("digit_kept", "frechet_classifier"),
)
# What tables add where a run was computed on that kind of device.
DEVICES = {"cpu": "", "cuda": ", GPU"}
SEED_METRICS = (
    *("accuracy_matched", "accuracy_majority", "nmi", "ari", "accuracy_generated"),
    *("bound_cat_nats", "slant_spearman", "slant_share", "width_spearman", "width_share"),
    *("digit_kept", "frechet_classifier"),
)


def document(
    records: list[Record],
    recipes: dict[str, Recipe],
    pictures: list[str],
    again: Sequence[Record] = (),
) -> str:
    """study.md; `again` are runs of recipes and seeds that are among the records, elsewhere."""
    by_recipe = metrics_by_recipe(records, recipes)

    def of(part: str) -> Measured:
        return {name: runs for name, runs in by_recipe.items() if recipes[name].part == part}

    def rows(measured: Measured, metrics: Sequence[str]) -> Table:
        entries = [(recipes[name].about, runs) for name, runs in measured.items()]
        return _means("Recipe", entries, metrics)

    objectives = {name: recipe.objective for name, recipe in recipes.items()}
    measured = of("main")
    parts: list[Block] = [
        "# The replication study",
        "Every number is the mean over seeds ± the standard deviation over them, n seeds, on the "
        "10,000 test images of MNIST. Nothing is fitted on them; what chose the default is told in "
        "[deviations.md](deviations.md). Made by `make study`; each run's parameters, and the "
        "digests of its code, data and weights, are in `study/<recipe>-<seed>/record.json`.",
        "## Recipes",
        Table(
            ("Recipe", "What it is", "Seeds"),
            [
                (f"`{name}`", recipe.about, ", ".join(map(str, by_recipe.get(name, {}))))
                for part in ("main", "beyond", "curves")
                for name, recipe in recipes.items()
                if recipe.part == part
            ],
        ),
        "## The paper's claims",
        "A verdict counts the seeds for which the rule holds; none is left out but one whose "
        "images are nothing like the data, by the report's warning.",
        tables.claims_by_recipe(measured, objectives, "mnist", _floor(records, "mnist")),
        "## All quantities",
        tables.metrics_table(measured, HEADLINE),
    ]
    parts += _continuous([r for name in measured for r in records if r.recipe == name], measured)
    if curves := of("curves"):
        parts += [
            "## Fig. 1: c ~ Cat(10) alone",
            "As the paper made it, without continuous codes; its curve ends at 2.28 nats for "
            "InfoGAN and 0.05 for the regular GAN.",
            rows(curves, CURVE_METRICS),
        ]
    if beyond := of("beyond"):
        parts += [
            "## What real images or labels add",
            "Not InfoGAN: each is told of real images what InfoGAN is not. With the default.",
            rows(_unchanged(by_recipe, recipes, None) | beyond, ABLATION_METRICS),
        ]
    if data := of("data"):
        parts += ["## Other data sets, our default", rows(data, DATA_METRICS)]
    others = of("factors")
    datasets = {record.recipe: record.dataset for record in records}
    for dataset in dict.fromkeys(datasets[name] for name in others):
        own = {name: runs for name, runs in others.items() if datasets[name] == dataset}
        parts += _other_experiments(dataset, own, recipes, _floor(records, dataset))
    if of("ablation"):
        parts += [
            "## Ablations",
            "One thing changed, below the recipe that it changes, on the same seeds and the same "
            "kind of device.",
            _ablations(records, again, recipes),
        ]
    if again:
        parts += [
            "## The same seeds on another device",
            "Below each recipe the same seeds on a device of the other kind, in "
            "`study/again/<recipe>-<seed>`: other random latents, and other rounding. No other "
            "table counts them.",
            _repeats(records, again, recipes),
        ]
    sorting = {name: runs for name, runs in by_recipe.items() if name not in others}
    parts += [
        "## Every seed",
        _every_seed(sorting, SEED_METRICS),
        "## Figures",
        "Every seed of a recipe: c1 from left to right in the order of the classes; for the other "
        "experiments two rows for each factor, in the tables' order, whose code goes from its low "
        "to its high end.",
        *(f"![{name}](study/{name}.png)" for name in pictures),
        "## Machines",
        *_machines([*records, *again], recipes),
    ]
    return markdown(parts)


def readme_with_table(text: str, records: list[Record], recipes: dict[str, Recipe]) -> str:
    """The README with its table of the main recipes made anew."""
    begin, end = README_MARKS
    if text.count(begin) != 1 or text.count(end) != 1 or text.find(begin) > text.find(end):
        raise InfoGANError(
            f"README.md: expected the line {begin}, once, and after it {end}, once; restore them"
        )
    main = {name: recipe for name, recipe in recipes.items() if recipe.part == "main"}
    measured = metrics_by_recipe(records, main)
    rows = [
        (claim, f"`{metric}`", paper, *tables.spreads(measured, metric).values())
        for claim, paper, metric in README_ROWS
    ]
    header = ("Claim of the paper", "Metric", "Paper", *(f"`{name}`" for name in measured))
    before, after = text.split(begin)[0], text.split(end)[1]
    return f"{before}{begin}\n{markdown([Table(header, rows)])}{end}{after}"


def metrics_by_recipe(records: Sequence[Record], recipes: dict[str, Recipe]) -> Measured:
    """Metrics by recipe and seed, in the recipes' order; only recipes with a record."""
    found = {name: {r.seed: r.metrics for r in records if r.recipe == name} for name in recipes}
    return {name: runs for name, runs in found.items() if runs}


def draw(records: list[Record], recipes: dict[str, Recipe]) -> dict[str, Figure]:
    """Fig. 1 of the paper with all seeds, and every seed of each recipe that is no ablation.

    Fig. 1 is drawn of the recipes without continuous codes, as the paper made it.
    """
    curves, pictures = [], {}
    for name, recipe in recipes.items():
        own = [record for record in records if record.recipe == name]
        if recipe.part == "ablation" or not own:
            continue
        if recipe.part == "curves":
            curves += [r.curves.assign(objective=recipe.objective, seed=r.seed) for r in own]
        pictures[f"seeds_{name}"] = figures.seeds_figure(
            {r.seed: np.asarray(Image.open(r.picture)) for r in own},
            {r.seed: r.metrics["accuracy_matched"] for r in own if "accuracy_matched" in r.metrics},
        )
    if curves:
        first = figures.mutual_information_figure(pd.concat(curves), math.log(10))
        pictures = {"figure_1": first, **pictures}
    return pictures


def table(records: list[Record]) -> pd.DataFrame:
    """Every metric of every run, a row each."""
    return pd.DataFrame(
        [{"recipe": r.recipe, "seed": r.seed, **r.metrics} for r in records]
    ).set_index(["recipe", "seed"])


def _ablations(records: list[Record], again: Sequence[Record], recipes: dict[str, Recipe]) -> Table:
    """Those of one recipe on the same seeds stand together, below that recipe on these seeds.

    A recipe that was computed on both kinds of device is there once for each.
    """
    ablations = {name: recipe for name, recipe in recipes.items() if recipe.part == "ablation"}
    groups: dict[tuple[str, Path | None, tuple[int, ...]], Measured] = {}
    for device in DEVICES:
        here = [record for record in records if record.device == device]
        for name, runs in metrics_by_recipe(here, ablations).items():
            groups.setdefault((device, recipes[name].preset, tuple(runs)), {})[name] = runs
    entries = []
    for (device, preset, seeds), changed in groups.items():
        here = [r for r in (*records, *again) if r.device == device and r.seed in seeds]
        unchanged = _unchanged(metrics_by_recipe(here, recipes), recipes, preset)
        entries += [
            (f"{recipes[name].about}{DEVICES[device]}", runs)
            for name, runs in (unchanged | changed).items()
        ]
    return _means("What is changed", entries, ABLATION_METRICS)


def _repeats(records: list[Record], again: Sequence[Record], recipes: dict[str, Recipe]) -> Table:
    """Each recipe's runs that were made again, above those that they are set against."""
    entries = []
    for name, repeated in metrics_by_recipe(again, recipes).items():
        first = [r for r in records if r.recipe == name and r.seed in repeated]
        for runs in (first, [r for r in again if r.recipe == name]):
            for device, label in DEVICES.items():
                own = {r.seed: r.metrics for r in runs if r.device == device}
                if own:
                    entries.append((f"`{name}`{label or ', CPU'}", own))
    return _means("Recipe", entries, REPEATED_METRICS)


def _unchanged(by_recipe: Measured, recipes: dict[str, Recipe], preset: Path | None) -> Measured:
    """The main recipe that is this preset, or params.yaml, as it stands; empty if not measured."""
    return {
        name: runs
        for name, runs in by_recipe.items()
        if recipes[name].part == "main"
        and (recipes[name].preset, recipes[name].set) == (preset, {})
        and recipes[name].objective == "infogan"
    }


def _means(
    first: str, entries: list[tuple[str, dict[int, Metrics]]], metrics: Sequence[str]
) -> Table:
    """A row for each entry: what was run, with which seeds, and each metric over them."""
    rows = [
        (about, ", ".join(map(str, runs)), *(tables.spread(runs, key) for key in metrics))
        for about, runs in entries
    ]
    return Table((first, "Seeds", *(f"`{key}`" for key in metrics)), rows)


def _continuous(records: list[Record], measured: Measured) -> list[Block]:
    """What each code, and all together, do to the shapes of digits; a column for each shape."""
    moved: dict[tuple[str, str], dict[int, Metrics]] = {}
    for record in records:
        own = record.contents["measurements"]
        for role, of in own["roles"].items():
            correlations = map(abs, own["leakage"]["codes"][of["code"]])
            shapes = dict(zip(own["leakage"]["shapes"], correlations, strict=True))
            moved.setdefault((record.recipe, role), {})[record.seed] = shapes
    if not moved:
        return []
    steadily = [
        (f"`{recipe}`", ROLE_NAMES[role], *(tables.spread(runs, shape) for shape in shapes))
        for (recipe, role), runs in moved.items()
    ]
    by_much = [
        (f"`{name}`", *(tables.spread(runs, f"{shape}_share_together") for shape in shapes))
        for name, runs in measured.items()
    ]
    return [
        "## What the continuous codes do",
        "How steadily a code moves each shape of the digit: its rank correlation with it along "
        "traversals, without the sign. One code of each run is taken for rotation, the other for "
        "width, so that both together correlate most.",
        Table(("Recipe", "Code for", *shapes), steadily),
        "How much both decide together, whichever does it: of the variance of a shape among "
        "images of one category and digit, the share that goes where both codes are the same.",
        Table(("Recipe", *shapes), by_much),
    ]


def _other_experiments(
    dataset: str, measured: Measured, recipes: dict[str, Recipe], floor: float
) -> list[Block]:
    """The paper's claims on data whose factors are known, and every run."""
    stands_in_for = lookup(dataset).stands_in_for
    objectives = {name: recipes[name].objective for name in measured}
    about = "; ".join(f"`{name}`: {recipes[name].about}" for name in measured)
    keys = [claim.metric for claim in CLAIMS if dataset in claim.data]
    stand_in = f", in place of {stands_in_for}" if stands_in_for else ""
    return [
        f"## Other experiments: `{dataset}`{stand_in}",
        f"{about}. These images are rendered here with known factors and are not the paper's. The "
        "paper shows the run nearest to earlier results out of five; here is every run.",
        tables.claims_by_recipe(measured, objectives, dataset, floor),
        _every_seed(measured, (*keys, *FACTOR_METRICS)),
    ]


def _every_seed(measured: Measured, keys: Sequence[str]) -> Table:
    return tables.seeds_table("Recipe", {f"`{name}`": r for name, r in measured.items()}, keys)


def _floor(records: list[Record], dataset: str) -> float:
    """The Frechet distance of real to other real images by the judge of a data set's records."""
    own = [record for record in records if record.dataset == dataset]
    return max((record.contents["judge"]["frechet_floor"] for record in own), default=0.0)


def _machines(records: list[Record], recipes: dict[str, Recipe]) -> list[Block]:
    """What each run was computed on: the same seed is another run on another processor."""
    groups: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for record in records:
        values = tuple(map(str, record.contents["environment"].values()))
        runs = groups.setdefault(values, {name: [] for name in recipes})
        runs.setdefault(record.recipe, []).append(str(record.seed))
    rows = [
        (*values, "; ".join(f"`{name}` {', '.join(own)}" for name, own in runs.items() if own))
        for values, runs in groups.items()
    ]
    return [
        "The same seed on another processor rounds otherwise and is another run.",
        Table((*records[0].contents["environment"], "runs and seeds"), rows),
    ]
