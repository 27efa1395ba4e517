"""The pipeline's stages: each reads its inputs, calls the package, and writes its outputs."""

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infogan.base.errors import InfoGANError, explain

PARAMS = Path("params.yaml")

# How torch says on a GPU and on the CPU, there for itself and for oneDNN, that memory ran out.
OUT_OF_MEMORY = re.compile(
    r"out of memory|allocate memory|bad_alloc|could not create a primitive|can't start new thread"
)


def _pipeline() -> int:
    """The process that runs the pipeline: the nearest above this one that is not in its stage.

    DVC gives DVC_STAGE to all below itself, such as a shell that stays between; where the system
    does not tell what a process was given, this is the parent.
    """
    process = os.getppid()
    with suppress(OSError):
        while b"\0DVC_STAGE=" in b"\0" + Path(f"/proc/{process}/environ").read_bytes():
            stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
            process = int(stat.rpartition(")")[2].split()[1])
    return process


# Before anything slow is imported: the pipeline may be gone by then.
PIPELINE = _pipeline()


def stage_parser(description: str, **required: str) -> argparse.ArgumentParser:
    """A parser with `--params`, and these options with their help: paths, but for the seed."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=PARAMS, help="parameter file")
    for name, meaning in required.items():
        kind = int if name == "seed" else Path
        parser.add_argument(f"--{name}", type=kind, required=True, help=meaning)
    return parser


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Run a stage from the command line; what a person can cure ends in one line and status 1."""
    args = parser.parse_args()
    if "DVC_STAGE" in os.environ:  # by hand, a stage may outlive the shell that started it
        _end_with_pipeline()
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


def _end_with_pipeline() -> None:
    """Have this process sent SIGTERM once DVC is gone, so that the next run does not meet it.

    By asking every second: what Linux offers, PR_SET_PDEATHSIG, tells of the parent alone, which
    may be a shell, and of the end of the thread that started this rather than of its process.
    """

    def watch() -> None:
        while _pipeline() == PIPELINE:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    with suppress(RuntimeError):  # no memory for a thread
        threading.Thread(target=watch, daemon=True).start()


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
