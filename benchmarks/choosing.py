"""Train variants of the default on seeds that are never reported, and measure held-out images.

    python -m benchmarks.choosing train --variants lambda-2,lambda-4 --seeds 100,101 --jobs 2
    python -m benchmarks.choosing page

What `training.held_out_images` holds out is what a variant is measured on, in place of the test
images, which nobody who chooses may see. Their labels are used, for that alone. Each training adds
a line to docs/measurements/choosing.jsonl; what stands there is not run again.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.harness import call, changed, options, write_page
from infogan.base.images import Split
from infogan.base.packed import load_split
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate import distance, effects, generated, sorting
from infogan.evaluate.bounds import bound_scores
from infogan.evaluate.subject import Subject
from infogan.judge.judge import load_judge
from infogan.method.runtime import resolve
from infogan.objectives import OBJECTIVES
from infogan.params import load_params
from infogan.report.claims import Measured
from infogan.report.tables import metrics_table
from infogan.train.loop import train
from stages import PARAMS, run_stage

RECORDS = Path("docs/measurements/choosing.jsonl")

# What is changed in params.yaml.
VARIANTS: dict[str, dict[str, Any]] = {
    "steps": {},  # also measured after 1,000, on seeds 100 and 101 after 3,000 and 5,000
    "lambda-2": {"lambda_cont": 2.0},
    "lambda-4": {"lambda_cont": 4.0},
    "learned-0.1": {"lambda_cont": 0.1, "codes.continuous_std": "learned"},
    "learned-1": {"codes.continuous_std": "learned"},
    "slope-0.1": {"networks.leaky_slope": 0.1},
    "noise-16": {"codes.noise": 16},
    "maps-half": {
        "maps.rotation": 0.175,
        "maps.shear": 0.25,
        "maps.scale": 0.125,
        "maps.shift": 0.075,
        "maps.elastic": 0.05,
    },
}
SHOWN = (
    *("accuracy_matched", "accuracy_generated", "frechet_classifier", "digit_kept"),
    *("bound_cat_nats", "bound_cont_fitted_nats", "slant_spearman", "slant_share"),
    *("width_spearman", "width_share"),
)


def trial(variant: str, seed: int, judge: str) -> dict[str, Any]:
    """Measurements of one training, as a line of the records."""
    params = changed(load_params(PARAMS), VARIANTS[variant])
    num = params.training.held_out_images
    params = changed(params, {"evaluate.num_samples": num})
    data_set, backend = lookup(params.dataset), resolve(params.runtime)
    split = load_split(Path("data/packed"), data_set, "train")
    held_out, rest = (Split(*(part[a:b] for part in split)) for a, b in ((0, num), (num, None)))
    objective = OBJECTIVES["infogan"](params)
    trained = train(split.images, params, objective, seed, backend, lambda step, means: None)
    generator, discriminator = trained.generator.eval(), trained.discriminator.eval()
    instrument = load_judge(Path(judge), params.dataset).to(backend.device)
    networks = (generator, discriminator, instrument)
    subject = Subject(*networks, data_set, params, seed, backend, rest, held_out, lambda what: None)
    rng = random_stream(seed, "choosing")
    metrics = bound_scores(generator, discriminator, params.codes, num, rng)
    for measure in (sorting.measure, generated.measure, effects.measure, distance.measure):
        metrics |= measure(subject).metrics
    return {"variant": variant, "seed": seed, "step": params.num_steps, "metrics": metrics}


def run_missing(given: argparse.Namespace) -> None:
    """Run what is missing of the variants and seeds, and add its lines to the records."""
    num_steps = load_params(PARAMS).num_steps
    done = {(line["variant"], line["seed"]) for line in _records() if line["step"] == num_steps}
    every = product(given.seeds.split(","), given.variants.split(","))
    wanted = [(name, int(seed)) for seed, name in every if (name, int(seed)) not in done]

    def run(variant: str, seed: int) -> None:
        line = call("benchmarks.choosing.trial", variant, seed, given.judge)
        with RECORDS.open("a", encoding="utf-8") as records:
            records.write(json.dumps(line) + "\n")
        print(f"{variant}-{seed} done", flush=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda each: run(*each), wanted))


def page(given: argparse.Namespace) -> None:
    """Write the table of all that was tried."""
    measured: Measured = {}
    for line in _records():
        runs = measured.setdefault(f"{line['variant']}, {line['step']:,} steps", {})
        runs[line["seed"]] = line["metrics"]
    write_page(
        given,
        "What the default was chosen by",
        "Held-out training images stand in for the test images, 5,000 in place of 10,000; seeds "
        "from 100 on, which no report shows; mean ± deviation. Frechet distances "
        "of 5,000 images are larger than the reports', of 10,000.",
        metrics_table(measured, SHOWN),
    )


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
    parser.add_argument("--judge", default="runs/judge/weights.safetensors", help="the judge")
    run_stage(lambda given: {"train": run_missing, "page": page}[given.what](given), parser)
