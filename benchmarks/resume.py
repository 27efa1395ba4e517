"""Kill trainings at random moments, and check that they still end in the same bits.

    python -m benchmarks.resume --kills 20

Small networks train on scikit-learn's digits, each in a process that keeps a snapshot after every
step, so that many kills fall within a write. The next process goes on, until it is killed itself or
done; then weights and log are compared with those of a training that nobody killed.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from infogan.download.packing import read_digits
from infogan.method.runtime import Backend
from infogan.method.weights import save_weights
from infogan.objectives import OBJECTIVES
from infogan.params import Params, load_params
from infogan.train.loop import train
from infogan.train.snapshot import Snapshots

PRECISIONS = ("float32", "bfloat16")


def work(folder: Path, precision: str) -> None:
    """Train, from where the last process in `folder` was killed; write weights and log."""
    torch.set_num_threads(1)
    params = small_params()
    objective = OBJECTIVES["infogan"](params)
    backend = Backend(torch.device("cpu"), getattr(torch, precision), threads=1)
    images = torch.as_tensor(read_digits({}, "train")[0])
    means: list[tuple[int, dict[str, float]]] = []
    torch.optim.Adam([torch.zeros(1)])  # the first one takes a second to import what it needs
    print("begins", flush=True)
    snapshots = Snapshots(folder, "run", {}, lambda text: print(text, flush=True), 0.0)
    trained = train(images, params, objective, 0, backend, lambda *m: means.append(m), snapshots)
    save_weights(folder / "weights.safetensors", trained.generator, trained.discriminator, params)
    (folder / "log.json").write_text(json.dumps(means))
    snapshots.discard()


def small_params() -> Params:
    """The repository's parameters, with networks so narrow that a training takes seconds."""
    values = load_params(Path("params.yaml")).model_dump()
    values |= {"dataset": "digits", "num_steps": 60}
    values |= {"lambda_information": 0.5, "lambda_consistency": 0.5}
    values["networks"]["width"] = 0.4
    values["training"] |= {"batch_size": 4, "log_every": 7}
    return Params.model_validate(values)


def start(folder: Path, precision: str) -> subprocess.Popen[str]:
    """A process that trains in `folder`, at the moment when training begins."""
    command = [sys.executable, "-m", "benchmarks.resume", "--worker", str(folder), precision]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdout.readline() != "begins\n":
        raise SystemExit("error: the training did not begin")
    return process


def outcome(folder: Path) -> list[bytes]:
    """What is compared."""
    return [(folder / name).read_bytes() for name in ("weights.safetensors", "log.json")]


def torture(scratch: Path, num_kills: int, rng: random.Random) -> Iterator[bool]:
    """For each kill, whether its training went on from its snapshot and ended in the same bits."""
    whole, seconds = {}, {}
    for precision in PRECISIONS:
        process, begin = start(scratch / precision, precision), time.monotonic()
        process.communicate()
        whole[precision] = outcome(scratch / precision)
        seconds[precision] = time.monotonic() - begin

    kills = 0
    for training, precision in enumerate(cycle(PRECISIONS), start=1):
        folder, kills_before = scratch / str(training), kills
        has_snapshot, sound, finished = False, True, False
        while not finished:
            process = start(folder, precision)
            if kills < num_kills:
                time.sleep(rng.uniform(0, seconds[precision] / 2))
                process.kill()
            said = process.communicate()[0].split(",")[0]
            expected, has_snapshot = has_snapshot, any(folder.glob("*/snapshot"))
            finished = (folder / "log.json").exists() and not has_snapshot
            # One that was killed at once may not have said anything.
            went_on = said.startswith("goes on after step ")
            sound = sound and (went_on if expected and (said or finished) else not said)
            if not finished:
                kills += 1
                print(f"kill {kills:3d}  training {training} in {precision}", end="  ")
                print(said or "starts", *drop_half_written(folder), sep=", ", flush=True)
        same = sound and outcome(folder) == whole[precision]
        print(f"training {training} ended in {'the same' if same else 'OTHER'} bits", flush=True)
        yield from [same] * (kills - kills_before)
        if kills >= num_kills:
            return


def drop_half_written(folder: Path) -> Iterator[str]:
    """Delete what a kill left of a write, so that the next one shows."""
    for path in [*folder.glob("*/.tmp*"), *folder.glob("*/partial")]:
        path.unlink()
        yield "killed within a write"


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Kill trainings, and check that they go on.")
    options.add_argument("--kills", type=int, default=20, help="number of kills (20)")
    options.add_argument("--seed", type=int, default=0, help="decides when to kill (0)")
    options.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.worker:
        work(Path(given.worker[0]), given.worker[1])
    else:
        with TemporaryDirectory() as scratch:
            results = list(torture(Path(scratch), given.kills, random.Random(given.seed)))
        print(f"{sum(results)} of {len(results)} kills resumed bit for bit")
        raise SystemExit(not all(results))
