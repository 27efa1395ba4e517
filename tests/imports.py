"""Which of the project's files a module imports, directly or not, read from the source."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("infogan", "stages")
FACE = "infogan/__init__.py"  # imports nothing of the package until a notebook asks it to


def imported_files(module: str) -> set[str]:
    """Paths, relative to the root, of everything `module` runs on import, itself included."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for path in _files(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imports(ROOT / path)
    return found


def is_documentation(path: str) -> bool:
    """Whether a file holds a docstring and nothing that runs."""
    body = ast.parse((ROOT / path).read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def _files(module: str) -> list[str]:
    """The module's file and its packages' `__init__.py`; none for a name inside a module."""
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return []
    paths = [Path(*parts[: i + 1], "__init__.py") for i in range(len(parts))]
    paths.append(Path(*parts).with_suffix(".py"))
    files = [path.as_posix() for path in paths if (ROOT / path).is_file()]
    return [file for file in files if file != FACE]


def _imports(path: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    return modules
