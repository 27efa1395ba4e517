"""The study's experiments on Dask.distributed: this machine's cores, or a cluster's workers.

Dask carries no code of ours: each task is `subprocess.run` on a text, `study/bootstrap.py`, which
clones HEAD from a Git bundle and runs `study.node` there. Objects go through the driver's own
cache, which the workers then have to see, or through a store, any remote of DVC's.
"""

import hashlib
import json
import logging
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import dask
import yaml
from distributed import Client, Future, LocalCluster, wait
from dvc.repo import Repo

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from stages.side_by_side import share_cores
from study.experiments import Experiment
from study.git import bundle, git, head, refs_of
from study.node import LAST_LINES, SECONDS_TO_STOP, STOPPED, TOPIC, UNFIT, Event, Job, environment
from study.progress import Progress

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
MARKS = Path(".dvc/tmp/study")
NO_COMMAND = 127  # a shell's exit status where there is no such program
SECONDS_TO_CONNECT = 10
# Dask looks at its event loops every 20 ms and at what its workers' threads do every 10: of two
# cores that train, a twentieth.
SELDOM = {"distributed.admin.tick.interval": "1s", "distributed.worker.profile.enabled": False}
# Parameters that decide what data and judge are, as dvc.yaml says of these stages.
PREPARED = ("dataset", "judge", "evaluate.num_samples")


@contextmanager
def connected(on: str, jobs: int) -> Iterator[Client]:
    """A client of the scheduler at `on`; without, of workers here, each for one core."""
    dask.config.set(SELDOM)
    if on:
        try:
            client = Client(on, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InfoGANError(f"no scheduler at {on}: {reason}; start it, or correct ON") from None
        with client:
            yield client
        return
    share_cores(jobs)
    # What the terminal sends on Ctrl-C is the driver's alone.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        cluster = LocalCluster(
            host="127.0.0.1",
            n_workers=jobs,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with cluster, Client(cluster) as client:
        yield client


class Store:
    """Where objects go besides the driver's own cache: a folder, a DVC remote, or "" for nowhere.

    `resume` is the folder of unfinished trainings; "" where the store is none that can be opened.
    """

    def __init__(self, address: str) -> None:
        if "://" in address:
            self.address, self.resume = address, ""
            return
        # Each worker does its work in another folder.
        folder = Path(address).expanduser().resolve()
        self.address = str(folder) if address else ""
        self.resume = str(folder / ".resume")

    def repository(self) -> Repo:
        """The driver's repository, with the store as its remote."""
        remote = {"core": {"remote": "study"}, "remote": {"study": {"url": self.address}}}
        return Repo(config=remote if self.address else {})

    def check(self) -> None:
        """Refuse one that cannot be written."""
        if not self.address:
            return
        try:
            with self.repository() as repo:
                odb = repo.cloud.get_remote_odb("study")
                probe = odb.fs.join(odb.path, f"probe-{uuid.uuid4().hex}")
                odb.fs.makedirs(odb.path, exist_ok=True)
                odb.fs.pipe_file(probe, b"")
                odb.fs.rm_file(probe)
        except Exception as error:  # whatever the store's own library raises
            reason = " ".join(str(error).split())
            raise InfoGANError(f"STORE {self.address} cannot be written: {reason}") from None

    def fetch(self, revision: str) -> None:
        """Bring a revision's objects into the driver's cache."""
        if self.address:
            with self.repository() as repo:
                repo.fetch(revs=[revision], workspace=False)


def refuse_changes() -> None:
    """Workers train HEAD: what differs from it, but for what the study writes, is named."""
    written = (":!reports/study", ":!reports/study.md", ":!README.md")
    lines = git("status", "--porcelain", "--", ".", *written).decode().splitlines()
    if names := [line[3:] for line in lines]:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise InfoGANError(
            f"not in the last commit: {', '.join(names[:5])}{more}; the study trains what is "
            "committed: commit, restore or remove them"
        )


class Study:
    """Runs experiments in steps: data and judge of a data set; a training; all that is measured.

    Without a store a training is one step, since the shared cache keeps what has been done of it.
    `collect` puts an experiment on record, and says whether it could. `trained` has, by name, what
    dvc.lock says of experiments that are to be measured anew: nothing is trained again of which
    dvc.yaml's dependencies are the same.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        python: str,
        collect: Callable[[Experiment], bool],
        trained: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self.client, self.store, self.python, self.collect = client, store, python, collect
        self.trained = trained or {}
        self.head = head()
        self.folder = git("rev-parse", "--show-prefix").decode().strip()
        self.lock = hashlib.sha256(git("ls-tree", "HEAD", "dvc.lock")).hexdigest()[:12]
        self.waiting: list[tuple[Job, list[Experiment]]] = []
        self.running: dict[Future, tuple[Job, list[Experiment]]] = {}
        self.place: dict[str, int] = {}  # of each experiment in the study's order
        self.failed: list[str] = []
        self.bundle: Future | None = None
        with Repo() as repo:
            cache = repo.cache.local_cache_dir
        self.job = Job(
            scheduler=client.scheduler.address,
            store=store.address,
            repository=str(Path.cwd()),
            mark=str((MARKS / uuid.uuid4().hex).resolve()),
            cache=cache,
            resume=store.resume,
            environment=environment(),
        )

    def run(self, experiments: Sequence[Experiment], progress: Progress) -> list[str]:
        """Run all experiments; returns the names of those that failed.

        On Ctrl-C, trainings that run are stopped at a snapshot before it raises KeyboardInterrupt.
        """
        self.place = {one.name: place for place, one in enumerate(experiments)}
        groups: dict[str, list[Experiment]] = {}
        for one in experiments:
            prepared = {k: v for k, v in one.parameters.items() if k.startswith(PREPARED)}
            groups.setdefault(json.dumps(prepared, sort_keys=True), []).append(one)
        write_file(Path(self.job.mark), "")
        self.client.subscribe_topic(TOPIC, lambda event: progress.show(Event(**event[1])))
        try:
            for values, group in groups.items():
                digest = hashlib.sha256(values.encode()).hexdigest()[:6]
                name = f"prepare-{group[0].parameters['dataset']}-{digest}"
                job = replace(self.job, name=name, targets=["judge"], is_last=False)
                self.begin(replace(job, options=group[0].options), group)
            while self.waiting or self.running:
                self.submit()
                self.take(progress)
        except KeyboardInterrupt:
            self.client.cancel(list(self.running))
            progress.say("stops what runs at a snapshot")
            give_up = time.monotonic() + SECONDS_TO_STOP
            while progress.running and time.monotonic() < give_up:
                time.sleep(0.2)
            raise
        finally:
            Path(self.job.mark).unlink(missing_ok=True)
            self.client.unsubscribe_topic(TOPIC)
        return self.failed

    def begin(self, job: Job, group: list[Experiment]) -> None:
        """Line a step up, or go on after it where an earlier run of the study has done it."""
        if not job.is_last and self.left(job.name).exists():
            self.go_on(job, group, self.left(job.name).read_text(encoding="utf-8"))
        else:
            self.waiting.append((job, group))

    def left(self, name: str) -> Path:
        """The file of dvc.lock as a step has left it, as long as HEAD's is the same.

        DVC finds what of it another commit's code or parameters leave valid.
        """
        return MARKS / self.lock / f"{name}.lock"

    def submit(self) -> None:
        """Hand the first steps in the study's order to the workers that are free.

        No more than that, since Dask may begin with the last of what it is given at once.
        """
        self.waiting.sort(key=lambda step: self.place[step[1][0].name])
        while self.waiting and len(self.running) < max(1, sum(self.client.nthreads().values())):
            job, group = self.waiting.pop(0)
            job = replace(job, task=f"{job.name}-{uuid.uuid4().hex[:8]}")
            words = ["sh", "-c", 'exec "$0" "$@"', self.python]
            words += ["-c", BOOTSTRAP.read_text(encoding="utf-8")]
            future = self.client.submit(
                subprocess.run,
                [*words, self.head, self.folder, json.dumps(asdict(job))],
                input=self.commit(),
                capture_output=True,
                start_new_session=True,  # Ctrl-C reaches it through the scheduler
                key=job.task,
                pure=False,
            )
            self.running[future] = job, group

    def commit(self) -> Future:
        """HEAD as a bundle, at the workers."""
        if self.bundle is None or self.bundle.status in ("lost", "cancelled", "error"):
            self.client.wait_for_workers(1)
            self.bundle = self.client.scatter(bundle("HEAD"), broadcast=True, hash=False)
        return self.bundle

    def take(self, progress: Progress) -> None:
        """Wait for steps to end; puts on record, names what failed, and submits what follows."""
        with suppress(TimeoutError, CancelledError):
            wait(list(self.running), timeout=progress.seconds, return_when="FIRST_COMPLETED")
        progress.tick()
        for future in [future for future in self.running if future.done()]:
            job, group = self.running.pop(future)
            try:
                done = future.result()
            except CancelledError:  # what it needs was lost with a worker
                self.waiting.append((job, group))
                continue
            except Exception as error:  # its worker died again and again
                self.give_up(job.name, group, " ".join(str(error).split()), progress)
                continue
            reason = done.stderr.decode(errors="replace").strip()
            if done.returncode in (STOPPED, UNFIT, NO_COMMAND):
                if done.returncode != STOPPED:
                    self.dismiss(future, reason, progress)
                self.waiting.append((job, group))
            elif done.returncode:
                self.give_up(job.name, group, reason, progress)
            elif job.is_last:
                self.keep(group[0], done.stdout, progress)
            else:
                write_file(self.left(job.name), done.stdout)
                self.go_on(job, group, done.stdout.decode())

    def go_on(self, job: Job, group: list[Experiment], lock: str) -> None:
        """After data and judge, all trainings; after a training, what is measured."""
        contents = yaml.safe_load(lock) if self.trained else {}
        for one in group:
            step = replace(self.job, name=one.name, options=one.options, lock=lock)
            if earlier := self.trained.get(one.name):
                own = contents | {"stages": contents["stages"] | earlier}
                step = replace(step, lock=yaml.safe_dump(own, sort_keys=False))
            train = [f"train@{one.objective}-{one.seed}", "judge"]
            if self.store.address and job.targets != train and not earlier:
                step = replace(step, targets=train, is_last=False)
            self.begin(step, [one])

    def keep(self, one: Experiment, bundle: bytes, progress: Progress) -> None:
        """Take over an experiment's ref and objects, and put it on record."""
        path = MARKS / f"{one.name}.bundle"
        ref = f"{refs_of(self.head)}/{one.name}"
        try:
            write_file(path, bundle)
            git("fetch", "--quiet", "--force", str(path.resolve()), f"{ref}:{ref}")
            self.store.fetch(ref)
            reason = "" if self.collect(one) else "ended well, but its results did not arrive"
        except Exception as error:  # DVC's, ours, or the store's
            reason = " ".join(str(error).split())
        for done in (path, self.left(one.name)):
            done.unlink(missing_ok=True)
        if reason:
            self.give_up(one.name, [one], reason, progress)
        else:
            progress.end(one.name, "on record")

    def give_up(self, name: str, group: list[Experiment], reason: str, progress: Progress) -> None:
        """Name what failed, and the last that it said."""
        lines = [f"    {line}" for line in reason.splitlines()[-LAST_LINES:]]
        heading = f"{name}: failed; the last lines of {progress.log(name)}:"
        progress.say("\n".join([heading, *lines]))
        for one in group:
            self.failed.append(one.name)
            progress.end(one.name, "failed")

    def dismiss(self, future: Future, reason: str, progress: Progress) -> None:
        """Give an unfit worker nothing more; InfoGANError where it was the last."""
        workers = [address for held in self.client.who_has([future]).values() for address in held]
        for address in workers:
            progress.say(f"worker {address} gets nothing more: {reason}")
        # Dask keeps the last worker, which has what the driver sent.
        if set(self.client.scheduler_info(n_workers=-1)["workers"]) <= set(workers):
            raise InfoGANError(f"no worker is left: {reason}")
        self.client.retire_workers(workers)
