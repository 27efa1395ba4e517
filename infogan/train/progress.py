"""How far a training is, and what it logs."""

import math
from collections.abc import Callable

from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.params import Params
from infogan.train.step import Measures

Log = Callable[[int, dict[str, float]], None]


class Progress:
    """Steps done, what was logged, and the sums since."""

    def __init__(self, log: Log, params: Params) -> None:
        self.log, self.every, self.num_steps = log, params.training.log_every, params.num_steps
        self.step = self.since_log = 0
        self.sums: dict[str, Tensor] = {}
        self.logged: list[tuple[int, dict[str, float]]] = []

    def add(self, measures: Measures) -> None:
        """Count one step; log the means when they are due, an InfoGANError if one is not finite."""
        # In the order of the measures, also after a snapshot.
        self.sums = {name: self.sums.get(name, 0) + value for name, value in measures.items()}
        self.step += 1
        self.since_log += 1
        if self.step % self.every == 0 or self.step == self.num_steps:
            means = {name: (total / self.since_log).item() for name, total in self.sums.items()}
            for name, mean in means.items():
                if not math.isfinite(mean):
                    raise InfoGANError(
                        f"{name} = {mean} at step {self.step}: training diverged; "
                        "try a lower learning rate or lambda, or runtime.precision: float32"
                    )
            self.sums, self.since_log = {}, 0
            self.write(self.step, means)

    def write(self, step: int, means: dict[str, float]) -> None:
        """Log one line of means, and remember it."""
        self.logged.append((step, means))
        self.log(step, means)
