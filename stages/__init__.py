"""The pipeline's stages: each reads its inputs, calls the package, and writes its outputs."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from infogan.errors import InfoGANError

PARAMS = Path("params.yaml")


def stage_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the option that all stages share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=PARAMS, help="parameter file")
    return parser


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Run a stage from the command line; what a person can cure ends in one line and status 1."""
    try:
        main(parser.parse_args())
    except InfoGANError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
