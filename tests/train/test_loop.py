import copy
import math
from functools import partial
from itertools import islice, pairwise

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, gaussian_nll_loss

from infogan.base.errors import InfoGANError
from infogan.base.images import scale
from infogan.base.randomness import random_stream
from infogan.method.codes import sample
from infogan.method.film import film_steps
from infogan.method.losses import inconsistency, information
from infogan.method.maps import random_map
from infogan.method.networks import TABLES
from infogan.method.optimisation import MasterWeights
from infogan.method.runtime import Backend
from infogan.objectives import NO_MAPS, OBJECTIVES
from infogan.params import Maps
from infogan.train.loop import shuffled_batches, train
from infogan.train.objective import Objective
from infogan.train.players import make_players
from infogan.train.snapshot import Interrupted, Snapshots
from infogan.train.step import Game, real_image_loss, train_step

CPU = torch.device("cpu")
BATCH = 8
LIMITS = Maps(rotation=0.35, shear=0.5, scale=0.25, shift=0.15, elastic=0.1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def objective_of(
    disc=1.0,
    cont=1.0,
    *,
    information=0.0,
    consistency=0.0,
    generator=True,
    trunk=True,
    maps=False,
    limits=LIMITS,
    labels=False,
):
    return Objective(
        lambda_disc=disc,
        lambda_cont=cont,
        lambda_information=information,
        lambda_consistency=consistency,
        generator_learns_bound=generator,
        trunk_learns_bound=trunk,
        categories_from_maps=maps,
        maps=limits,
        labels_given=labels,
    )


def weights(module):
    """All parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def same_networks(first, second):
    """Whether parameters and running statistics are bitwise equal."""
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def real_batch(seed=0):
    return torch.rand(BATCH, 1, 28, 28, generator=seeded(seed + 100))


@pytest.fixture
def play(make_params, backend):
    """Play some steps from seed 0; `still` names the player whose learning rate is 0."""

    def play_steps(objective, changes=None, *, num_steps=1, still=None):
        params = make_params(changes)
        players = make_players(TABLES["mnist"], params, 0, backend)
        if still:
            for group in getattr(players, f"{still}_weights").optimizer.param_groups:
                group["lr"] = 0.0
        game, rng = Game(params, objective, backend), seeded()
        for index in range(num_steps):
            measures = train_step(players, game, real_batch(index), rng)
        return players, measures

    return play_steps


@pytest.fixture
def run(make_params, backend, digit_images):
    """Train on real digits; returns G, D and what was logged."""

    def run_training(name="infogan", changes=None, *, seed=0, backend=backend, snapshots=None):
        params = make_params(changes)
        objective, logged = OBJECTIVES[name](params), []
        networks = train(
            digit_images[:60],
            params,
            objective,
            seed,
            backend,
            lambda step, means: logged.append((step, means)),
            snapshots,
            torch.arange(60) % 5 if objective.labels_given else None,
        )
        return networks.generator, networks.discriminator, logged, networks.film

    return run_training


# One step against the equations, computed apart.


def reference_bound(params, latents, output, mapped_output=None):
    """lambda L_I with lambda_disc 0.7 and lambda_cont 0.3, from torch's own losses.

    With `mapped_output`, Q's answers to mapped images, the categories are read off those.
    """
    layout = params.codes
    read_off = output if mapped_output is None else mapped_output
    total, column = 0.0, 0
    for code, size in enumerate(layout.categorical):
        target = latents[:, layout.categorical_slice(code)].argmax(dim=1)
        log_q = -cross_entropy(read_off[:, column : column + size], target)
        total, column = total + 0.7 * (log_q + math.log(size)), column + size
    mean, log_std = output[:, column:].chunk(2, dim=1)
    if not params.codes.learned_std:
        log_std = torch.zeros_like(log_std)
    target = latents[:, layout.continuous_slice]
    log_q = -gaussian_nll_loss(mean, target, (2 * log_std).exp(), full=True, reduction="none")
    return total + 0.3 * (log_q + math.log(2)).sum(dim=1).mean()


def reference_step(generator, discriminator, params, real_images, rng, objective, lr):
    """One step of both players by plain gradient descent; returns both losses."""

    def draw():
        return sample(params.codes, BATCH, rng)

    def descend(loss, parameters):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        return [0.0 if gradient is None else gradient for gradient in gradients]

    latents = draw()
    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
    fake_images = generator(latents)
    real_logits, _ = discriminator(real_images)
    fake_logits, output = discriminator(fake_images.detach())
    adversarial = binary_cross_entropy_with_logits(
        real_logits, ones
    ) + binary_cross_entropy_with_logits(fake_logits, zeros)
    mapped_output = None
    if objective.categories_from_maps:
        mapped_output = discriminator(random_map(fake_images.detach(), objective.maps, rng))[1]
    bound = reference_bound(params, latents, output, mapped_output)

    # The trunk and D's head take the adversarial gradient, Q's head the bound's, and the trunk
    # the bound's as well if the objective says so.
    named = list(discriminator.named_parameters())
    parameters = [parameter for _, parameter in named]
    from_adversary, from_bound = descend(adversarial, parameters), descend(-bound, parameters)
    with torch.no_grad():
        for (name, parameter), first, second in zip(named, from_adversary, from_bound, strict=True):
            takes = objective.trunk_learns_bound or name.startswith("recognition")
            parameter -= lr * (first + second if takes else first)

    latents = draw()
    logits, output = discriminator(generator(latents))
    fooling = binary_cross_entropy_with_logits(logits, ones)
    loss = fooling
    if objective.generator_learns_bound:
        loss = loss - reference_bound(params, latents, output)
    parameters = list(generator.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= lr * gradient
    return adversarial, fooling


@pytest.mark.parametrize("std", ["fixed", "learned"])
@pytest.mark.parametrize(
    "objective",
    [
        objective_of(0.7, 0.3),
        objective_of(0.7, 0.3, trunk=False),
        objective_of(0.7, 0.3, maps=True),
        objective_of(0.7, 0.3, maps=True, trunk=False),
        objective_of(0.7, 0.3, generator=False, trunk=False),
    ],
    ids=["infogan", "trunk apart", "from maps", "from maps, trunk apart", "gan"],
)
def test_a_step_descends_the_papers_losses(make_params, backend, objective, std):
    # Fake images that differ clearly, so that batch norm does not magnify rounding.
    network = {"networks.init_std": 0.3, "networks.norm_eps": 0.01}
    params = make_params({"codes.continuous_std": std, **network})
    players = make_players(TABLES["mnist"], params, 0, backend)
    generator = copy.deepcopy(players.generator)
    discriminator = copy.deepcopy(players.discriminator)
    lr = 0.1
    players = type(players)(
        players.generator,
        players.discriminator,
        MasterWeights(players.generator, torch.float32, partial(torch.optim.SGD, lr=lr)),
        MasterWeights(players.discriminator, torch.float32, partial(torch.optim.SGD, lr=lr)),
    )
    measures = train_step(players, Game(params, objective, backend), real_batch(), seeded(1))
    adversarial, fooling = reference_step(
        generator, discriminator, params, real_batch(), seeded(1), objective, lr
    )
    assert measures["discriminator_loss"].item() == pytest.approx(adversarial.item(), abs=1e-5)
    assert measures["generator_loss"].item() == pytest.approx(fooling.item(), abs=1e-5)
    before = make_players(TABLES["mnist"], params, 0, backend)
    for name, expected in (("generator", generator), ("discriminator", discriminator)):
        moved = getattr(players, name)
        start = weights(getattr(before, name))
        assert (weights(expected) - start).abs().max() > 1e-3
        assert torch.allclose(weights(moved), weights(expected), atol=2e-6)


def test_measures_are_both_losses_and_both_bounds_before_the_update(play, make_params):
    _, measures = play(objective_of())
    assert set(measures) == {
        "discriminator_loss",
        "generator_loss",
        "bound_cat_nats",
        "bound_cont_nats",
    }
    assert not any(value.requires_grad for value in measures.values())
    # Untrained, with init_std 0.02: D says one half, and Q guesses evenly, with mean 0.
    assert measures["discriminator_loss"].item() == pytest.approx(2 * math.log(2), abs=0.15)
    assert measures["generator_loss"].item() == pytest.approx(math.log(2), abs=0.15)
    assert measures["bound_cat_nats"].item() == pytest.approx(0, abs=0.1)
    # log 2 - log(2 pi) / 2 - E[c^2] / 2 per code, with E[c^2] = 1/3; 16 codes were drawn.
    assert measures["bound_cont_nats"].item() == pytest.approx(2 * -0.392, abs=0.35)


# Who learns what.


def test_the_update_of_d_and_q_leaves_g_untouched(play, make_params, backend):
    start = make_players(TABLES["mnist"], make_params(), 0, backend)
    players, _ = play(objective_of(), still="generator")
    assert torch.equal(weights(players.generator), weights(start.generator))
    assert not torch.equal(weights(players.discriminator), weights(start.discriminator))


def test_the_update_of_g_leaves_d_and_q_untouched(play, make_params, backend):
    start = make_players(TABLES["mnist"], make_params(), 0, backend)
    players, _ = play(objective_of(), still="discriminator")
    assert torch.equal(weights(players.discriminator), weights(start.discriminator))
    assert not torch.equal(weights(players.generator), weights(start.generator))


def test_d_takes_gradients_again_after_a_step(play):
    players, _ = play(objective_of())
    assert all(parameter.requires_grad for parameter in players.discriminator.parameters())


def test_in_the_control_the_bound_reaches_qs_head_alone(play):
    control = {"generator": False, "trunk": False}
    low, _ = play(objective_of(0.5, 1.0, **control), num_steps=3)
    high, _ = play(objective_of(4.0, 1.0, **control), num_steps=3)
    assert same_networks(low.generator, high.generator)
    assert same_networks(low.discriminator.trunk, high.discriminator.trunk)
    assert same_networks(low.discriminator.decision, high.discriminator.decision)
    assert not torch.equal(
        weights(low.discriminator.recognition), weights(high.discriminator.recognition)
    )


def test_in_infogan_the_bound_reaches_g(play):
    without, _ = play(objective_of(0.0, 0.0), still="discriminator")
    for weight in ((1.0, 0.0), (0.0, 1.0)):
        players, _ = play(objective_of(*weight), still="discriminator")
        assert not torch.equal(weights(players.generator), weights(without.generator))


@pytest.mark.parametrize("trunk", [True, False])
def test_the_bound_reaches_the_trunk_only_if_it_learns_the_bound(play, trunk):
    without, _ = play(objective_of(0.0, 0.0), num_steps=3, still="generator")
    players, _ = play(objective_of(2.0, 2.0, trunk=trunk), num_steps=3, still="generator")
    same = torch.equal(weights(players.discriminator.trunk), weights(without.discriminator.trunk))
    assert same == (not trunk)
    assert torch.equal(
        weights(players.discriminator.decision), weights(without.discriminator.decision)
    ) == (not trunk)
    assert not torch.equal(
        weights(players.discriminator.recognition), weights(without.discriminator.recognition)
    )


def test_with_both_weights_0_infogan_trains_g_and_the_trunk_like_the_control(play):
    infogan, _ = play(objective_of(0.0, 0.0, trunk=False), num_steps=3)
    control, _ = play(objective_of(generator=False, trunk=False), num_steps=3)
    assert same_networks(infogan.generator, control.generator)
    assert same_networks(infogan.discriminator.trunk, control.discriminator.trunk)


def test_weights_of_the_two_bounds_are_separate(play):
    # Q's last layer has columns of its own for each kind of code, so a weight of 0 stills them.
    disc_only, _ = play(objective_of(1.0, 0.0))
    cont_only, _ = play(objective_of(0.0, 1.0))
    start, _ = play(objective_of(), still="discriminator")
    last = [p.discriminator.recognition[-1].weight for p in (start, disc_only, cont_only)]
    num_logits = 5 + 3
    moved = [
        [
            not torch.equal(w[rows], last[0][rows])
            for rows in (slice(num_logits), slice(num_logits, num_logits + 2))
        ]
        for w in last[1:]
    ]
    assert moved == [[True, False], [False, True]]


def test_each_player_has_the_papers_adam(make_params, backend):
    players = make_players(TABLES["mnist"], make_params(), 0, backend)
    for optimizer, lr in (
        (players.discriminator_weights.optimizer, 2e-4),
        (players.generator_weights.optimizer, 1e-3),
    ):
        assert isinstance(optimizer, torch.optim.Adam)
        (group,) = optimizer.param_groups
        assert (group["lr"], tuple(group["betas"])) == (lr, (0.5, 0.999))


# What Q learns from real images.

REAL = {"information": 0.6, "consistency": 0.9}


def test_the_loss_on_real_images_sums_over_the_codes_what_each_is_told(make_params, backend):
    params = make_params()
    players = make_players(TABLES["mnist"], params, 0, backend)
    discriminator, images = players.discriminator, real_batch()
    mapped = random_map(images, LIMITS, seeded(2))
    features = discriminator.features(images, mapped)
    loss = real_image_loss(discriminator, objective_of(**REAL), *features)

    answer, mapped_answer = (
        discriminator.recognition(discriminator.trunk(each))[:, : 5 + 3].split([5, 3], dim=1)
        for each in (images, mapped)
    )
    expected = sum(
        0.9 * inconsistency(answer[code], mapped_answer[code]) - 0.6 * information(answer[code])
        for code in range(2)
    )
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    # Untrained, Q guesses evenly: 0.9 (log 5 + log 3).
    assert loss.item() == pytest.approx(0.9 * math.log(15), abs=0.01)


def test_the_loss_on_real_images_is_added_to_the_loss_of_d_and_q(make_params, backend):
    # Of 1e6 times the loss, everything else is a rounding error. Fake images that differ.
    params = make_params({"networks.init_std": 0.3, "networks.norm_eps": 0.01})
    players = make_players(TABLES["mnist"], params, 0, backend)
    weights_ = MasterWeights(
        players.discriminator, torch.float32, partial(torch.optim.SGD, lr=1e-6)
    )
    before = copy.deepcopy(players.discriminator)
    game = Game(params, objective_of(information=0.6e6, consistency=0.9e6), backend)
    stepped = type(players)(
        players.generator, players.discriminator, players.generator_weights, weights_
    )
    train_step(stepped, game, real_batch(), seeded())

    rng = seeded()
    game.sample_latents(rng)  # those of the D step come first
    features = before.features(real_batch(), game.map(real_batch(), rng))
    loss = real_image_loss(before, objective_of(**REAL), *features)
    parameters = [*before.trunk.parameters(), *before.recognition.parameters()]
    gradients = torch.autograd.grad(loss, parameters)
    moved = [*players.discriminator.trunk.parameters()]
    moved += [*players.discriminator.recognition.parameters()]
    assert max(gradient.abs().max() for gradient in gradients) > 0.1
    for parameter, gradient, after in zip(parameters, gradients, moved, strict=True):
        assert torch.allclose(parameter - after, gradient, atol=1e-4)


def test_with_both_weights_0_real_images_are_not_mapped_and_teach_q_nothing(play):
    first, measures = play(objective_of(), num_steps=2)
    other = LIMITS.model_copy(update={"rotation": 1.0, "shift": 0.7})
    again, same_measures = play(objective_of(limits=other), num_steps=2)
    assert measures == same_measures
    assert same_networks(first.generator, again.generator)
    assert same_networks(first.discriminator, again.discriminator)


def test_the_limits_of_the_maps_reach_the_loss(play):
    first, _ = play(objective_of(consistency=0.9))
    again, _ = play(
        objective_of(consistency=0.9, limits=LIMITS.model_copy(update={"rotation": 1.0}))
    )
    assert not same_networks(first.discriminator, again.discriminator)


@pytest.mark.parametrize("weight", [{"information": 0.6}, {"consistency": 0.9}])
def test_real_images_teach_the_trunk_and_qs_head_and_not_d(play, weight):
    # No bound of the categorical codes, whose gradient has the same sign, all that Adam's first
    # step looks at.
    without, _ = play(objective_of(0.0, 1.0))
    players, _ = play(objective_of(0.0, 1.0, **weight))
    first, second = without.discriminator, players.discriminator
    assert torch.equal(weights(first.decision), weights(second.decision))
    assert not torch.equal(weights(first.trunk), weights(second.trunk))
    assert not torch.equal(weights(first.recognition), weights(second.recognition))
    # Q's columns of the continuous codes are told nothing.
    last, again = (d.recognition[-1].weight for d in (first, second))
    assert not torch.equal(last[: 5 + 3], again[: 5 + 3])
    assert torch.equal(last[5 + 3 :], again[5 + 3 :])


def test_real_images_teach_q_to_sort_them_evenly_and_without_doubt(make_params, backend):
    # Images bright on the left, and on the right; nobody tells which is which.
    kinds = torch.zeros(2, 1, 28, 28)
    kinds[0, :, :, :14] = kinds[1, :, :, 14:] = 0.9
    params = make_params(
        {
            "codes.categorical": [2],
            "training.batch_size": 16,
            "training.discriminator_lr": 1e-2,
        }
    )
    players = make_players(TABLES["mnist"], params, 0, backend)
    # 60 steps are too few to learn to see through bent images.
    objective = objective_of(0.0, 0.0, **REAL, limits=LIMITS.model_copy(update={"elastic": 0.0}))
    game, rng = Game(params, objective, backend), seeded()
    for _ in range(60):
        images = kinds.repeat(8, 1, 1, 1) + 0.1 * torch.rand(16, 1, 28, 28, generator=rng)
        train_step(players, game, images, rng)
    logits = players.discriminator(images)[1][:, :2].detach()
    assert information(logits).item() == pytest.approx(math.log(2), abs=0.05)
    answers = logits.argmax(dim=1).view(8, 2)
    assert (answers == answers[0]).all()


@pytest.mark.parametrize("changes", [{"codes.categorical": []}, {"codes.categorical": [4, 3, 2]}])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_real_images_teach_any_number_of_categorical_codes(run, changes, precision):
    on = {"lambda_information": 0.6, "lambda_consistency": 0.9}
    logged = run(changes={**changes, **on}, backend=Backend(CPU, precision, 1))[2]
    assert all(math.isfinite(value) for value in logged[-1][1].values())


def test_without_a_categorical_code_nothing_is_mapped(make_params, backend):
    params = make_params({"codes.categorical": []})
    game = Game(params, objective_of(**REAL, maps=True), backend)
    rng, expected = seeded(), seeded()
    train_step(make_players(TABLES["mnist"], params, 0, backend), game, real_batch(), rng)
    for _ in range(2):
        sample(params.codes, BATCH, expected)
    assert torch.equal(rng.get_state(), expected.get_state())


# Latents.


def test_g_learns_from_latents_of_its_own(make_params, backend):
    params = make_params()
    players = make_players(TABLES["mnist"], params, 0, backend)
    rng, expected = seeded(), seeded()
    train_step(players, Game(params, objective_of(), backend), real_batch(), rng)
    for _ in range(2):
        sample(params.codes, BATCH, expected)
    assert torch.equal(rng.get_state(), expected.get_state())


def test_latents_come_from_the_parameters_noise_prior(make_params, backend):
    for prior in ("uniform", "normal"):
        params = make_params({"codes.noise_prior": prior})
        latents = Game(params, objective_of(), backend).sample_latents(seeded())
        assert torch.equal(latents, sample(params.codes, BATCH, seeded()))


# Batches.


def test_an_epoch_is_a_permutation_without_its_remainder():
    batches = list(islice(shuffled_batches(11, 3, seeded(), CPU), 6))
    assert [len(batch) for batch in batches] == [3] * 6
    for epoch in (batches[:3], batches[3:]):
        indices = torch.cat(epoch).tolist()
        assert len(set(indices)) == 9
        assert set(indices) <= set(range(11))


def test_epochs_are_shuffled_anew_and_reach_every_image():
    epochs = torch.stack(list(islice(shuffled_batches(11, 11, seeded(), CPU), 5)))
    assert len(epochs.unique(dim=0)) == 5
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(11).expand(5, 11))
    dropping = torch.cat(list(islice(shuffled_batches(11, 3, seeded(), CPU), 60)))
    assert len(dropping.unique()) == 11


def test_batches_depend_on_their_stream_and_not_on_the_global_random_state():
    drawn = []
    for global_seed, seed in ((1, 4), (2, 4), (2, 5)):
        torch.manual_seed(global_seed)
        drawn.append(torch.cat(list(islice(shuffled_batches(30, 7, seeded(seed), CPU), 4))))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_batch_larger_than_the_data_is_refused_in_one_line(run):
    with pytest.raises(InfoGANError) as refused:
        run(changes={"training.batch_size": 61})
    assert str(refused.value) == (
        "training.batch_size = 61: expected at most the 60 training images that "
        "training.held_out_images leaves"
    )


def test_a_batch_may_be_all_the_data(run):
    assert len(run(changes={"training.batch_size": 60})[2]) == 2


@pytest.mark.parametrize("held_out", [53, 60, 1000])
def test_holding_out_all_but_less_than_a_batch_is_refused(run, held_out):
    message = f"batch_size = 8: expected at most the {max(0, 60 - held_out)} training images"
    with pytest.raises(InfoGANError, match=message):
        run(changes={"training.held_out_images": held_out})


def test_held_out_images_are_the_first_and_are_never_seen(make_params, backend, digit_images):
    params = make_params({"training.held_out_images": 20, "num_steps": 5})
    objective = OBJECTIVES["infogan"](params)
    spoiled = digit_images[:60].clone()
    spoiled[:20] = 255
    trained = [
        train(images, params, objective, 0, backend, lambda step, means: None)
        for images in (digit_images[:60], spoiled, digit_images[:60].flip(0))
    ]
    assert same_networks(trained[0][1], trained[1][1])
    assert not torch.equal(weights(trained[0][1]), weights(trained[2][1]))


# Whole trainings.


def test_the_same_seed_gives_bitwise_the_same_networks_and_log(run):
    torch.manual_seed(1)
    first = run(changes={"num_steps": 3})
    torch.manual_seed(2)
    again = run(changes={"num_steps": 3})
    assert same_networks(first[0], again[0])
    assert same_networks(first[1], again[1])
    assert first[2] == again[2]


def test_training_is_its_steps_on_streams_derived_from_the_seed(
    run, make_params, backend, digit_images
):
    generator, discriminator, logged, _ = run(changes={"num_steps": 3}, seed=5)
    params = make_params()
    players = make_players(TABLES["mnist"], params, 5, backend)
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    batches = shuffled_batches(60, BATCH, random_stream(5, "batches"), CPU)
    latents = random_stream(5, "latents")
    for _, means in logged:
        real_images = scale(digit_images[next(batches)], (0.0, 1.0))
        measures = train_step(players, game, real_images, latents)
        assert means == {name: value.item() for name, value in measures.items()}
    assert same_networks(generator, players.generator)
    assert same_networks(discriminator, players.discriminator)
    first, other = (make_players(TABLES["mnist"], params, seed, backend) for seed in (5, 6))
    assert not torch.equal(weights(first.generator), weights(other.generator))


def test_another_seed_gives_other_networks(run):
    first, other = run(seed=0), run(seed=1)
    assert not torch.equal(weights(first[0]), weights(other[0]))
    assert not torch.equal(weights(first[1]), weights(other[1]))


def test_training_does_not_write_to_the_images(run, digit_images):
    before = digit_images.clone()
    run()
    assert torch.equal(digit_images, before)


def test_means_are_logged_every_interval_and_at_the_last_step(run):
    changes = {"num_steps": 7}
    single = run(changes={**changes, "training.log_every": 1})[2]
    grouped = run(changes={**changes, "training.log_every": 3})[2]
    assert [step for step, _ in single] == [1, 2, 3, 4, 5, 6, 7]
    assert [step for step, _ in grouped] == [3, 6, 7]
    for (_, means), steps in zip(grouped, ((0, 1, 2), (3, 4, 5), (6,)), strict=True):
        assert set(means) == set(single[0][1])
        for name, mean in means.items():
            expected = sum(single[step][1][name] for step in steps) / len(steps)
            assert mean == pytest.approx(expected, abs=1e-5)


def test_a_training_that_ends_on_an_interval_logs_its_last_step_once(run):
    changes = {"num_steps": 4, "training.log_every": 2}
    assert [step for step, _ in run(changes=changes)[2]] == [2, 4]


def test_an_interval_longer_than_the_training_is_logged_at_its_end(run):
    logged = run(changes={"num_steps": 2, "training.log_every": 50})[2]
    assert [step for step, _ in logged] == [2]


@pytest.mark.parametrize("rate", ["training.generator_lr", "training.discriminator_lr"])
def test_a_training_that_diverges_stops_and_names_step_and_measure(run, rate):
    with pytest.raises(InfoGANError) as stopped:
        run(changes={rate: 1e30, "num_steps": 4, "training.log_every": 2})
    message = str(stopped.value)
    assert "\n" not in message
    assert " at step 2: training diverged" in message or " at step 4: training diverged" in message
    name, _, value = message.split(" at step")[0].partition(" = ")
    assert name in {"discriminator_loss", "generator_loss", "bound_cat_nats", "bound_cont_nats"}
    assert not math.isfinite(float(value))


@pytest.mark.parametrize(
    ("categorical", "continuous", "bounds"),
    [
        ([], 3, {"bound_cont_nats"}),
        ([4], 0, {"bound_cat_nats"}),
        ([3, 2, 4], 1, {"bound_cat_nats", "bound_cont_nats"}),
    ],
)
@pytest.mark.parametrize("name", ["infogan", "gan"])
@pytest.mark.parametrize("noise", [0, 5])
def test_every_layout_trains_and_logs_the_bounds_it_has(
    run, name, categorical, continuous, bounds, noise
):
    changes = {
        "codes.categorical": categorical,
        "codes.continuous": continuous,
        "codes.noise": noise,
    }
    logged = run(name, changes)[2]
    assert set(logged[-1][1]) == bounds | {"discriminator_loss", "generator_loss"}
    assert all(math.isfinite(value) for value in logged[-1][1].values())


def test_bfloat16_trains_close_to_float32_with_weights_in_float32(run):
    half = run(backend=Backend(CPU, torch.bfloat16, 1))
    full = run()
    for network in half[:2]:
        kinds = {value.dtype for value in network.state_dict().values()}
        assert kinds == {torch.float32, torch.int64}  # and the counts of batch norm
    rounded = [weight.bfloat16().float() for weight in half[1].parameters()]
    assert not all(map(torch.equal, rounded, half[1].parameters()))
    for name, value in full[2][0][1].items():
        assert half[2][0][1][name] == pytest.approx(value, abs=0.02)
        assert half[2][0][1][name] != value


# Trainings that were cut off.

# Three batches are an epoch, so that cuts fall within and between epochs, and between two logs.
SHORT = {
    "num_steps": 7,
    "training.log_every": 3,
    "training.batch_size": 16,
    "lambda_information": 0.6,
    "lambda_consistency": 0.9,
    "training.average_decay": 0.9,
}
every_precision = pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)


class CutOff(Snapshots):
    """Snapshots of a training that is asked to stop after some steps."""

    def __init__(self, root, num_steps):
        self.said = []
        super().__init__(root, "run", {"seed": 0}, self.said.append, seconds_between=1e9)
        self.steps_left = num_steps

    def after_step(self, take):
        self.steps_left -= 1
        self.stop_requested = self.steps_left == 0
        super().after_step(take)


@pytest.fixture
def interrupt(run, tmp_path):
    """Train for some steps and stop; the next training, or interruption, goes on from there."""

    def train_and_stop(num_steps, *arguments, **options):
        snapshots = CutOff(tmp_path, num_steps)
        with pytest.raises(Interrupted):
            run(*arguments, **options, snapshots=snapshots)
        snapshots.close()  # as the end of its process does

    return train_and_stop


def assert_same_training(first, second):
    assert same_networks(first[0], second[0])
    assert same_networks(first[1], second[1])
    assert torch.equal(first[3], second[3])
    assert repr(first[2]) == repr(second[2])  # in the same order, too


@every_precision
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_a_training_cut_off_after_any_step_ends_in_the_same_bits(
    run, interrupt, tmp_path, name, precision
):
    options = {"changes": SHORT, "backend": Backend(CPU, precision, 1)}
    whole = run(name, **options)
    for step in range(1, 8):
        interrupt(step, name, **options)
        snapshots = CutOff(tmp_path, num_steps=math.inf)
        assert_same_training(run(name, **options, snapshots=snapshots), whole)
        assert snapshots.said == [
            f"goes on after step {step}, from the snapshot in {snapshots.folder}"
        ]
        assert snapshots.steps_left == math.inf
        snapshots.discard()


@every_precision
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_a_training_cut_off_after_every_step_ends_in_the_same_bits(
    run, interrupt, tmp_path, name, precision
):
    options = {"changes": SHORT, "backend": Backend(CPU, precision, 1)}
    for _ in range(7):
        interrupt(1, name, **options)
    snapshots = CutOff(tmp_path, num_steps=math.inf)
    assert_same_training(run(name, **options, snapshots=snapshots), run(name, **options))
    assert snapshots.resumed_step == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"codes.noise_prior": "normal"},
        {"codes.categorical": [], "codes.continuous_std": "learned"},
        {"training.held_out_images": 12, "training.log_every": 1, "bound_trains_trunk": False},
    ],
)
def test_any_training_can_be_cut_off(run, interrupt, tmp_path, changes):
    changes = {**SHORT, **changes}
    interrupt(2, changes=changes)
    interrupt(3, changes=changes)
    snapshots = CutOff(tmp_path, num_steps=math.inf)
    assert_same_training(run(changes=changes, snapshots=snapshots), run(changes=changes))


def test_snapshots_do_not_change_a_training(run, tmp_path):
    snapshots = Snapshots(tmp_path, "run", {}, lambda text: None, seconds_between=0.0)
    assert_same_training(run(changes=SHORT, snapshots=snapshots), run(changes=SHORT))
    assert snapshots.load().step == 7


def test_a_training_goes_on_from_the_snapshot_before_it_was_killed(run, tmp_path):
    # It was killed at step 6: the snapshot after step 4 knows nothing of what came later.
    class KilledAfterSix(CutOff):
        def after_step(self, take):
            self.steps_left -= 1
            self.seconds_between = 0.0 if self.steps_left == 2 else 1e9
            if self.steps_left == 0:
                raise KeyboardInterrupt
            Snapshots.after_step(self, take)

    snapshots = KilledAfterSix(tmp_path, 6)
    with pytest.raises(KeyboardInterrupt):
        run(changes=SHORT, snapshots=snapshots)
    snapshots.close()
    again = CutOff(tmp_path, num_steps=math.inf)
    assert_same_training(run(changes=SHORT, snapshots=again), run(changes=SHORT))
    assert again.resumed_step == 4


# What is learned.


@pytest.fixture(scope="module")
def toy_bounds(make_params, backend, digit_images):
    """The categorical bound, a mean over the last 50 of 200 steps, of both objectives."""
    changes = {
        "networks.width": 0.1,
        "num_steps": 200,
        "codes.categorical": [5],
        "codes.continuous": 1,
        "training.batch_size": 32,
        "training.discriminator_lr": 2e-3,
        "training.generator_lr": 2e-3,
        "training.log_every": 50,
        "maps.elastic": 0.0,
    }
    params = make_params(changes)
    last = {}
    for name in ("infogan", "gan"):

        def log(step, means, name=name):
            last[name] = means["bound_cat_nats"]

        train(digit_images, params, OBJECTIVES[name](params), 0, backend, log)
    return last


def test_a_few_hundred_steps_make_the_categorical_code_readable(toy_bounds):
    assert 0.8 < toy_bounds["infogan"] < math.log(5)


def test_the_control_leaves_its_code_less_readable(toy_bounds):
    assert -0.1 < toy_bounds["gan"] < toy_bounds["infogan"] - 0.3


# The film.


def film(make_params, backend, digit_images, changes=None):
    params = make_params({"num_steps": 6, "training.film_frames": 4} | (changes or {}))
    objective = OBJECTIVES["infogan"](params)
    return train(digit_images[:60], params, objective, 0, backend, lambda step, means: None)


@pytest.mark.parametrize(("num_steps", "frames"), [(2500, 12), (7, 3), (1, 12), (5, 1)])
def test_frames_run_from_the_first_step_to_the_last_and_come_closer_at_the_start(num_steps, frames):
    steps = film_steps(num_steps, frames)
    assert steps[0] == 0
    assert len(set(steps)) == len(steps) <= max(frames, 1)
    if frames > 1:
        assert steps[-1] == num_steps
    gaps = [after - before for before, after in pairwise(steps)]
    assert gaps == sorted(gaps)


def test_a_film_shows_three_draws_in_every_category(make_params, backend, digit_images):
    steps = film_steps(6, 4)
    pictures = film(make_params, backend, digit_images).film
    assert pictures.shape == (len(steps), 3, 5, 1, 28, 28)
    assert pictures.dtype == torch.uint8
    continuous = film(make_params, backend, digit_images, {"codes.categorical": []}).film
    assert continuous.shape == (len(steps), 3, 10, 1, 28, 28)


def test_filming_leaves_the_training_as_it_is(make_params, backend, digit_images):
    often = film(make_params, backend, digit_images, {"training.film_frames": 7})
    once = film(make_params, backend, digit_images, {"training.film_frames": 1})
    assert same_networks(often.generator, once.generator)
    assert same_networks(often.discriminator, once.discriminator)


def test_averaging_changes_what_is_kept_and_filmed_and_no_loss(run):
    changes = {"num_steps": 8, "training.film_frames": 2}
    generator, discriminator, logged, film = run(changes=changes)
    averaged = run(changes=changes | {"training.average_decay": 0.9})
    assert averaged[2] == logged
    assert not same_networks(generator, averaged[0])
    assert not same_networks(discriminator, averaged[1])
    assert torch.equal(film[0], averaged[3][0])
    assert not torch.equal(film[-1], averaged[3][-1])


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_last_frame_is_what_the_training_leaves(make_params, backend, digit_images, decay):
    trained = film(make_params, backend, digit_images, {"training.average_decay": decay})
    layout = make_params().codes
    latents = sample(layout, 3, random_stream(0, "film"))
    latents[:, layout.categorical_slice(0)] = torch.eye(5)[4]
    with torch.no_grad():
        images = trained.generator.eval()(latents)
    expected = (images * 255).round().to(torch.uint8)
    assert torch.equal(trained.film[-1, :, 4], expected)
    assert not torch.equal(trained.film[0], trained.film[-1])


# Categories learned from maps of the fake images.


def test_categories_from_maps_are_the_bound_on_mapped_fakes_in_ds_step_alone(make_params, backend):
    # With both players still, the logged bound is that on the unmapped images either way.
    params = make_params({"networks.init_std": 0.3})
    measures = []
    for maps in (False, True):
        players = make_players(TABLES["mnist"], params, 0, backend)
        game = Game(params, objective_of(maps=maps), backend)
        measures.append(train_step(players, game, real_batch(), seeded(1)))
    for name in ("bound_cat_nats", "bound_cont_nats", "discriminator_loss"):
        assert torch.equal(measures[0][name], measures[1][name])


def test_maps_change_what_q_learns_and_nothing_where_they_move_nothing(play):
    plain, _ = play(objective_of(), still="generator")
    same, _ = play(objective_of(maps=True, limits=NO_MAPS), still="generator")
    mapped, _ = play(objective_of(maps=True), still="generator")
    # The sum of a second pass differs from the first in its rounding alone.
    difference = weights(same.discriminator.trunk) - weights(plain.discriminator.trunk)
    assert difference.abs().median() < 1e-5
    assert not torch.equal(weights(mapped.discriminator), weights(plain.discriminator))


@pytest.mark.parametrize("trunk", [True, False])
def test_the_bound_on_maps_reaches_the_trunk_only_if_it_learns_the_bound(play, trunk):
    without, _ = play(
        objective_of(0.0, 0.0, trunk=trunk, maps=True), num_steps=2, still="generator"
    )
    players, _ = play(
        objective_of(2.0, 0.0, trunk=trunk, maps=True), num_steps=2, still="generator"
    )
    same = torch.equal(weights(players.discriminator.trunk), weights(without.discriminator.trunk))
    assert same == (not trunk)


# Labels.

WITH_LABELS = {"codes.categorical": [10], "codes.continuous": 1}


def train_on_digits(make_params, backend, images, name, labels, changes=None):
    params = make_params({**WITH_LABELS, **(changes or {})})
    objective = OBJECTIVES[name](params)
    return train(images, params, objective, 0, backend, lambda *log: None, labels=labels)


def test_labels_are_refused_where_the_objective_gives_none_and_missed_where_it_does(
    make_params, backend, digit_images
):
    labels = torch.arange(20) % 10
    for name, given in (("infogan", labels), ("gan", labels), ("cgan", None)):
        with pytest.raises(ValueError, match="labels"):
            train_on_digits(make_params, backend, digit_images[:20], name, given)


def test_d_is_shown_the_real_labels_and_c1_as_the_fake_ones(make_params, backend):
    params = make_params(WITH_LABELS)
    objective = objective_of(0.0, 0.0, generator=False, trunk=False, labels=True)
    game = Game(params, objective, backend)
    played = make_players(TABLES["mnist"], params, 0, backend, num_labels=10)
    alike = copy.deepcopy((played.generator, played.discriminator))
    real_labels = torch.tensor([3, 3, 3, 7, 7, 1, 1, 0])
    measured = train_step(played, game, real_batch(), seeded(), real_labels)

    generator, discriminator = alike
    latents = sample(params.codes, BATCH, seeded())
    fake_labels = latents[:, params.codes.categorical_slice(0)].argmax(dim=1)
    loss = torch.zeros(())
    for images, labels, target in (
        (real_batch(), real_labels, 1.0),
        (generator(latents), fake_labels, 0.0),
    ):
        logits = discriminator.decision(discriminator.trunk(images))[range(BATCH), labels]
        loss = loss + binary_cross_entropy_with_logits(logits, torch.full((BATCH,), target))
    assert measured["discriminator_loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    # Labels that no image was shown with teach their row of D's head nothing.
    unseen = set(range(10)) - {*real_labels.tolist(), *fake_labels.tolist()}
    before, after = (d.decision.weight for d in (discriminator, played.discriminator))
    moved = [label for label in range(10) if not torch.equal(before[label], after[label])]
    assert moved == sorted(set(range(10)) - unseen)
    assert unseen


def test_with_labels_each_category_becomes_its_class(make_params, backend):
    # Two kinds of image, told apart by the label alone.
    kinds = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    kinds[0, :, :, :14] = kinds[1, :, :, 14:] = 230
    labels = torch.arange(40) % 2
    changes = {"num_steps": 100, "training.batch_size": 20, "training.generator_lr": 2e-3}
    changes |= {"training.discriminator_lr": 1e-3, "networks.width": 0.15}
    changes |= {"networks.init_std": 0.05}
    trained = train_on_digits(make_params, backend, kinds[labels], "cgan", labels, changes)
    codes = make_params(WITH_LABELS).codes
    latents = sample(codes, 20, seeded())
    latents[:, codes.categorical_slice(0)] = torch.eye(10)[torch.arange(20) % 2]
    images = trained.generator.eval()(latents).detach()
    left, right = images[..., :14].mean(dim=(1, 2, 3)), images[..., 14:].mean(dim=(1, 2, 3))
    assert ((left > right) == (torch.arange(20) % 2 == 0)).all()


def test_labels_of_held_out_images_are_held_out(make_params, backend, digit_images):
    images, labels = digit_images[:40], torch.arange(40) % 10
    held_out = {"training.held_out_images": 20}
    other = torch.cat([labels[:20].flip(0), labels[20:]])
    first, second = (
        train_on_digits(make_params, backend, images, "cgan", given, held_out)
        for given in (labels, other)
    )
    assert same_networks(first.discriminator, second.discriminator)
