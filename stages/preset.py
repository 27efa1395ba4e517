"""Make an experiment of presets/ the project: `python -m stages.preset NAME` writes params.yaml.

The preset's values, with their comments, take the place of those in params.yaml as it lies; `git
restore params.yaml` goes back. With `--flags` nothing is written: `dvc exp run $(python -m
stages.preset NAME --flags)` runs the preset as an experiment.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infogan.base.errors import InfoGANError, end_in_one_line
from infogan.base.files import write_file
from infogan.params import Params, load_params, parse_params
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
    if args.flags:
        print(*flags(differing(load_params(PARAMS), load_params(PARAMS, preset))))
        return
    write_file(PARAMS, written(PARAMS, preset))
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


def flags(values: dict[str, Any]) -> list[str]:
    """Values by dotted name as options of `dvc exp run`, none of them with a blank."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for name, value in values.items()
    }
    return [word for name, text in texts.items() for word in ("-S", f"{name}={text}")]


def written(params: Path, preset: Path) -> str:
    """The text of a params.yaml with the lines of a preset in place of its own.

    Raises InfoGANError where sections do not stand in lines of their own, as DVC leaves them.
    """
    expected = load_params(params, preset)
    lines, changes = (path.read_text(encoding="utf-8").split("\n") for path in (params, preset))
    theirs = dict(_blocks(changes))
    for name, own in reversed(list(_blocks(lines))):
        if name in theirs:
            lines[own] = changes[theirs[name]]
    text = "\n".join(lines)
    try:
        whole = parse_params(text, str(params)) == expected
    except InfoGANError:
        whole = False
    if not whole:
        raise InfoGANError(f"{params}: expected one line per value; git restore it, and run again")
    return text


def _blocks(lines: list[str]) -> Iterator[tuple[str, slice]]:
    """Each value's dotted name and its lines: the comment right above, the key, the value."""

    def visit(section: Any, prefix: str) -> Iterator[tuple[str, slice]]:
        for key, value in section.value:
            name = f"{prefix}{key.value}"
            if isinstance(value, yaml.MappingNode):
                yield from visit(value, f"{name}.")
                continue
            start, comment = key.start_mark.line, " " * key.start_mark.column + "#"
            while start and lines[start - 1].startswith(comment):
                start -= 1
            # A list in lines of its own ends, for PyYAML, only where the next key begins.
            parts = value.value if isinstance(value, yaml.SequenceNode) else []
            last = parts[-1] if parts else value
            yield name, slice(start, max(key.end_mark.line, last.end_mark.line) + 1)

    yield from visit(yaml.compose("\n".join(lines), yaml.SafeLoader), "")


if __name__ == "__main__":
    end_in_one_line(main)
