"""Stage `explore`: one web page in which the trained generator runs and its codes can be turned."""

import argparse
import json
from typing import Any

from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.evaluate.record import ROLE_NAMES, UNMATCHED
from infogan.explore.page import page_facts, write_page
from infogan.method.codes import sample
from infogan.method.weights import load_weights
from infogan.params import load_params
from stages import run_stage, stage_parser

NUM_NOISE_SAMPLES = 8


def main(args: argparse.Namespace) -> None:
    """Write the page."""
    params = load_params(args.params)
    data_set = lookup(params.dataset)
    layout = params.codes
    generator, discriminator = load_weights(args.weights, params)
    record = json.loads(args.measurements.read_text(encoding="utf-8"))
    rng = random_stream(args.seed, "explore")
    noise = sample(layout, NUM_NOISE_SAMPLES, rng)[:, layout.noise_slice]
    continuous = layout.names[len(layout.categorical) :]
    roles = {
        continuous[role["code"]]: f"{ROLE_NAMES[name] if data_set.shows_strokes else name} "
        f"(rank correlation {record['metrics'][f'{name}_spearman']:.2f})"
        for name, role in record["roles"].items()
    }
    facts = page_facts(
        layout,
        data_set.image_shape,
        data_set.value_range,
        noise,
        title=f"InfoGAN on {params.dataset}: what its codes mean",
        categories=named_categories(record, data_set.class_names),
        roles=roles,
        limit=params.traverse.limit,
        measures_digits=data_set.shows_strokes,
    )
    write_page(args.out, generator, discriminator, facts, small=args.small)
    print(f"explore: {args.out}, {args.out.stat().st_size / 1e6:.1f} MB; open it in a browser")


def named_categories(record: dict[str, Any], class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Label and purity of each category of c1: its matched class, and that class's share in it."""
    if "contingency" not in record:
        return []
    named = []
    for counts, matched in zip(record["contingency"], record["category_to_class"], strict=True):
        label = "-" if matched == UNMATCHED else class_names[matched]
        purity = 0.0 if matched == UNMATCHED else counts[matched] / max(sum(counts), 1)
        named.append({"label": label, "purity": round(purity, 4)})
    return named


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
