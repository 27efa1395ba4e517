"""Make an experiment of presets/ the project: `python -m stages.preset NAME` writes params.yaml.

The preset's values take the place of those in params.yaml as it lies, all other lines stay; `git
restore params.yaml` goes back. With `--flags` nothing is written: `dvc exp run $(python -m
stages.preset NAME --flags)` runs the preset as an experiment.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infogan.base.errors import InfoGANError, end_in_one_line
from infogan.base.files import whole_file
from infogan.params import Params, load_params
from stages import PARAMS

PRESETS = Path("presets")


def main() -> None:
    """Write params.yaml, or print the options that change it."""
    parser = argparse.ArgumentParser(prog="python -m stages.preset", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="file in presets/, without .yaml")
    parser.add_argument("--flags", action="store_true", help="print options of `dvc exp run`")
    args = parser.parse_args()
    names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    if args.name not in names:
        raise InfoGANError(f"preset {args.name!r}: expected one of {', '.join(names)}")
    preset = PRESETS / f"{args.name}.yaml"
    changes = differing(load_params(PARAMS), load_params(PARAMS, preset))
    if args.flags:
        print(*flags(changes))
        return
    from dvc.utils.hydra import apply_overrides  # which flags and this module's users do not need

    with whole_file(PARAMS) as temporary:
        shutil.copyfile(PARAMS, temporary)
        apply_overrides(str(temporary), assignments(changes))  # as `dvc exp run` does
    print(f"preset: {PARAMS} is {args.name}'s; git restore {PARAMS} goes back")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        result |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return result


def put(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set values by dotted name, the reverse of `flat`, in sections that are there."""
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[name] = value


def differing(before: Params, after: Params) -> dict[str, Any]:
    """The parameters of `after`, by dotted name, that `before` has otherwise."""
    old, new = (flat(params.model_dump(mode="json")) for params in (before, after))
    return {name: value for name, value in new.items() if old[name] != value}


def assignments(values: dict[str, Any]) -> list[str]:
    """Values by dotted name as DVC takes them, `name=value`, none of them with a blank."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for name, value in values.items()
    }
    return [f"{name}={text}" for name, text in texts.items()]


def flags(values: dict[str, Any]) -> list[str]:
    """Values by dotted name as options of `dvc exp run`."""
    return [word for text in assignments(values) for word in ("-S", text)]


if __name__ == "__main__":
    end_in_one_line(main)
