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
from infogan.objectives import OBJECTIVES
from infogan.params import Maps
from infogan.train.loop import shuffled_batches, train
from infogan.train.objective import Objective
from infogan.train.players import Players, make_players
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
        maps=LIMITS,
        labels_given=labels,
    )


def weights(module):
    """All parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def same_networks(first, second):
    """Whether parameters and running statistics are bitwise equal."""
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def real_batch():
    return torch.rand(BATCH, 1, 28, 28, generator=seeded(100))


def with_sgd(players, lr):
    """The same networks under plain gradient descent."""
    networks = players.generator, players.discriminator
    sgd = partial(torch.optim.SGD, lr=lr)
    masters = [MasterWeights(network, torch.float32, sgd) for network in networks]
    return Players(*networks, *masters)


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


def reference_bounds(params, latents, output, mapped_output):
    """L_I of the categorical and of the continuous codes, from torch's own losses.

    The categories are read off Q's `mapped_output`.
    """
    layout = params.codes
    categorical, column = 0.0, 0
    for code, size in enumerate(layout.categorical):
        target = latents[:, layout.categorical_slice(code)].argmax(dim=1)
        log_q = -cross_entropy(mapped_output[:, column : column + size], target)
        categorical, column = categorical + log_q + math.log(size), column + size
    mean, log_std = output[:, column:].chunk(2, dim=1)
    if not params.codes.learned_std:
        log_std = torch.zeros_like(log_std)
    target = latents[:, layout.continuous_slice]
    log_q = -gaussian_nll_loss(mean, target, (2 * log_std).exp(), full=True, reduction="none")
    return categorical, (log_q + math.log(2)).sum(dim=1).mean()


def reference_step(generator, discriminator, game, real_images, real_labels, rng, lr):
    """One step of both players by plain gradient descent; returns both losses and both bounds."""
    params, objective = game.params, game.objective

    def judge(images, labels):
        features = discriminator.trunk(images)
        shown = labels if objective.labels_given else torch.zeros(BATCH, dtype=torch.int64)
        return discriminator.decision(features)[range(BATCH), shown], features

    def weigh(categorical, continuous):
        return objective.lambda_disc * categorical + objective.lambda_cont * continuous

    def gradients(loss, parameters):
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        return [0.0 if gradient is None else gradient for gradient in found]

    def draw():
        latents = sample(params.codes, BATCH, rng)
        return latents, latents[:, params.codes.categorical_slice(0)].argmax(dim=1)

    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
    latents, category = draw()
    fake_images = generator(latents).detach()
    adversarial = binary_cross_entropy_with_logits(judge(real_images, real_labels)[0], ones)
    fake_logits, features = judge(fake_images, category)
    adversarial = adversarial + binary_cross_entropy_with_logits(fake_logits, zeros)
    output = mapped_output = discriminator.recognition(features)
    if objective.categories_from_maps:
        mapped_output = discriminator(random_map(fake_images, objective.maps, rng))[1]
    learned = weigh(*reference_bounds(params, latents, output, mapped_output))
    bounds = reference_bounds(params, latents, output, output)

    # The trunk and D's head take the adversarial gradient, Q's head the bound's, and the trunk
    # the bound's as well if the objective says so.
    named = list(discriminator.named_parameters())
    parameters = [parameter for _, parameter in named]
    from_adversary, from_bound = gradients(adversarial, parameters), gradients(-learned, parameters)
    with torch.no_grad():
        for (name, parameter), first, second in zip(named, from_adversary, from_bound, strict=True):
            takes = objective.trunk_learns_bound or name.startswith("recognition")
            parameter -= lr * (first + second if takes else first)

    latents, category = draw()
    logits, features = judge(generator(latents), category)
    loss = fooling = binary_cross_entropy_with_logits(logits, ones)
    if objective.generator_learns_bound:
        output = discriminator.recognition(features)
        loss = loss - weigh(*reference_bounds(params, latents, output, output))
    parameters = list(generator.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients(loss, parameters), strict=True):
            parameter -= lr * gradient
    return [value.item() for value in (adversarial, fooling, *bounds)]


@pytest.mark.parametrize(
    ("objective", "std"),
    [
        (objective_of(0.7, 0.3), "fixed"),
        (objective_of(0.7, 0.3, trunk=False), "learned"),
        (objective_of(0.7, 0.3, maps=True), "learned"),
        (objective_of(0.7, 0.3, maps=True, trunk=False), "fixed"),
        (objective_of(0.7, 0.3, generator=False, trunk=False), "fixed"),
        (objective_of(0.7, 0.3, generator=False, trunk=False, labels=True), "fixed"),
    ],
    ids=["infogan", "trunk apart", "from maps", "from maps, trunk apart", "gan", "cgan"],
)
def test_a_step_descends_the_papers_losses_and_returns_them(make_params, backend, objective, std):
    # Fake images that differ clearly, so that batch norm does not magnify rounding.
    network = {"networks.init_std": 0.3, "networks.norm_eps": 0.01}
    params = make_params({"codes.continuous_std": std, **network})
    num_labels = 5 if objective.labels_given else 1
    before = make_players(TABLES["mnist"], params, 0, backend, num_labels)
    expected = [copy.deepcopy(network) for network in (before.generator, before.discriminator)]
    players = with_sgd(copy.deepcopy(before), 0.1)
    game, labels = Game(params, objective, backend), torch.tensor([3, 3, 3, 1, 4, 1, 1, 0])
    given = labels if objective.labels_given else None
    measures = train_step(players, game, real_batch(), seeded(1), given)
    losses = reference_step(*expected, game, real_batch(), labels, seeded(1), 0.1)
    names = ("discriminator_loss", "generator_loss", "bound_cat_nats", "bound_cont_nats")
    assert not any(value.requires_grad for value in measures.values())
    found = {name: value.item() for name, value in measures.items()}
    assert found == pytest.approx(dict(zip(names, losses, strict=True)), abs=1e-5)
    for name, network in zip(("generator", "discriminator"), expected, strict=True):
        assert (weights(network) - weights(getattr(before, name))).abs().max() > 1e-3
        assert torch.allclose(weights(getattr(players, name)), weights(network), atol=2e-6)


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
    players = with_sgd(make_players(TABLES["mnist"], params, 0, backend), 1e-6)
    before = copy.deepcopy(players.discriminator)
    game = Game(params, objective_of(information=0.6e6, consistency=0.9e6), backend)
    train_step(players, game, real_batch(), seeded())

    rng = seeded()
    game.sample_latents(rng)  # those of the D step come first
    features = before.features(real_batch(), game.map(real_batch(), rng))
    loss = real_image_loss(before, objective_of(**REAL), *features)
    gradients = torch.autograd.grad(loss, list(before.parameters()), allow_unused=True)
    moved = zip(before.named_parameters(), players.discriminator.parameters(), strict=True)
    assert max(gradient.abs().max() for gradient in gradients if gradient is not None) > 0.1
    for ((name, parameter), after), gradient in zip(moved, gradients, strict=True):
        assert (gradient is None) == name.startswith("decision")
        expected = torch.zeros(()) if gradient is None else gradient
        assert torch.allclose(parameter - after, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("codes", "objective"), [([5, 3], objective_of()), ([], objective_of(**REAL, maps=True))]
)
def test_a_step_draws_latents_for_each_player_and_maps_only_what_is_asked_for(
    make_params, backend, codes, objective
):
    params = make_params({"codes.categorical": codes, "codes.noise_prior": "normal"})
    game, rng, expected = Game(params, objective, backend), seeded(), seeded()
    train_step(make_players(TABLES["mnist"], params, 0, backend), game, real_batch(), rng)
    for _ in range(2):
        sample(params.codes, BATCH, expected)
    assert torch.equal(rng.get_state(), expected.get_state())


# Batches.


def test_epochs_are_permutations_shuffled_anew_without_their_remainder():
    batches = list(islice(shuffled_batches(11, 3, seeded(), CPU), 60))
    assert {len(batch) for batch in batches} == {3}
    epochs = torch.cat(batches).view(20, 9).tolist()
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 20
    assert {index for epoch in epochs for index in epoch} == set(range(11))


@pytest.mark.parametrize(("batch_size", "held_out"), [(61, 0), (8, 53), (8, 1000)])
def test_a_batch_larger_than_the_data_is_refused_in_one_line(run, batch_size, held_out):
    changes = {"training.batch_size": batch_size, "training.held_out_images": held_out}
    with pytest.raises(InfoGANError) as refused:
        run(changes=changes)
    assert str(refused.value) == (
        f"training.batch_size = {batch_size}: expected at most the {max(0, 60 - held_out)} "
        "training images that training.held_out_images leaves"
    )


def test_a_batch_may_be_all_the_data(run):
    assert len(run(changes={"training.batch_size": 60})[2]) == 2


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


@pytest.mark.parametrize(("every", "steps"), [(2, [2, 4]), (50, [4])])
def test_the_last_step_is_logged_once(run, every, steps):
    logged = run(changes={"num_steps": 4, "training.log_every": every})[2]
    assert [step for step, _ in logged] == steps


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
    ("categorical", "continuous", "noise", "bounds"),
    [
        ([], 3, 5, {"bound_cont_nats"}),
        ([4], 0, 5, {"bound_cat_nats"}),
        ([3, 2, 4], 1, 0, {"bound_cat_nats", "bound_cont_nats"}),
    ],
)
def test_every_layout_trains_and_logs_the_bounds_it_has(
    run, categorical, continuous, noise, bounds
):
    codes = {"categorical": categorical, "continuous": continuous, "noise": noise}
    logged = run(changes={f"codes.{name}": value for name, value in codes.items()})[2]
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


def assert_same_training(first, second):
    assert same_networks(first[0], second[0])
    assert same_networks(first[1], second[1])
    assert torch.equal(first[3], second[3])
    assert repr(first[2]) == repr(second[2])  # in the same order, too


@pytest.mark.parametrize(
    ("name", "precision", "changes"),
    [
        ("infogan", torch.float32, {}),
        ("gan", torch.bfloat16, {}),
        ("cgan", torch.float32, {"training.held_out_images": 12, "training.log_every": 1}),
        ("infogan", torch.bfloat16, {"codes.categorical": [], "codes.continuous_std": "learned"}),
    ],
    ids=str,
)
def test_a_training_cut_off_after_every_step_ends_in_the_same_bits(
    run, tmp_path, name, precision, changes
):
    options = {"changes": SHORT | changes, "backend": Backend(CPU, precision, 1)}
    for step in range(7):
        snapshots = CutOff(tmp_path, num_steps=1)
        with pytest.raises(Interrupted):
            run(name, **options, snapshots=snapshots)
        snapshots.close()  # as the end of its process does
        assert snapshots.resumed_step == step
    snapshots = CutOff(tmp_path, num_steps=math.inf)
    assert_same_training(run(name, **options, snapshots=snapshots), run(name, **options))
    assert snapshots.resumed_step == 7


def test_snapshots_do_not_change_a_training(run, tmp_path):
    snapshots = Snapshots(tmp_path, "run", {}, lambda text: None, seconds_between=0.0)
    assert_same_training(run(changes=SHORT, snapshots=snapshots), run(changes=SHORT))
    assert snapshots.load().step == 7


# What is learned.


def test_a_few_hundred_steps_make_the_categorical_code_readable_and_the_controls_less(
    make_params, backend, digit_images
):
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
    bounds = {"infogan": [], "gan": []}
    for name, found in bounds.items():

        def log(step, means, found=found):
            found.append(means["bound_cat_nats"])

        train(digit_images, params, OBJECTIVES[name](params), 0, backend, log)
    assert 0.8 < bounds["infogan"][-1] < math.log(5)
    assert -0.1 < bounds["gan"][-1] < bounds["infogan"][-1] - 0.3


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


@pytest.mark.parametrize(("categories", "columns"), [([5, 3], 5), ([], 10)])
def test_a_film_shows_three_draws_in_every_category(
    make_params, backend, digit_images, categories, columns
):
    pictures = film(make_params, backend, digit_images, {"codes.categorical": categories}).film
    assert pictures.shape == (len(film_steps(6, 4)), 3, columns, 1, 28, 28)


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


# Labels.


def train_on_digits(make_params, backend, images, name, labels, changes=None):
    params = make_params({"codes.categorical": [10]} | (changes or {}))
    objective = OBJECTIVES[name](params)
    return train(images, params, objective, 0, backend, lambda *log: None, labels=labels)


def test_labels_are_refused_where_the_objective_gives_none_and_missed_where_it_does(
    make_params, backend, digit_images
):
    labels = torch.arange(20) % 10
    for name, given in (("infogan", labels), ("gan", labels), ("cgan", None)):
        with pytest.raises(ValueError, match="labels"):
            train_on_digits(make_params, backend, digit_images[:20], name, given)


def test_labels_of_held_out_images_are_held_out(make_params, backend, digit_images):
    images, labels = digit_images[:40], torch.arange(40) % 10
    held_out = {"training.held_out_images": 20}
    other = torch.cat([labels[:20].flip(0), labels[20:]])
    first, second = (
        train_on_digits(make_params, backend, images, "cgan", given, held_out)
        for given in (labels, other)
    )
    assert same_networks(first.discriminator, second.discriminator)
