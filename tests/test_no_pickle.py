"""No file that the project reads can run code: the sources are searched for what would let one."""

import ast

import pytest

from tests.imports import ROOT

SOURCES = sorted(
    path for folder in ("infogan", "stages", "study") for path in (ROOT / folder).glob("*.py")
)
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"torch.load", "torch.save", "pd.read_pickle", "yaml.unsafe_load", "eval", "exec"}


def calls(tree: ast.AST) -> list[tuple[str, set[str]]]:
    """Every call as `a.b`, with `name=value` of its keywords."""
    return [
        (
            ast.unparse(node.func),
            {f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in node.keywords},
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])
def test_a_module_reads_no_pickles(path):
    tree = ast.parse(path.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
    }
    assert not imported & FORBIDDEN_MODULES
    for name, keywords in calls(tree):
        assert name not in FORBIDDEN_CALLS
        assert "allow_pickle=True" not in keywords  # numpy's own default is False
        if name == "yaml.load":
            assert keywords & {"Loader=yaml.SafeLoader", "Loader=_Loader"}


def test_the_search_finds_what_it_looks_for():
    found = calls(ast.parse("np.load(path)\ntorch.load(path, weights_only=True)"))
    assert found == [("np.load", set()), ("torch.load", {"weights_only=True"})]
