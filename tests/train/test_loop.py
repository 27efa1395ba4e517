import copy
import math
import re
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from infogan.base.errors import InfoGANError
from infogan.base.images import scale
from infogan.base.randomness import random_stream
from infogan.method.codes import sample
from infogan.method.film import film_steps
from infogan.method.losses import bounds, inconsistency, information
from infogan.method.maps import random_map
from infogan.method.networks import TABLES
from infogan.method.optimisation import MasterWeights
from infogan.method.runtime import Backend, resolve
from infogan.objectives import OBJECTIVES
from infogan.params import Maps, Runtime
from infogan.train.loop import shuffled_batches, train
from infogan.train.objective import Objective
from infogan.train.players import Players, make_players
from infogan.train.progress import Progress
from infogan.train.snapshot import Interrupted, Snapshots
from infogan.train.step import Game, train_step
from tests.layouts import seeded

CPU = torch.device("cpu")
BATCH = 8


def weights(module):
    """All parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def same_networks(first, second):
    """Whether parameters and running statistics are bitwise equal."""
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.fixture
def run(make_params, backend, digit_images):
    """Train on some real digits; returns G, D, what was logged, and the film."""

    def run_training(
        name="infogan", changes=None, *, seed=0, backend=backend, snapshots=None, num_images=60
    ):
        params, logged = make_params(changes), []
        objective = OBJECTIVES[name](params)
        labels = torch.arange(num_images) % 5 if objective.labels_given else None

        def log(step, means):
            logged.append((step, means))

        images = digit_images[:num_images]
        trained = train(images, params, objective, seed, backend, log, snapshots, labels)
        return trained.generator, trained.discriminator, logged, trained.film

    return run_training


# One step against the equations, computed apart.

INFOGAN = Objective(
    lambda_disc=0.7,
    lambda_cont=0.3,
    lambda_information=0.0,
    lambda_consistency=0.0,
    generator_learns_bound=True,
    trunk_learns_bound=True,
    categories_from_maps=False,
    maps=Maps(rotation=0.35, shear=0.5, scale=0.25, shift=0.15, elastic=0.1),
    labels_given=False,
)
GAN = replace(INFOGAN, generator_learns_bound=False, trunk_learns_bound=False)
FROM_MAPS = replace(INFOGAN, categories_from_maps=True)
REAL = {"lambda_information": 0.6, "lambda_consistency": 0.9}


def reference_step(generator, discriminator, game, real_images, real_labels, rng, lr):
    """One step of both players by plain gradient descent; returns both losses and both bounds."""
    layout, objective = game.layout, game.objective

    def judge(images, labels=None):
        features = discriminator.trunk(images)
        shown = torch.zeros(BATCH, dtype=torch.int64) if labels is None else labels
        return discriminator.decision(features)[range(BATCH), shown], discriminator.read(features)

    def draw():
        latents = sample(layout, BATCH, rng)
        labelled = objective.labels_given
        return latents, latents[:, layout.categorical_slice(0)].argmax(dim=1) if labelled else None

    def weigh(categorical, continuous):
        return objective.lambda_disc * categorical + objective.lambda_cont * continuous

    def gradients(loss, parameters):
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        return [0.0 if gradient is None else gradient for gradient in found]

    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
    latents, category = draw()
    fake_images = generator(latents).detach()
    real_logits, read_off_real = judge(real_images, real_labels)
    fake_logits, read_off_fake = judge(fake_images, category)
    adversarial = binary_cross_entropy_with_logits(real_logits, ones)
    adversarial = adversarial + binary_cross_entropy_with_logits(fake_logits, zeros)
    found = bounds(layout, latents, read_off_fake)
    learned = found[0]
    if objective.categories_from_maps and layout.categorical:
        mapped = random_map(fake_images, objective.maps, rng)
        learned = bounds(layout, latents, judge(mapped)[1])[0]
    apart = adversarial
    if objective.learns_from_real_images and layout.categorical:
        read_off_mapped = judge(random_map(real_images, objective.maps, rng))[1]
        for code, mapped_code in zip(read_off_real.logits, read_off_mapped.logits, strict=True):
            apart = apart + 0.9 * inconsistency(code, mapped_code) - 0.6 * information(code)

    # The trunk and D's head take the adversarial gradient, all take that of real images, Q's head
    # the bound's, and the trunk the bound's as well if the objective says so.
    named = list(discriminator.named_parameters())
    parameters = [parameter for _, parameter in named]
    from_bound = gradients(-weigh(learned, found[1]), parameters)
    both = zip(named, gradients(apart, parameters), from_bound, strict=True)
    with torch.no_grad():
        for (name, parameter), first, second in both:
            takes = objective.trunk_learns_bound or name.startswith("recognition")
            parameter -= lr * (first + second if takes else first)

    latents, category = draw()
    logits, read = judge(generator(latents), category)
    loss = fooling = binary_cross_entropy_with_logits(logits, ones)
    if objective.generator_learns_bound:
        loss = loss - weigh(*bounds(layout, latents, read))
    parameters = list(generator.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients(loss, parameters), strict=True):
            parameter -= lr * gradient
    return [value.item() for value in (adversarial, fooling, *found)]


@pytest.mark.parametrize(
    ("objective", "codes"),
    [
        (INFOGAN, {}),
        (replace(INFOGAN, trunk_learns_bound=False), {"codes.continuous_std": "learned"}),
        (FROM_MAPS, {"codes.continuous_std": "learned"}),
        (replace(INFOGAN, **REAL), {"codes.continuous": 0}),
        (replace(FROM_MAPS, **REAL, trunk_learns_bound=False), {}),
        (replace(FROM_MAPS, **REAL), {"codes.categorical": [], "codes.noise_prior": "normal"}),
        (GAN, {}),
        (replace(GAN, labels_given=True), {}),
    ],
    ids=["infogan", "trunk apart", "maps", "real", "maps, real", "no categories", "gan", "cgan"],
)
def test_a_step_descends_the_papers_losses_and_returns_them(make_params, backend, objective, codes):
    # Fake images that differ clearly, so that batch norm does not magnify rounding.
    params = make_params({"networks.init_std": 0.3, "networks.norm_eps": 0.01, **codes})
    given = torch.tensor([3, 3, 3, 1, 4, 1, 1, 0]) if objective.labels_given else None
    before = make_players(TABLES["mnist"], params, 0, backend, 1 if given is None else 5)
    expected, networks = (copy.deepcopy((before.generator, before.discriminator)) for _ in range(2))
    sgd = partial(torch.optim.SGD, lr=0.1)
    players = Players(*networks, *(MasterWeights(each, torch.float32, sgd) for each in networks))
    game = Game(params, objective, backend)
    images = torch.rand(BATCH, 1, 28, 28, generator=seeded())
    rng, expected_rng = seeded(1), seeded(1)
    measures = train_step(players, game, images, rng, given)
    losses = reference_step(*expected, game, images, given, expected_rng, 0.1)
    assert torch.equal(rng.get_state(), expected_rng.get_state())
    assert not any(value.requires_grad for value in measures.values())
    names = ("discriminator_loss", "generator_loss", "bound_cat_nats", "bound_cont_nats")
    # The bound of codes that are not there is 0, and not returned.
    named = {name: loss for name, loss in zip(names, losses, strict=True) if loss}
    found = {name: value.item() for name, value in measures.items()}
    assert found == pytest.approx(named, abs=1e-5)
    for name, network in zip(("generator", "discriminator"), expected, strict=True):
        assert (weights(network) - weights(getattr(before, name))).abs().max() > 1e-3
        assert torch.allclose(weights(getattr(players, name)), weights(network), atol=2e-6)


def test_each_player_has_the_papers_adam(make_params, backend):
    players = make_players(TABLES["mnist"], make_params(), 0, backend)
    for optimizer, lr in (
        (players.discriminator_weights.optimizer, 2e-4),
        (players.generator_weights.optimizer, 1e-3),
    ):
        assert (optimizer.lr, optimizer.betas, optimizer.fused) == (lr, (0.5, 0.999), True)


# Batches.


def test_epochs_are_permutations_shuffled_anew_without_their_remainder():
    batches = list(islice(shuffled_batches(11, 3, seeded(), CPU), 60))
    assert {len(batch) for batch in batches} == {3}
    epochs = torch.cat(batches).view(20, 9).tolist()
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 20
    assert {index for epoch in epochs for index in epoch} == set(range(11))
    assert len(next(shuffled_batches(11, 11, seeded(), CPU))) == 11


def test_a_batch_larger_than_the_data_is_refused_in_one_line(run):
    with pytest.raises(InfoGANError, match=r"batch_size = 8: expected at most the 7 .*held_out_im"):
        run(changes={"training.held_out_images": 53})


def test_held_out_images_and_labels_are_the_first_and_never_seen(
    make_params, backend, digit_images
):
    params = make_params({"training.held_out_images": 20, "num_steps": 5})
    objective, held_out = OBJECTIVES["cgan"](params), torch.arange(20)
    images, labels = digit_images[:60], torch.arange(60) % 5
    spoiled = images.index_fill(0, held_out, 255), labels.index_fill(0, held_out, 9)
    first, second, other = (
        train(*given, params, objective, 0, backend, print, labels=shown).discriminator
        for *given, shown in ((images, labels), spoiled, (images.flip(0), labels))
    )
    assert same_networks(first, second)
    assert not torch.equal(weights(first), weights(other))


# Whole trainings.


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


def test_a_training_that_diverges_stops_and_names_step_and_measure(run):
    with pytest.raises(InfoGANError) as stopped:
        run(changes={"training.generator_lr": 1e30, "num_steps": 4, "training.log_every": 2})
    said = r"^[a-z]+_[a-z_]+ = (nan|-?inf) at step [24]: training diverged; try .*float32$"
    assert re.match(said, str(stopped.value))


def test_an_infinite_mean_is_refused(make_params):
    progress = Progress(lambda step, means: None, make_params({"num_steps": 1}))
    with pytest.raises(InfoGANError, match=r"^loss = inf at step 1: training diverged"):
        progress.add({"loss": torch.tensor(torch.inf)})


def test_bfloat16_trains_close_to_float32_with_weights_in_float32(run):
    half = run(backend=Backend(CPU, torch.bfloat16, 1))
    full = run()
    for network in half[:2]:
        kinds = {value.dtype for value in network.state_dict().values()}
        assert kinds == {torch.float32, torch.int64}  # and the counts of batch norm
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
        ("infogan", torch.bfloat16, {"codes.categorical": [], "codes.noise": 0}),
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    ("name", "precision", "changes"),
    [
        ("infogan", "bfloat16", {}),
        ("infogan", "float32", {"codes.continuous_std": "learned"}),
        ("gan", "bfloat16", {}),
        ("cgan", "bfloat16", {"training.average_decay": 0.0}),
    ],
)
def test_steps_recorded_on_a_gpu_have_the_bits_of_those_that_run_one_by_one(
    run, tmp_path, monkeypatch, name, precision, changes
):
    backend = resolve(Runtime(device="cuda", precision=precision, threads=1))
    options = {"changes": SHORT | changes, "backend": backend}
    recorded = run(name, **options)
    for at in (2, 5):  # before and after the record is made
        snapshots = CutOff(tmp_path, num_steps=at)
        with pytest.raises(Interrupted):
            run(name, **options, snapshots=snapshots)
        snapshots.close()
        snapshots = CutOff(tmp_path, num_steps=math.inf)
        assert_same_training(run(name, **options, snapshots=snapshots), recorded)
        assert snapshots.resumed_step == at
        snapshots.discard()
    monkeypatch.setattr("infogan.train.graph.STEPS_BEFORE", 7)
    assert_same_training(run(name, **options), recorded)


def test_snapshots_do_not_change_a_training(run, tmp_path):
    snapshots = Snapshots(tmp_path, "run", {}, lambda text: None, seconds_between=0.0)
    assert_same_training(run(changes=SHORT, snapshots=snapshots), run(changes=SHORT))
    assert snapshots.load().step == 7


# What is learned.


def test_fifty_steps_make_the_categorical_code_readable_and_the_controls_less(run):
    changes = {
        "networks.width": 0.1,
        "num_steps": 50,
        "categories_from_maps": False,  # with them a seed in four has not begun by step 200
        "codes.categorical": [5],
        "codes.continuous": 1,
        "training.batch_size": 32,
        "training.discriminator_lr": 4e-3,
        "training.generator_lr": 4e-3,
        "training.log_every": 25,
        "maps.elastic": 0.0,
    }
    infogan, gan = (
        run(name, changes, num_images=1797)[2][-1][1]["bound_cat_nats"]
        for name in ("infogan", "gan")
    )
    assert 0.8 < infogan < math.log(5)
    assert -0.1 < gan < infogan - 0.3


# The film.


@pytest.mark.parametrize(("num_steps", "frames"), [(2500, 12), (7, 3), (1, 12), (5, 1)])
def test_frames_run_from_the_first_step_to_the_last_and_come_closer_at_the_start(num_steps, frames):
    steps = film_steps(num_steps, frames)
    assert steps[0] == 0
    assert len(set(steps)) == len(steps) <= max(frames, 1)
    if frames > 1:
        assert steps[-1] == num_steps
    gaps = [after - before for before, after in pairwise(steps)]
    assert gaps == sorted(gaps)


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
def test_the_last_frame_shows_three_draws_of_what_the_training_leaves(run, make_params, decay):
    generator, _, _, film = run(changes={"num_steps": 6, "training.average_decay": decay})
    layout = make_params().codes
    latents = sample(layout, 3, random_stream(0, "film"))
    latents[:, layout.categorical_slice(0)] = torch.eye(5)[4]
    with torch.no_grad():
        images = generator.eval()(latents)
    assert film.shape == (len(film_steps(6, 12)), 3, 5, 1, 28, 28)
    assert torch.equal(film[-1, :, 4], (images * 255).round().to(torch.uint8))
    assert not torch.equal(film[0], film[-1])


def test_a_film_without_categories_shows_ten_values(run):
    assert run(changes={"codes.categorical": []})[3].shape[1:3] == (3, 10)


def test_labels_are_refused_where_the_objective_gives_none_and_missed_where_it_does(
    make_params, backend, digit_images
):
    params = make_params()
    for name, given in (("infogan", torch.arange(20) % 5), ("cgan", None)):
        objective = OBJECTIVES[name](params)
        with pytest.raises(ValueError, match="labels"):
            train(digit_images[:20], params, objective, 0, backend, print, labels=given)
