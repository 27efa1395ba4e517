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


def descend(weights, steps):
    for step in steps:
        weights.descend(loss_of(weights.network, step))


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


# In float32.


@pytest.mark.parametrize("fused", [True, False])
def test_adam_is_bitwise_that_of_torch(build, fused):
    ours, theirs = build(), build()
    adam = ADAM(ours.parameters(), fused=fused)
    # By torch's default that of a CPU is not fused.
    reference = torch.optim.Adam(theirs.parameters(), 0.01, (0.5, 0.999), fused=fused or None)
    for step in range(5):
        adam.lr = reference.param_groups[0]["lr"] = 0.01 / (1 + step)
        for network, optimizer in ((ours, adam), (theirs, reference)):
            network.zero_grad()
            output = network(torch.rand(7, 1, 28, 28, generator=seeded(step)))
            # The first does not reach Q's head.
            (output[0].sum() if step == 0 else loss_of(network, step)).backward()
            optimizer.step()
        assert same(ours.state_dict(), theirs.state_dict())


def test_in_float32_it_is_bitwise_the_plain_optimiser(build):
    network = build()
    plain = copy.deepcopy(network)
    optimizer = ADAM(plain.parameters())
    weights = MasterWeights(network, torch.float32, ADAM)
    for step in range(5):
        weights.descend(loss_of(network, step))
        plain.zero_grad()
        loss_of(plain, step).backward()
        optimizer.step()
        assert same(network.state_dict(), plain.state_dict())
    assert not same(network.state_dict(), build().state_dict())


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
    gradients = torch.autograd.grad(loss_of(weights.network), weights.copies)
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
    images = torch.rand(7, 1, 28, 28, generator=seeded()).to(precision)
    weights.descend(weights.network(images)[0].float().sum())
    network = weights.network
    assert all(map(torch.equal, head, network.recognition.parameters()))
    assert not any(map(torch.equal, trunk, network.trunk.parameters()))


# The state.


@every_precision
def test_a_loaded_state_is_not_changed_by_later_steps(build, precision):
    weights = MasterWeights(build(), precision, ADAM)
    descend(weights, [0])
    state = copy.deepcopy(weights.state())
    kept = copy.deepcopy(state)
    weights.load_state(state)
    descend(weights, [1])
    assert same(state, kept)
    assert not same(weights.state(), kept)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nn.Linear(3, 5), nn.Linear(1, 5)),  # would broadcast
        (nn.Linear(3, 5), nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))),
        (nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)), nn.Linear(3, 5)),
    ],
    ids=["narrower", "longer", "without statistics"],
)
def test_the_state_of_another_network_is_refused(ours, theirs):
    weights, others = (MasterWeights(network, torch.float32, ADAM) for network in (ours, theirs))
    for each, num_inputs in ((weights, 3), (others, next(theirs.parameters()).shape[1])):
        inputs = torch.ones(2, num_inputs)
        each.descend(each.network(inputs).square().sum())
    before = copy.deepcopy(weights.state())
    with pytest.raises(RuntimeError, match="same layers"):
        weights.load_state(others.state())
    assert same(weights.state(), before)


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
    buffers = {name: buffer.clone() for name, buffer in weights.network.named_buffers()}
    portrait = weights.portrait()
    weights.restore()
    for parameter, master in zip(weights.network.parameters(), masters, strict=True):
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, master)
    assert same(dict(weights.network.named_buffers()), buffers)
    assert portrait is not weights.network
    assert same(portrait.state_dict(), weights.network.state_dict())
