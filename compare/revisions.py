"""What a Git revision, a DVC experiment or the workspace holds of results, read without checkout.

Reports and parameters are in Git, also for experiments, so nothing is asked of DVC's cache.
"""

import io
import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from infogan.base.errors import InfoGANError

WORKSPACE = "workspace"  # DVC's word for what lies in the folder, committed or not
EXPERIMENT = re.compile(r"refs/exps/(?P<baseline>[0-9a-f]{2}/[0-9a-f]+)/(?P<name>.+)")
NUM_LISTED = 12


@dataclass(frozen=True)
class Results:
    """One state of the results; metrics and parameters by dotted name, pictures as PNG."""

    name: str
    commit: str
    metrics: dict[str, dict[str, float]]  # by objective
    parameters: dict[str, Any]
    pictures: dict[str, bytes]
    curves: pd.DataFrame


@dataclass(frozen=True)
class Files:
    """Reads files, None where there is none, and lists folders, by paths from the root."""

    read: Callable[[str], bytes | None]
    list: Callable[[str], Sequence[str]]


def read_results(repository: Path, name: str) -> Results:
    """The results of a revision, an experiment or the workspace.

    Raises InfoGANError where there is none of that name, or it has no results.
    """
    commit = WORKSPACE if name == WORKSPACE else resolve(repository, name)
    files = _of_workspace(repository) if name == WORKSPACE else _of_commit(repository, commit)
    try:
        metrics = json.loads(files.read("reports/metrics.json") or b"null")
    except ValueError as error:
        raise InfoGANError(f"{name}: reports/metrics.json is not JSON ({error})") from error
    if not metrics:
        raise InfoGANError(f"{name} has no reports/metrics.json: nothing to compare")
    pictures = {
        Path(path).stem: files.read(path) or b""
        for path in files.list("reports/figures")
        if path.endswith(".png")
    }
    curves = files.read("reports/curves.csv")
    return Results(
        name,
        commit,
        metrics,
        flat(yaml.safe_load(files.read("params.yaml") or b"{}")),
        pictures,
        pd.read_csv(io.BytesIO(curves)) if curves else pd.DataFrame({"step": []}),
    )


def resolve(repository: Path, name: str) -> str:
    """The commit of a revision or an experiment, looked up in this order, as DVC does.

    Of experiments of one name that of the present commit counts, else the newest.
    """
    command = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    commit = _git(repository, *command)
    if commit:
        return commit.decode().strip()
    head = (_git(repository, "rev-parse", "--verify", "--quiet", "HEAD") or b"").decode().strip()
    found = [entry for entry in _experiments(repository) if entry[1] == name]
    for baseline, _, commit_of_experiment in found:
        if baseline.replace("/", "") == head:
            return commit_of_experiment
    if found:
        return found[0][2]
    raise InfoGANError(f"no revision or experiment {name!r}; there are {_known(repository)}")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name; text that is a number, such as 1e-05, as that number."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = _number(value) if isinstance(value, str) else value
    return result


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _known(repository: Path) -> str:
    experiments = list(dict.fromkeys(name for _, name, _ in _experiments(repository)))
    kinds = {"experiments": experiments}
    for kind, folder in (("branches", "refs/heads"), ("tags", "refs/tags")):
        names = _git(repository, "for-each-ref", "--format=%(refname:short)", folder) or b""
        kinds[kind] = names.decode().split()
    listed = [
        f"{kind} {', '.join(names[:NUM_LISTED])}{', ...' * (len(names) > NUM_LISTED)}"
        for kind, names in kinds.items()
        if names
    ]
    return "; ".join([*listed, f"{WORKSPACE}, what lies here"])


def _experiments(repository: Path) -> list[tuple[str, str, str]]:
    """Baseline, name and commit of all experiments, the newest first."""
    form = "--format=%(objectname) %(refname)"
    refs = _git(repository, "for-each-ref", "--sort=-creatordate", form, "refs/exps") or b""
    entries = [line.split(" ", 1) for line in refs.decode().splitlines()]
    matches = [(commit, EXPERIMENT.fullmatch(ref)) for commit, ref in entries]
    return [(match["baseline"], match["name"], commit) for commit, match in matches if match]


def _of_commit(repository: Path, commit: str) -> Files:
    def list_folder(folder: str) -> list[str]:
        names = _git(repository, "ls-tree", "-z", "--name-only", commit, f"{folder}/") or b""
        return [name for name in names.decode().split("\0") if name]

    return Files(lambda path: _git(repository, "show", f"{commit}:{path}"), list_folder)


def _of_workspace(repository: Path) -> Files:
    def read(path: str) -> bytes | None:
        file = repository / path
        return file.read_bytes() if file.is_file() else None

    def list_folder(folder: str) -> list[str]:
        paths = sorted((repository / folder).glob("*"))
        return [path.relative_to(repository).as_posix() for path in paths]

    return Files(read, list_folder)


def _git(repository: Path, *arguments: str) -> bytes | None:
    """What a Git command prints; None where it fails."""
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
