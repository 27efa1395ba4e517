"""Train variants of the default on seeds that are never reported, and measure held-out images.

    python -m benchmarks.choosing train --variants lambda-2,lambda-4 --seeds 100,101 --jobs 2
    python -m benchmarks.choosing page

The first 5,000 training images are held out: what a variant is measured on, in place of the test
images, which nobody who chooses may see. Their labels are used, for that alone. Each training adds
a line per number of steps to docs/measurements/choosing.jsonl; what stands there is not run again.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.harness import Training, call, changed, command, options, write_page
from infogan.base.images import Split
from infogan.base.packed import load_split
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate import distance, effects, generated, sorting
from infogan.evaluate.bounds import bound_scores
from infogan.evaluate.subject import Subject
from infogan.judge.judge import load_judge
from infogan.params import load_params
from infogan.report import document as doc
from stages import run_stage

HELD_OUT = 5_000
RECORDS = Path("docs/measurements/choosing.jsonl")

# What is changed in params.yaml, and after how many steps it is measured, the last ends it.
VARIANTS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "steps": ({}, [1000, 2000]),  # on seeds 100 and 101 it went on to 3,000 and 5,000
    "lambda-2": ({"lambda_cont": 2.0}, [2000]),
    "lambda-4": ({"lambda_cont": 4.0}, [2000]),
    "learned-0.1": ({"lambda_cont": 0.1, "codes.continuous_std": "learned"}, [2000]),
    "learned-1": ({"codes.continuous_std": "learned"}, [2000]),
    "slope-0.1": ({"networks.leaky_slope": 0.1}, [2000]),
    "noise-16": ({"codes.noise": 16}, [2000]),
    "maps-half": (
        {
            "maps.rotation": 0.175,
            "maps.shear": 0.25,
            "maps.scale": 0.125,
            "maps.shift": 0.075,
            "maps.elastic": 0.05,
        },
        [2000],
    ),
}
COLUMNS = {
    "accuracy_matched": "accuracy",
    "accuracy_generated": "... generated",
    "frechet_classifier": "Frechet",
    "digit_kept": "digit kept",
    "bound_cat_nats": "bound, c1",
    "bound_cont_fitted_nats": "bound, c2 c3",
    "slant_spearman": "slant rho",
    "slant_share": "share",
    "width_spearman": "width rho",
    "width_share": "share",
}


def trial(variant: str, seed: int, data: str, judge: str) -> list[dict[str, Any]]:
    """Measurements of one training, after each of the variant's numbers of steps."""
    changes, steps = VARIANTS[variant]
    params = load_params("params.yaml")
    params = changed(params, {"evaluate.num_samples": HELD_OUT, "num_steps": steps[-1]} | changes)
    data_set = lookup(params.dataset)
    split = load_split(Path(data), data_set, "train")
    held_out, rest = (
        Split(*(part[a:b] for part in split)) for a, b in ((0, HELD_OUT), (HELD_OUT, None))
    )
    training, found = Training(params, rest.images, seed), []
    instrument = load_judge(Path(judge), params.dataset).to(training.backend.device)
    for step in range(1, steps[-1] + 1):
        training.step()
        if step not in steps:
            continue
        players = training.players
        generator = players.generator_weights.portrait().eval()
        discriminator = players.discriminator_weights.portrait().eval()
        trained = (generator, discriminator, instrument, data_set, params, seed, training.backend)
        subject = Subject(*trained, rest, held_out, lambda what: None)
        rng = random_stream(seed, "choosing")
        metrics = bound_scores(generator, discriminator, params.codes, HELD_OUT, rng)
        for measure in (sorting.measure, generated.measure, effects.measure, distance.measure):
            metrics |= measure(subject).metrics
        found.append({"variant": variant, "seed": seed, "step": step, "metrics": metrics})
    return found


def train(given: argparse.Namespace) -> None:
    """Run what is missing of the variants and seeds, and add its lines to the records."""
    done = {(line["variant"], line["seed"]) for line in _records()}
    every = product(given.seeds.split(","), given.variants.split(","))
    wanted = [(name, int(seed)) for seed, name in every if (name, int(seed)) not in done]

    def run(variant: str, seed: int) -> None:
        lines = call(command("benchmarks.choosing.trial", variant, seed, given.data, given.judge))
        with RECORDS.open("a", encoding="utf-8") as records:
            records.writelines(json.dumps(line) + "\n" for line in lines)
        print(f"{variant}-{seed} done", flush=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda each: run(*each), wanted))


def page(given: argparse.Namespace) -> None:
    """Write the table of all that was tried."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for line in _records():
        groups.setdefault((line["variant"], line["step"]), []).append(line["metrics"])
    rows = [
        (f"{variant}, {step:,} steps", f"{len(runs)}", *(_spread(runs, key) for key in COLUMNS))
        for (variant, step), runs in groups.items()
    ]
    write_page(
        given,
        "What the default was chosen by",
        "Held-out training images; seeds from 100 on, which no report shows; mean ± deviation.",
        doc.Table(("Variant", "n", *COLUMNS.values()), rows),
    )


def _spread(metrics: list[dict[str, float]], key: str) -> str:
    values = [each[key] for each in metrics if key in each]
    if not values:
        return "-"
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def _records() -> list[dict[str, Any]]:
    if not RECORDS.exists():
        return []
    return [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    parser = options("choosing", __doc__)
    parser.add_argument("what", choices=("train", "page"))
    parser.add_argument("--variants", default="steps", help="which, with commas between")
    parser.add_argument("--seeds", default="100,101,102,103,104", help="with commas between")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side (1)")
    parser.add_argument("--data", default="data/packed", help="packed data set")
    parser.add_argument("--judge", default="runs/judge/weights.safetensors", help="the judge")
    run_stage(lambda given: {"train": train, "page": page}[given.what](given), parser)
