"""The networks that play, each with its float32 weights and their Adam."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from infogan.base.errors import InfoGANError
from infogan.base.randomness import derive_seed
from infogan.method.networks import Discriminator, Generator, Table, build_networks
from infogan.method.optimisation import Adam, MasterWeights, Network
from infogan.method.runtime import Backend
from infogan.params import Params


@dataclass(frozen=True)
class Players:
    """The networks, which compute in the backend's precision, and their weights in float32."""

    generator: Generator
    discriminator: Discriminator
    generator_weights: MasterWeights[Generator]
    discriminator_weights: MasterWeights[Discriminator]

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the random streams."""
        return {
            prefix + name: value
            for prefix, weights in self._by_prefix().items()
            for name, value in weights.state().items()
        }

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up a `state` again."""
        for prefix, weights in self._by_prefix().items():
            weights.load_state(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )

    def _by_prefix(self) -> dict[str, MasterWeights[Any]]:
        return {"generator.": self.generator_weights, "discriminator.": self.discriminator_weights}

    def restore(self) -> None:
        """Give the networks their float32 weights; an InfoGANError names one that is not finite.

        The last losses were measured before the last updates, which could still diverge.
        """
        for weights in self._by_prefix().values():
            weights.restore()
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
    drawn = derive_seed(seed, "initialisation")
    generator, discriminator = build_networks(
        table, params.codes, params.networks, drawn, num_labels
    )
    for network in (generator, discriminator):
        network.to(backend.device).to(memory_format=torch.channels_last)
    training = params.training

    def with_adam(network: Network, lr: float) -> MasterWeights[Network]:
        betas = (training.adam_beta1, training.adam_beta2)
        adam = partial(Adam, lr=lr, betas=betas)
        return MasterWeights(network, backend.precision, adam, training.average_decay)

    return Players(
        generator,
        discriminator,
        with_adam(generator, training.generator_lr),
        # Release: D's optimiser owns the trunk and both heads.
        with_adam(discriminator, training.discriminator_lr),
    )
