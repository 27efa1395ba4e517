"""Stage `objectives`: check all parameters, and write what each objective trains, one file each.

Training depends on its own objective's file, so that a new lambda leaves the control's runs alone.
All stages come after this one, through the file `checked` beside them, which never changes: no
value of params.yaml becomes part of a command, or of a path that DVC cleans, before that.
"""

import argparse
from pathlib import Path

from infogan.base.files import write_file
from infogan.objectives import OBJECTIVES, check_objectives
from infogan.params import load_params
from infogan.train.objective import save_objective
from stages import run_stage, stage_parser


def main(args: argparse.Namespace) -> None:
    """Check, then write `<objective>.json` for every objective there is."""
    params = load_params(args.params)
    check_objectives(params, args.params)
    if args.check:
        return
    for name, resolve in OBJECTIVES.items():
        save_objective(args.out / f"{name}.json", resolve(params))
    write_file(args.out.with_name("checked"), "params.yaml is complete and consistent\n")


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    options = stage_parser("Write what each objective trains.")
    options.add_argument("--out", type=Path, default=Path("runs/objectives"), help="output folder")
    options.add_argument("--check", action="store_true", help="check the parameters and end")
    return options


if __name__ == "__main__":
    run_stage(main, parser())
