"""Float32 weights and their optimiser, for a network that computes in a lower precision."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

MakeOptimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


class MasterWeights:
    """The float32 weights of a network whose own are their copies, rounded to `precision`.

    An update too small for bfloat16 is kept here until it shows in the copy. Copies are made once
    per update, where `torch.autocast` makes them at every pass. Batch norm is not rounded.
    """

    def __init__(
        self, network: nn.Module, precision: torch.dtype, make_optimizer: MakeOptimizer
    ) -> None:
        self.network = network
        self.copies: list[Tensor] = list(network.parameters())
        masters = [copy.detach().clone() for copy in self.copies]
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                module.to(precision)
        # A weight that keeps its precision is its own master.
        self.masters = [
            copy if copy.dtype == master.dtype else master
            for copy, master in zip(self.copies, masters, strict=True)
        ]
        self.optimizer = make_optimizer(self.masters)

    def descend(self, loss: Float[Tensor, ""]) -> None:
        """One step of the optimiser down the gradient of `loss`."""
        for copy in self.copies:
            copy.grad = None
        loss.backward()
        for copy, master in self._rounded():
            if copy.grad is None:
                master.grad = None
            elif master.grad is None:
                master.grad = copy.grad.to(master.dtype)
            else:  # the memory is there already, and new pages are dear
                master.grad.copy_(copy.grad)
        self.optimizer.step()
        self._round()

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on: weights, batch statistics and the optimiser's moments."""
        tensors = {f"buffer.{name}": buffer for name, buffer in self.network.named_buffers()}
        for index, master in enumerate(self.masters):
            tensors[f"weight.{index}"] = master.detach()
            for name, value in self.optimizer.state[master].items():
                tensors[f"moment.{index}.{name}"] = value
        return tensors

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up a `state` again; a RuntimeError when it is another network's."""
        if _shapes(tensors) != _shapes(self.state()):
            raise RuntimeError("expected the state of a network with the same layers")
        for name, buffer in self.network.named_buffers():
            buffer.copy_(tensors[f"buffer.{name}"])
        for index, master in enumerate(self.masters):
            master.copy_(tensors[f"weight.{index}"])
            prefix = f"moment.{index}."
            self.optimizer.state[master] = {
                name.removeprefix(prefix): _laid_out_like(master, value)
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
        self._round()

    @torch.no_grad()
    def restore(self) -> None:
        """Give the network its float32 weights; no step can follow."""
        self.network.float()
        for parameter, master in zip(self.network.parameters(), self.masters, strict=True):
            if parameter is not master:
                parameter.copy_(master)

    def _rounded(self) -> list[tuple[Tensor, Tensor]]:
        pairs = zip(self.copies, self.masters, strict=True)
        return [(copy, master) for copy, master in pairs if copy is not master]

    @torch.no_grad()
    def _round(self) -> None:
        for copy, master in self._rounded():
            copy.copy_(master)


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    """Of what every state has; moments come with the first step."""
    return {name: v.shape for name, v in state.items() if not name.startswith("moment.")}


def _laid_out_like(master: Tensor, value: Tensor) -> Tensor:
    """A copy of a moment in the memory order of its weight, which the fused Adam takes it to have.

    On a CPU it would mix up the elements of a moment in another order, and not say so.
    """
    like = master if value.shape == master.shape else value
    return torch.empty_like(like, dtype=value.dtype, device=master.device).copy_(value)
