"""Stage `traverse`: grids of images that vary one code, and random samples, of one trained run."""

import argparse
import io

import torch
from PIL import Image

from infogan.base.files import save_array, write_file
from infogan.base.images import unscale
from infogan.base.randomness import random_stream
from infogan.datasets import lookup
from infogan.method.codes import sample
from infogan.method.runtime import resolve
from infogan.method.traversal import code_traversals, generate
from infogan.method.weights import load_weights
from infogan.params import load_params
from infogan.report.grids import grid_image
from stages import run_stage, stage_parser


def main(args: argparse.Namespace) -> None:
    """Write one uint8 array [row, column, channel, height, width] and one PNG per grid."""
    params = load_params(args.params)
    codes, traverse = params.codes, params.traverse
    backend = resolve(params.runtime)
    generator, _ = load_weights(args.weights, params)
    generator.to(backend.device)

    # The CPU draws the latents, so that a run shows the same ones wherever it was trained.
    rng = random_stream(args.seed, "traversal")
    values = torch.linspace(-traverse.limit, traverse.limit, traverse.columns)
    grids = code_traversals(codes, values, traverse.rows, rng)
    samples = sample(codes, 100, rng).unflatten(0, (10, 10))

    value_range = lookup(params.dataset).value_range
    for name, latents in {**grids, "samples": samples}.items():
        images = unscale(generate(generator, latents), value_range).numpy()
        save_array(args.out / f"{name}.npy", images)
        picture = io.BytesIO()
        Image.fromarray(grid_image(images)).save(picture, format="png")
        write_file(args.out / f"{name}.png", picture.getvalue())
        print(f"traverse {args.out.name}  {name}  {' x '.join(map(str, images.shape[:2]))} images")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    return stage_parser(
        "Draw grids that vary one code.",
        weights="weights of the train stage",
        seed="seed of the run",
        out="folder of arrays and pictures",
    )


if __name__ == "__main__":
    run_stage(main, parser())
