"""What a snapshot takes of a training under way, and how it is taken up again."""

import torch

from infogan.method.film import Camera
from infogan.train.players import Players
from infogan.train.progress import Progress
from infogan.train.snapshot import Snapshot


def take_snapshot(
    players: Players, rng: torch.Generator, progress: Progress, camera: Camera
) -> Snapshot:
    """Everything that the next steps depend on, and what was logged and filmed so far."""
    tensors = players.state() | {f"sum.{name}": total for name, total in progress.sums.items()}
    tensors["latents"] = rng.get_state()
    tensors["film"] = torch.stack(camera.frames)
    tensors["since_log"] = torch.tensor(progress.since_log)
    return Snapshot(progress.step, tensors, progress.logged)


def resume(
    snapshot: Snapshot,
    players: Players,
    rng: torch.Generator,
    progress: Progress,
    camera: Camera,
) -> None:
    """Put a training where the snapshot was taken; the log is written again from its start."""
    players.load_state(snapshot.tensors)
    rng.set_state(snapshot.tensors["latents"])
    camera.frames = list(snapshot.tensors["film"])
    progress.step, progress.since_log = snapshot.step, int(snapshot.tensors["since_log"])
    progress.sums = {
        name.removeprefix("sum."): total.to(rng.device)
        for name, total in snapshot.tensors.items()
        if name.startswith("sum.")
    }
    for step, means in snapshot.log:
        progress.write(step, means)
