"""Stage `explore`: one web page in which the trained generator runs and its codes can be turned."""

import argparse
import json

from infogan.base.randomness import random_stream
from infogan.explore.page import page_facts, write_page
from infogan.method.codes import sample
from infogan.method.weights import load_weights
from infogan.params import load_params
from stages import run_stage, stage_parser

NUM_NOISE_SAMPLES = 8


def main(args: argparse.Namespace) -> None:
    """Write the page."""
    params = load_params(args.params)
    record = json.loads(args.measurements.read_text(encoding="utf-8"))
    rng = random_stream(args.seed, "explore")
    noise = sample(params.codes, NUM_NOISE_SAMPLES, rng)[:, params.codes.noise_slice]
    facts, networks = page_facts(params, noise, record), load_weights(args.weights, params)
    write_page(args.out, *networks, facts, small=args.small)
    print(f"explore: {args.out}, {args.out.stat().st_size / 1e6:.1f} MB; open it in a browser")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser(
        "Write the explorer.",
        weights="weights of the train stage",
        measurements="measurements.json of the evaluate stage",
        seed="seed of the run",
        out="the page: reports/explorer.html",
    )
    options.add_argument("--small", action="store_true", help="without Q, and in fewer bits")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
