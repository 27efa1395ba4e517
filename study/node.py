"""One step of an experiment on a worker, in a disposable clone: `python -m study.node`.

It ends with an experiment's ref as a Git bundle on stdout, or, after a step that only prepares,
with dvc.lock as that left it; what DVC and the stages print goes to the driver as events of
Dask's. It stops, at a snapshot, once its worker is gone or nobody waits for its task any more.
"""

import ctypes
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from distributed import Client

from infogan.base.errors import InfoGANError
from study.git import bundle, git

LOCK, DVC_LOCK = Path("requirements.lock"), Path("dvc.lock")
LOG = Path(".dvc/tmp/node.log")
TOPIC = "study"
DVC = (sys.executable, "-m", "dvc")
LAST_LINES = 20
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_STOP = 60.0
PR_SET_PDEATHSIG = 1
# Exit statuses: the job may do well on another worker; it was not allowed to end.
UNFIT, STOPPED = 3, 4


@dataclass(frozen=True)
class Job:
    """What the driver wants of a worker, as plain values."""

    scheduler: str
    store: str  # a DVC remote for what the stages make, or "" where all share the driver's cache
    repository: str  # the driver's
    mark: str  # a file in it, by which a worker knows that it sees the same
    cache: str  # and its cache
    resume: str  # folder of unfinished trainings, or "" for that of the worker's environment
    environment: dict[str, str | None]  # the driver's
    task: str = ""  # the task's key
    name: str = ""  # of the experiment
    options: Sequence[str] = ()  # of `dvc exp run`, which change params.yaml
    targets: Sequence[str] = ()  # stages to come to; all, if none
    lock: str = ""  # dvc.lock as earlier steps left it; HEAD's, if there were none
    is_last: bool = True


@dataclass(frozen=True)
class Event:
    """What a node tells the driver."""

    name: str  # of the experiment
    where: str
    text: str
    has_ended: bool


def main() -> None:
    """Do the job that is given as JSON, and delete the clone."""
    worker, clone, job = sys.argv[1:]
    # A local study's workers ignore Ctrl-C; what is started here must not.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    try:
        result = do(Job(**json.loads(job)), int(worker))
    except subprocess.CalledProcessError as error:
        print(_last_lines() or error, file=sys.stderr)
        raise SystemExit(1) from None
    except InfoGANError as error:  # Git's reason
        print(error, _last_lines(), sep="\n", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        os.chdir("/")
        shutil.rmtree(clone, ignore_errors=True)
    sys.stdout.buffer.write(result)


def _unfit(reason: str) -> NoReturn:
    """This worker cannot do the job; another may."""
    print(reason, file=sys.stderr)
    raise SystemExit(UNFIT)


def do(job: Job, worker: int) -> bytes:
    """Run DVC in this clone, push what it made, and return what the next step or the driver needs.

    Raises CalledProcessError where DVC fails, InfoGANError where Git does.
    """
    if differing := differences(job.environment, environment()):
        _unfit(f"its environment is not the one of {LOCK}: {'; '.join(differing)}")
    set_up(job)
    try:
        client = Client(job.scheduler, set_as_default=False)
    except OSError as error:
        _unfit(f"it does not reach {job.scheduler}: {error}")
    name = ["--name", job.name] if job.is_last else []
    pull = ["--pull"] if job.store else []
    with client, Told(client, job) as told:
        told.run([*DVC, "exp", "run", *name, *pull, *job.options, *job.targets], worker)
        if job.store:
            with_deps = ["--with-deps"] if job.targets else []
            told.run([*DVC, "push", *with_deps, *job.targets], worker)
    if not job.is_last:
        return DVC_LOCK.read_bytes()
    ref = git("for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{job.name}")
    return bundle(ref.decode().strip(), "^HEAD")


def environment() -> dict[str, str | None]:
    """The versions here of what the lock file names, and of Python."""
    names = re.findall(r"^([\w.-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found | {"python": ".".join(platform.python_version_tuple()[:2])}


def differences(theirs: dict[str, str | None], ours: dict[str, str | None]) -> list[str]:
    """The first packages of which there are other versions here than the driver has."""
    return [
        f"{name} {ours[name]} where {theirs.get(name)} is meant"
        for name in sorted(ours)
        if ours[name] != theirs.get(name)
    ][:3]


def set_up(job: Job) -> None:
    """Let DVC, in this clone, know the cache or the store, and the stages where snapshots are."""
    remote = f"[core]\nremote = study\n['remote \"study\"']\nurl = '{job.store}'\n"
    shared = f"[cache]\ndir = '{job.cache}'\n"
    Path(".dvc/config.local").write_text(remote if job.store else shared, encoding="utf-8")
    LOG.parent.mkdir(parents=True, exist_ok=True)
    # Where DVC keeps an index for each repository, which would outlive the clone.
    os.environ |= {"DVC_SITE_CACHE_DIR": str(LOG.parent.resolve()), "PYTHONUNBUFFERED": "1"}
    # Dask has its workers return memory at once; a training, which wants it again in the next step,
    # then spends a fifth of its time on being given it.
    os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)
    if job.resume:
        os.environ.setdefault("INFOGAN_RESUME", job.resume)
    if not job.store:
        if not Path(job.mark).exists():
            _unfit(f"it does not see {job.repository}; give the study a STORE")
        Path("data").mkdir(exist_ok=True)
        Path("data", "raw").symlink_to(Path(job.repository, "data", "raw"))
    if job.lock:
        DVC_LOCK.write_text(job.lock, encoding="utf-8")


class Told:
    """Runs commands, tells the driver what they print, and hears whether it still wants them."""

    def __init__(self, client: Client, job: Job) -> None:
        self.client, self.job = client, job
        self.said = 0

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        self.tell(has_ended=True)

    def run(self, command: Sequence[str], worker: int) -> None:
        """Run a command to its end; leave, at a snapshot, if it is not wanted any more."""
        with LOG.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        try:
            while not _has_ended(process, SECONDS_BETWEEN_LOOKS):
                self.tell()
                if os.getppid() != worker or not self.is_wanted():
                    raise SystemExit(STOPPED)
        finally:
            end(process)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)

    def tell(self, *, has_ended: bool = False) -> None:
        """Send the driver what has been printed since the last call."""
        with LOG.open("rb") as log:
            log.seek(self.said)
            text = log.read()
        self.said += len(text)
        event = Event(self.job.name, socket.gethostname(), text.decode(errors="replace"), has_ended)
        if text or has_ended:
            with suppress(Exception):  # no scheduler any more, which `is_wanted` will find, too
                self.client.log_event(TOPIC, asdict(event))

    def is_wanted(self) -> bool:
        """Whether Dask's scheduler still has this task running."""
        try:
            running: dict[str, Any] = self.client.processing()
        except Exception:  # whatever it is, there is no scheduler
            return False
        return any(self.job.task in tasks for tasks in running.values())


def end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs as Ctrl-C does, and by force if that takes too long."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        if not _has_ended(process, SECONDS_TO_STOP):
            os.killpg(process.pid, signal.SIGKILL)


def _end_with_parent() -> None:
    """Have DVC end once this process was killed; then its stage stops at a snapshot by itself."""
    with suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None


def _last_lines() -> str:
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines() if LOG.exists() else []
    return "\n".join(lines[-LAST_LINES:])


if __name__ == "__main__":
    main()
