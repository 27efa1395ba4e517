import copy
from functools import partial

import pytest
import torch
from torch import nn

from infogan.method.networks import TABLES, build_networks
from infogan.method.optimisation import Adam, MasterWeights
from tests.layouts import code_layout, seeded

LAYOUT = code_layout(noise=6, categorical=(5, 3), continuous=2)
ADAM = partial(Adam, lr=0.01, betas=(0.5, 0.999))
BY_LAYER = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
every_precision = pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)


@pytest.fixture
def build(options):
    """A small discriminator, laid out as in training."""

    def build_discriminator():
        network = build_networks(TABLES["mnist"], LAYOUT, options, seed=0)[1]
        return network.to(memory_format=torch.channels_last)

    return build_discriminator


def loss_of(network, step=0):
    """Some loss that reaches every weight, another one at each step."""
    images = torch.rand(7, 1, 28, 28, generator=seeded(step))
    logits, recognition = network(images.to(network.decision.weight.dtype))
    return (logits.float() - step).square().mean() + recognition.float().cos().mean()


def loss_of_d(network):
    """One that does not reach Q's head."""
    images = torch.rand(7, 1, 28, 28, generator=seeded())
    return network(images.to(network.decision.weight.dtype))[0].sum()


def descend(weights, steps):
    for step in steps:
        weights.descend(loss_of(weights.network, step))


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


# In float32.


@pytest.mark.parametrize("fused", [True, False])
def test_in_float32_it_is_bitwise_the_network_under_torchs_adam(build, fused):
    weights, plain = MasterWeights(build(), torch.float32, partial(ADAM, fused=fused)), build()
    # By torch's default that of a CPU is not fused.
    reference = torch.optim.Adam(plain.parameters(), 0.01, (0.5, 0.999), fused=fused or None)
    for step in range(5):
        weights.optimizer.lr = reference.param_groups[0]["lr"] = 0.01 / (1 + step)
        loss = loss_of_d if step == 0 else partial(loss_of, step=step)
        weights.descend(loss(weights.network))
        plain.zero_grad()
        loss(plain).backward()
        reference.step()
        assert same(weights.network.state_dict(), plain.state_dict())


# In bfloat16.


def test_in_bfloat16_layers_are_rounded_and_batch_norm_is_not(build):
    network = build()
    MasterWeights(network, torch.bfloat16, ADAM)
    seen = {torch.bfloat16: 0, torch.float32: 0}
    for module in network.modules():
        expected = torch.bfloat16 if isinstance(module, BY_LAYER) else torch.float32
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if tensor.is_floating_point():
                assert tensor.dtype == expected
                seen[expected] += 1
    # 2 convolutions and 4 linear layers; 3 batch norms with two weights and two statistics.
    assert seen == {torch.bfloat16: 2 * 6, torch.float32: 4 * 3}


def test_masters_descend_the_gradient_of_the_copies(build):
    weights = MasterWeights(build(), torch.bfloat16, partial(torch.optim.SGD, lr=0.5))
    before = [weight.clone() for weight in build().parameters()]  # not rounded
    gradients = torch.autograd.grad(loss_of(weights.network), list(weights.network.parameters()))
    descend(weights, [0])
    for start, gradient, master in zip(before, gradients, weights.masters, strict=True):
        assert gradient.abs().max() > 0
        assert torch.equal(master, start - 0.5 * gradient.float())


def test_updates_too_small_for_bfloat16_accumulate_until_they_show():
    # Just above 1 bfloat16 has steps of 2^-7. Updates of 2^-10 add up to half of one after 4,
    # which rounds to even, back to 1, and to more than half after 5.
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    weights = MasterWeights(network, torch.bfloat16, partial(torch.optim.SGD, lr=1.0))
    one = torch.ones(1, 1, dtype=torch.bfloat16)
    seen = []
    for _ in range(6):
        weights.descend(-(2**-10) * network(one).float().sum())
        seen.append(network.weight.item())
    assert seen == [1, 1, 1, 1, 1 + 2**-7, 1 + 2**-7]
    assert weights.masters[0].item() == 1 + 6 * 2**-10


# Gradients.


@every_precision
def test_a_step_takes_the_gradient_of_its_own_loss_alone(build, precision):
    moved = []
    for earlier in ([], [1, 2]):
        weights = MasterWeights(build(), precision, partial(torch.optim.SGD, lr=0.0))
        descend(weights, earlier)
        # What another player's loss left in the network.
        loss_of(weights.network, 3).backward()
        weights.optimizer.param_groups[0]["lr"] = 0.1
        descend(weights, [4])
        moved.append(weights.masters)
    assert all(torch.equal(first, second) for first, second in zip(*moved, strict=True))


@every_precision
def test_what_a_loss_does_not_reach_stays_where_it_is(build, precision):
    weights = MasterWeights(build(), precision, ADAM)
    descend(weights, range(2))  # so that every weight has a momentum
    head = [parameter.clone() for parameter in weights.network.recognition.parameters()]
    trunk = [parameter.clone() for parameter in weights.network.trunk.parameters()]
    weights.descend(loss_of_d(weights.network))
    assert all(map(torch.equal, head, weights.network.recognition.parameters()))
    assert not any(map(torch.equal, trunk, weights.network.trunk.parameters()))


# Averages.


def floats(network):
    """Weights and batch statistics by name, in float32."""
    return {k: v.detach().float() for k, v in network.state_dict().items() if v.is_floating_point()}


@every_precision
def test_the_average_is_the_moving_average_of_weights_and_statistics(build, precision):
    plain = MasterWeights(build(), precision, ADAM)
    averaged = MasterWeights(build(), precision, ADAM, average_decay=0.4)
    expected = floats(copy.deepcopy(plain).portrait())
    for step in range(12):
        descend(plain, [step])
        descend(averaged, [step])
        decay = min(0.4, (1 + step) / (10 + step))
        for name, value in floats(plain.portrait()).items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    # What trains is the same to the bit.
    assert same(dict(plain.network.state_dict()), dict(averaged.network.state_dict()))
    shown = floats(averaged.portrait())
    averaged.restore()
    assert same(shown, floats(averaged.network))
    for name, value in shown.items():
        assert torch.allclose(value, expected[name], atol=1e-6), name
    assert not same(shown, floats(plain.portrait()))


@every_precision
def test_without_an_average_a_portrait_and_what_restore_leaves_are_the_masters(build, precision):
    weights = MasterWeights(build(), precision, ADAM)
    descend(weights, range(3))
    masters = [master.clone() for master in weights.masters]
    portrait = weights.portrait()
    weights.restore()
    parameters = list(weights.network.parameters())
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    assert all(map(torch.equal, parameters, masters))
    assert portrait is not weights.network
    assert same(portrait.state_dict(), weights.network.state_dict())
