"""The pipeline's stages: each reads its inputs, calls the package, and writes its outputs."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from infogan.base.errors import InfoGANError, explain

PARAMS = Path("params.yaml")

# How torch says on a GPU and on the CPU, there for itself and for oneDNN, that memory ran out.
OUT_OF_MEMORY = re.compile(r"out of memory|allocate memory|bad_alloc|could not create a primitive")


def stage_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the option that all stages share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=PARAMS, help="parameter file")
    return parser


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Run a stage from the command line; what a person can cure ends in one line and status 1."""
    args = parser.parse_args()
    try:
        main(args)
    except (InfoGANError, OSError, MemoryError, RuntimeError) as error:
        message = _in_one_line(error, args.out)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _in_one_line(error: Exception, out: Path) -> str | None:
    """What is wrong, where, and what to do; None for a mistake of ours."""
    if isinstance(error, InfoGANError):
        return str(error)
    if isinstance(error, OSError):
        return explain(error, error.filename or out)
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
        return (
            f"{out}: not enough memory ({str(error).strip().partition(chr(10))[0][:200]}); end "
            "other programs, or lower sizes such as training.batch_size, networks.width or "
            "evaluate.num_samples, and run again"
        )
    return None
