"""Stage `download`: one data set, verified and packed, from the nearest source that has it.

Raw files are looked for, and kept, in data/raw, which belongs to neither Git nor DVC.
"""

import argparse
import os
from pathlib import Path

from infogan.download.packing import prepare
from infogan.params import load_params
from stages import run_stage, stage_parser


def main(args: argparse.Namespace) -> None:
    """Pack the data set that the parameters name."""
    name = load_params(args.params).dataset
    prepare(name, args.raw, args.out, lambda line: print(f"download: {line}", flush=True))


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser("Download, verify and pack a data set.")
    options.add_argument(
        "--out", type=Path, default=Path("data/packed"), help="folder of the packed splits"
    )
    # DVC's copies of the project (queued and temporary runs) share the raw files of the original.
    raw = Path(os.environ.get("DVC_ROOT", ""), "data", "raw")
    options.add_argument("--raw", type=Path, default=raw, help="folder of the raw files")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
