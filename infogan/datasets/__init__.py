"""The data sets: one file each, with its entry `DATA_SET` and its factors, if it has any.

Another file in this folder is another data set; no list has to be kept, and looking one up loads
its own file alone.
"""

from importlib import import_module
from pkgutil import iter_modules

from infogan.base.dataset import DataSet
from infogan.base.errors import InfoGANError


def names() -> list[str]:
    """The names of all data sets, in alphabetical order."""
    return sorted(module.name for module in iter_modules(__path__))


def lookup(name: str) -> DataSet:
    """The data set of that name; an InfoGANError lists the known ones."""
    module = f"{__name__}.{name}"
    if name.isidentifier():
        try:
            found: DataSet = import_module(module).DATA_SET
            return found
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    raise InfoGANError(f"data set {name!r} is unknown; choose one of {', '.join(names())}")
