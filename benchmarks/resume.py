"""Kill trainings at random moments, and check that they still end in the same bits.

    python -m benchmarks.resume --kills 20

Small networks train on scikit-learn's digits, each in a process that keeps a snapshot after every
step, so that many kills fall within a write. The next one goes on, until it is killed itself or
done; then weights and log are compared with those of a training that nobody killed.
"""

import argparse
import json
import random
import subprocess
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.harness import changed, command
from infogan.download.packing import read_digits
from infogan.method.runtime import Backend
from infogan.method.weights import save_weights
from infogan.objectives import OBJECTIVES
from infogan.params import load_params
from infogan.train.loop import train
from infogan.train.snapshot import Snapshots

# A training that takes seconds.
SMALL = {"dataset": "digits", "num_steps": 60, "networks.width": 0.4, "training.batch_size": 4}


def work(out: str, precision: str) -> None:
    """Train, from where the last process in the folder was killed; write weights and log."""
    torch.set_num_threads(1)
    params = changed(load_params(Path("params.yaml")), SMALL | {"training.log_every": 7})
    backend = Backend(torch.device("cpu"), getattr(torch, precision), threads=1)
    means: list[tuple[int, dict[str, float]]] = []
    torch.optim.Adam([torch.zeros(1)])  # the first one takes a second to import what it needs
    print("begins", flush=True)
    folder = Path(out)
    snapshots = Snapshots(folder, "run", {}, lambda text: print(text, flush=True), 0.0)
    rest = (OBJECTIVES["infogan"](params), 0, backend, lambda *m: means.append(m), snapshots)
    trained = train(torch.as_tensor(read_digits({}, "train")[0]), params, *rest)
    save_weights(folder / "weights.safetensors", trained.generator, trained.discriminator, params)
    (folder / "log.json").write_text(json.dumps(means))
    snapshots.discard()


def start(folder: Path, precision: str) -> subprocess.Popen[str]:
    """A process that trains in `folder`, at the moment when training begins."""
    words = command("benchmarks.resume.work", str(folder), precision)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdout.readline() != "begins\n":
        raise SystemExit("error: the training did not begin")
    return process


def kill(folder: Path, precision: str, most: int, longest: float) -> int:
    """Kill a training `most` times, each within `longest` seconds, and let it end; counts kills.

    SystemExit for a process that did not go on from the snapshot it found, or failed.
    """
    for kills in count():
        had_snapshot = any(folder.glob("*/snapshot"))
        process = start(folder, precision)
        if kills < most:
            time.sleep(random.uniform(0, longest))
            process.kill()
        said = process.communicate()[0].removesuffix("null\n").split(",")[0]
        finished = (folder / "log.json").exists() and not any(folder.glob("*/snapshot"))
        # One that was killed at once may not have said anything.
        went_on = said.startswith("goes on after step ")
        sound = went_on if had_snapshot and (said or finished) else not said
        if process.returncode > 0 or not sound:
            raise SystemExit(f"error: with{'' if had_snapshot else 'out'} a snapshot: {said!r}")
        if finished:
            break
        half_written = [*folder.glob("*/.*.partial"), *folder.glob("*/.tmp*")]
        for path in half_written:  # deleted, so that the next one shows
            path.unlink()
        print(f"killed: {said or 'starts'}{', within a write' * bool(half_written)}", flush=True)
    return kills


def main() -> None:
    """Kill trainings until there were enough kills."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.resume", description=__doc__)
    options.add_argument("--kills", type=int, default=20, help="number of kills (20)")
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = options.parse_args()
    with TemporaryDirectory() as scratch:
        kills, whole, begin = 0, Path(scratch, "whole"), time.monotonic()
        start(whole, given.precision).communicate()
        longest = (time.monotonic() - begin) / 2
        for training in count():
            folder = Path(scratch, str(training))
            kills += kill(folder, given.precision, given.kills - kills, longest)
            for name in ("weights.safetensors", "log.json"):
                if (folder / name).read_bytes() != (whole / name).read_bytes():
                    raise SystemExit(f"error: a training that was killed ended in another {name}")
            if kills >= given.kills:
                break
    print(f"{kills} kills resumed bit for bit")


if __name__ == "__main__":
    main()
