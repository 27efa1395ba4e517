"""The face of the package: its reading order, and the names that it has for notebooks."""

import ast
import os
import subprocess
import sys

import pytest

import infogan
from tests.imports import ROOT


def test_importing_the_package_loads_none_of_its_modules_and_no_library(tmp_path):
    code = """
import infogan, sys
loaded = {name for name in sys.modules if name.startswith("infogan.")}
print(loaded | {"numpy", "torch"} & set(sys.modules))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    printed = subprocess.check_output(command, env=environment, cwd=tmp_path, text=True)
    assert printed == "set()\n"


def test_the_face_lists_its_names_and_has_no_others():
    assert {"load", "picture", "TrainedRun", "Reading"} <= set(dir(infogan))
    assert infogan.load.__module__ == "infogan.trained"
    with pytest.raises(AttributeError, match="'infogan' has no attribute 'lode'"):
        infogan.lode  # noqa: B018


def test_the_reading_order_names_every_part_and_imports_point_backwards():
    lines = [line.split() for line in infogan.__doc__.splitlines() if line.startswith("    ")]
    order = [f"infogan.{words[0]}" for words in lines]
    assert len(set(order)) == len(order)

    def place(module: str) -> int | None:
        """Where a module or its folder stands."""
        found = [part for part in order if f"{module}.".startswith(f"{part}.")]
        return order.index(found[0]) if found else None

    folders = {part.rpartition(".")[0] for part in order} - {"infogan"}
    for path in (ROOT / "infogan").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        own = place(module)
        known = own is not None or folders & {module, module.rpartition(".")[0]}
        assert known or module == "infogan", module
        for node in ast.walk(ast.parse(path.read_text())):
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                imported = place(f"{node.module}.{alias.name}")
                assert None in (own, imported) or imported <= own, (module, node.module)
