"""Float32 weights and their optimiser, for a network that computes in a lower precision."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.adam import adam

Network = TypeVar("Network", bound=nn.Module)


class Adam:
    """Adam (Kingma & Ba 2015), as `torch.optim.Adam` computes it.

    That one imports torch's compiler with its first step, which takes longer than all else that a
    stage needs to start. `lr` may be changed between steps.
    """

    def __init__(
        self,
        weights: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        *,
        fused: bool = True,
    ) -> None:
        self.weights, self.lr, self.betas, self.fused = list(weights), lr, betas, fused
        self.state = {
            weight: {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
            for weight in self.weights
        }

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        moved = [weight for weight in self.weights if weight.grad is not None]
        names = ("exp_avg", "exp_avg_sq", "step")
        first, second, steps = ([self.state[weight][name] for weight in moved] for name in names)
        adam(
            moved,
            [weight.grad for weight in moved if weight.grad is not None],
            first,
            second,
            [],
            steps,
            fused=self.fused,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.lr,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


class Average:
    """The exponential moving average of float tensors over the updates of a training.

    The n-th update keeps min(decay, (1 + n) / (10 + n)) of the past, so that the initial values
    are soon forgotten.
    """

    def __init__(self, live: list[Tensor], decay: float) -> None:
        self.live, self.decay = live, decay
        self.values = [tensor.detach().clone() for tensor in live]
        # Counted on the device, so that a recorded step counts on.
        self.updates = torch.zeros((), dtype=torch.int64, device=live[0].device)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the tensors as they are now."""
        past = self.updates.double()
        decay = ((1 + past) / (10 + past)).clamp(max=self.decay)
        weight = (1 - decay).float()
        for value, live in zip(self.values, self.live, strict=True):
            value.lerp_(live, weight)
        self.updates += 1

    def state(self) -> dict[str, Tensor]:
        """All that later updates depend on."""
        values = {f"average.{index}": value for index, value in enumerate(self.values)}
        return values | {"average.updates": self.updates}


class MasterWeights(Generic[Network]):
    """The float32 weights of a network whose own are their copies, rounded to `precision`.

    An update too small for bfloat16 is kept here until it shows in the copy. Copies are made once
    per update, where `torch.autocast` makes them at every pass. Batch norm is not rounded.

    With an `average_decay` above 0 their average, and that of the batch statistics, is kept beside
    them (see `Average`). No step depends on it; it is what `restore` leaves in the network.
    """

    def __init__(
        self,
        network: Network,
        precision: torch.dtype,
        make_optimizer: Callable[[list[Tensor]], Adam],
        average_decay: float = 0.0,
    ) -> None:
        self.network = network
        originals = [parameter.detach().clone() for parameter in network.parameters()]
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                module.to(precision)
        pairs: list[tuple[Tensor, Tensor]] = [*zip(network.parameters(), originals, strict=True)]
        # A weight that keeps its precision is its own master.
        self.masters = [copy if copy.dtype == master.dtype else master for copy, master in pairs]
        self.rounded = [(copy, master) for copy, master in pairs if copy.dtype != master.dtype]
        self.optimizer = make_optimizer(self.masters)
        averaged = [*self.masters, *_statistics(network)]
        self.average = Average(averaged, average_decay) if average_decay else None

    def descend(self, loss: Float[Tensor, ""]) -> None:
        """One step of the optimiser down the gradient of `loss`."""
        loss.backward()
        for copy, master in self.rounded:
            if copy.grad is None:
                master.grad = None
            elif master.grad is None:
                master.grad = copy.grad.to(master.dtype)
            else:  # the memory is there already, and new pages are dear
                master.grad.copy_(copy.grad)
        self.optimizer.step()
        self.network.zero_grad()  # here, so that its memory is free while another network learns
        self._round()
        if self.average is not None:
            self.average.update()

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on: the tensors themselves, which later steps change."""
        tensors = {f"buffer.{name}": buffer for name, buffer in self.network.named_buffers()}
        for index, master in enumerate(self.masters):
            tensors[f"weight.{index}"] = master.detach()
            for name, value in self.optimizer.state[master].items():
                tensors[f"moment.{index}.{name}"] = value
        return tensors if self.average is None else tensors | self.average.state()

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up a `state` again."""
        # In place: the fused Adam takes moments to lie in memory as their weights do, and on a CPU
        # it would mix up the elements of others, and not say so.
        for name, value in self.state().items():
            value.copy_(tensors[name])
        self._round()

    def restore(self) -> None:
        """Give the network its float32 weights, the averaged ones if there are; no step follows."""
        self._fill(self.network)

    def portrait(self) -> Network:
        """A copy of the network as `restore` would leave it now."""
        return self._fill(deepcopy(self.network))

    @torch.no_grad()
    def _fill(self, network: Network) -> Network:
        weights: list[Tensor] = [*network.float().parameters()]
        sources = self.masters
        if self.average is not None:
            weights += _statistics(network)
            sources = self.average.values
        for weight, source in zip(weights, sources, strict=True):
            weight.copy_(source)
        return network

    @torch.no_grad()
    def _round(self) -> None:
        for copy, master in self.rounded:
            copy.copy_(master)


def _statistics(network: nn.Module) -> list[Tensor]:
    """Batch norm's running means and variances."""
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]
