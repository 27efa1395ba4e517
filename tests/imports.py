"""Which of the project's files a module imports, directly or not, read from the source."""

import ast
from modulefinder import ModuleFinder
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported_files(module: str) -> set[str]:
    """Paths, relative to the root, of everything `module` runs on import, itself included."""
    # The package's face imports nothing of the package until a notebook asks it to.
    finder = ModuleFinder([str(ROOT)], excludes=["infogan.trained"])
    finder.import_hook(module)
    files = [Path(found.__file__) for found in finder.modules.values() if found.__file__]
    return {file.relative_to(ROOT).as_posix() for file in files} - {"infogan/__init__.py"}


def is_documentation(path: str) -> bool:
    """Whether a file holds a docstring and nothing that runs."""
    body = ast.parse((ROOT / path).read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)
