"""One step of training; on a GPU it is recorded and replayed, else Python would set its pace."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infogan.train.players import Players
from infogan.train.step import Game, Measures, train_step

# One step on real images, and on their labels where the objective gives them.
Step = Callable[
    [Float[Tensor, "batch channel height width"], Int[Tensor, " batch"] | None], Measures
]

# Before torch may record, cuDNN and cuBLAS have to set themselves up.
STEPS_BEFORE = 3


def make_step(players: Players, game: Game, rng: torch.Generator) -> Step:
    """`train_step` of these players."""
    if game.backend.device.type == "cuda":
        return RecordedStep(players, game, rng)
    return lambda images, labels: train_step(players, game, images, rng, labels)


class RecordedStep:
    """`train_step` as a CUDA graph: the same kernels on the same memory, started by one call.

    The first steps run as they are. What a step measured holds until the next one.
    """

    def __init__(self, players: Players, game: Game, rng: torch.Generator) -> None:
        self.players, self.game, self.rng = players, game, rng
        self.steps_before = STEPS_BEFORE
        self.stream = torch.cuda.Stream(game.backend.device)
        self.recorded: tuple[torch.cuda.CUDAGraph, list[Tensor], Measures] | None = None

    def __call__(
        self,
        images: Float[Tensor, "batch channel height width"],
        labels: Int[Tensor, " batch"] | None,
    ) -> Measures:
        """Play one step."""
        given = [images] if labels is None else [images, labels]
        if self.steps_before:
            self.steps_before -= 1
            # Autograd keeps to the stream in which it first met a weight; no graph is recorded in
            # the usual one.
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                measures = self._run(given)
            torch.cuda.current_stream().wait_stream(self.stream)
            return measures
        if self.recorded is None:
            self.recorded = self._record([value.clone() for value in given])
        graph, inputs, measures = self.recorded
        for mine, value in zip(inputs, given, strict=True):
            mine.copy_(value)
        graph.replay()
        return measures

    def _run(self, given: list[Tensor]) -> Measures:
        images, *labels = given
        return train_step(self.players, self.game, images, self.rng, *labels)

    def _record(self, inputs: list[Tensor]) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Measures]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.rng)
        with torch.cuda.graph(graph, stream=self.stream):
            measures = self._run(inputs)
        return graph, inputs, measures
