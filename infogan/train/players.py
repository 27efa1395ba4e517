"""The networks that play, each with its float32 weights and their Adam."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.randomness import derive_seed
from infogan.method.networks import Discriminator, Generator, Table, build_networks
from infogan.method.optimisation import MasterWeights, Network
from infogan.method.runtime import Backend
from infogan.params import Params, Training


@dataclass(frozen=True)
class Players:
    """The networks, which compute in the backend's precision, and their weights in float32."""

    generator: Generator
    discriminator: Discriminator
    generator_weights: MasterWeights[Generator]
    discriminator_weights: MasterWeights[Discriminator]

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the random streams."""
        return {f"generator.{k}": v for k, v in self.generator_weights.state().items()} | {
            f"discriminator.{k}": v for k, v in self.discriminator_weights.state().items()
        }

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up a `state` again."""
        for name in ("generator", "discriminator"):
            weights: MasterWeights[torch.nn.Module] = getattr(self, f"{name}_weights")
            prefix = f"{name}."
            weights.load_state(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )

    def restore(self) -> None:
        """Give the networks their float32 weights; an InfoGANError names one that is not finite.

        The last losses were measured before the last updates, which could still diverge.
        """
        self.generator_weights.restore()
        self.discriminator_weights.restore()
        for network in (self.generator, self.discriminator):
            for name, parameter in network.named_parameters():
                if not bool(parameter.isfinite().all()):
                    raise InfoGANError(
                        f"{type(network).__name__}.{name} is not finite at the last step"
                    )


def make_players(
    table: Table, params: Params, seed: int, backend: Backend, num_labels: int = 1
) -> Players:
    """Networks initialised from the seed, on the device, each with its weights and their Adam."""
    generator, discriminator = build_networks(
        table,
        params.codes,
        params.networks,
        derive_seed(seed, "initialisation"),
        num_labels,
    )
    for network in (generator, discriminator):
        network.to(backend.device).to(memory_format=torch.channels_last)
    training = params.training
    return Players(
        generator,
        discriminator,
        _with_adam(generator, training.generator_lr, training, backend),
        # Release: D's optimiser owns the trunk and both heads.
        _with_adam(discriminator, training.discriminator_lr, training, backend),
    )


def _with_adam(
    network: Network, lr: float, training: Training, backend: Backend
) -> MasterWeights[Network]:
    betas = (training.adam_beta1, training.adam_beta2)
    return MasterWeights(
        network,
        backend.precision,
        partial(torch.optim.Adam, lr=lr, betas=betas, fused=True),
        training.average_decay,
    )
