"""What the commands share: changed parameters, new processes, pages."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infogan.base.cores import usable_cores
from infogan.base.files import write_file
from infogan.method.runtime import resolve
from infogan.params import Params, load_params
from infogan.report import document as doc
from stages import PARAMS
from stages.preset import put

ALL_CORES = usable_cores()


def changed(params: Params, changes: Mapping[str, Any]) -> Params:
    """The parameters with other values under some dotted names."""
    values = params.model_dump()
    put(values, changes)
    return Params.model_validate(values)


def call(function: str, *given: object, python: str = sys.executable, **environment: str) -> Any:
    """What `module.function` returns for plain values, in a Python of its own."""
    module, _, name = function.rpartition(".")
    code = f"import json, {module} as module; print(json.dumps(module.{name}(*{given!r})))"
    variables = os.environ | environment
    done = subprocess.run([python, "-c", code], env=variables, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"error: {function}: failed; the cause stands above")
    return json.loads(done.stdout.splitlines()[-1])


def options(name: str, about: str | None) -> argparse.ArgumentParser:
    """The command line of `python -m benchmarks.NAME`, with the page to write."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    page = Path(f"docs/measurements/{name}.md")
    parser.add_argument("--out", type=Path, default=page, help=f"page to write ({page})")
    parser.set_defaults(made=f"Made by `python -m benchmarks.{name}`")
    return parser


def write_page(given: argparse.Namespace, title: str, *blocks: doc.Block) -> None:
    """Write what was found, and with what given options on which machine; say where it is."""
    machine = resolve(load_params(PARAMS).runtime).describe()
    made = f"{given.made} on {', '.join(f'{key} {value}' for key, value in machine.items())}."
    write_file(given.out, doc.markdown([f"# {title}", made, *blocks]))
    print(given.out)
