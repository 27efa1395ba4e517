"""Parameters and images for tests: the repository's params.yaml made small, and real digits."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from benchmarks.harness import changed
from infogan.base.cores import usable_cores
from infogan.method.runtime import Backend
from infogan.params import Networks, Params, load_params

REPOSITORY = Path(__file__).parents[1]

# Each file is run by one worker; those that take longest first, so that none is left for the end.
LONGEST = (
    "test_pipeline",
    "test_cluster",
    "test_two_machines",
    "test_concurrency",
    "test_static",
    "test_experiments",
    "test_stages",
    "test_loop",
    "test_resume",
    "test_page",
    "test_bad_servers",
    "test_snapshot",
)

# Git's settings: an author, and none of the person's.
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
for _role in ("AUTHOR", "COMMITTER"):
    GIT |= {f"GIT_{_role}_NAME": "A", f"GIT_{_role}_EMAIL": "a@example.org"}

# Networks so narrow, and batches so small, that a step takes milliseconds.
SMALL = {
    "dataset": "digits",
    "num_steps": 2,
    "networks.width": 0.05,
    "training.batch_size": 8,
    "training.held_out_images": 0,
    "training.average_decay": 0.0,
    "training.log_every": 1,
    "codes.noise": 6,
    "codes.categorical": [5, 3],
    "codes.continuous": 2,
    "runtime.device": "cpu",
}


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since some tests wait for servers, locks and processes."""
    return usable_cores() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of LONGEST first, and leave the order within a file."""

    def place(item: pytest.Item) -> int:
        return LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)

    items.sort(key=place)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the two longest files go first on busy cores: all is as long as they are."""
    if item.path.stem not in LONGEST[:2] and "PYTEST_XDIST_WORKER" in os.environ:
        os.nice(5 - os.nice(0))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks this small run fastest on one core, whatever else the machine does."""
    torch.set_num_threads(1)


def load_preset(name: str) -> Params:
    """The repository's params.yaml with one of its presets."""
    return load_params(REPOSITORY / "params.yaml", REPOSITORY / "presets" / f"{name}.yaml")


@pytest.fixture(scope="session")
def params() -> Params:
    """The repository's params.yaml."""
    return load_params(REPOSITORY / "params.yaml")


@pytest.fixture(scope="session")
def make_params(params: Params) -> Callable[..., Params]:
    """`make_params({"training.batch_size": 4})`: small parameters with some values changed."""

    return lambda changes=None: changed(params, SMALL | (changes or {}))


@pytest.fixture(scope="session")
def options() -> Networks:
    """Narrow networks with no value at its usual one."""
    return Networks(leaky_slope=0.07, init_std=0.03, norm_eps=2e-5, norm_momentum=0.2, width=0.05)


@pytest.fixture
def command(tmp_path, monkeypatch) -> Callable[..., str]:
    """Runs a command in a new Git repository, where we are; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    for key, value in GIT.items():
        monkeypatch.setenv(key, value)

    def run(*words: str) -> str:
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip()

    run("git", "init", "-q", "-b", "main")
    return run


@pytest.fixture(scope="session")
def backend() -> Backend:
    """The CPU in float32."""
    return Backend(torch.device("cpu"), torch.float32, threads=1)


@pytest.fixture(scope="session")
def digit_images() -> torch.Tensor:
    """1,797 digits as uint8 [image, 1, 28, 28]: scikit-learn's 8x8 images, tripled and framed."""
    images = torch.as_tensor(load_digits().images * (255 / 16)).round().to(torch.uint8)
    enlarged = images.repeat_interleave(3, dim=1).repeat_interleave(3, dim=2)
    return torch.nn.functional.pad(enlarged, (2, 2, 2, 2))[:, None]
