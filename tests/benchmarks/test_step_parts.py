from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks import step_parts
from benchmarks.operations import step_multiply_adds
from benchmarks.step_parts import (
    Part,
    learned_gib,
    parts_of_rows,
    parts_of_step,
    report,
    rows_of,
)
from infogan.method.networks import TABLES
from infogan.objectives import OBJECTIVES
from infogan.train.players import make_players
from infogan.train.step import Game


@pytest.fixture(autouse=True)
def once(monkeypatch):
    """One run of each part is enough to see which parts there are."""
    monkeypatch.setattr(step_parts, "REPEATS", 1)


def test_a_row_ends_before_the_next_layer_with_weights():
    network = nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU()),
        nn.Linear(5, 4),
    )
    rows = rows_of(network)
    assert [row.name for row in rows] == ["FC 6 to 5", "FC 5 to 4"]
    assert [len(row) for row in rows] == [4, 1]
    batch = torch.randn(3, 6)
    assert torch.equal(rows[1](rows[0](batch)), network(batch))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"categories_from_maps": False},
        {"lambda_information": 0.0, "lambda_consistency": 0.0},
        {"training.fresh_latents": True},
    ],
    ids=["default", "no maps of fakes", "nothing from real images", "fresh latents"],
)
def test_the_parts_do_the_multiply_adds_of_a_step(make_params, backend, changes):
    params = make_params(changes)
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    parts = parts_of_step(make_players(TABLES["mnist"], params, 0, backend), game)
    passes = step_multiply_adds(
        TABLES["mnist"],
        params.codes,
        params.networks,
        game.objective,
        fresh=params.training.fresh_latents,
    )
    done = sum(part.multiply_adds for part in parts)
    assert done == params.training.batch_size * sum(passes.values())
    assert all(part.seconds > 0 for part in parts)


def test_a_row_keeps_no_gradient_and_learns_again():
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    before = [parameter.clone() for parameter in network.parameters()]
    parts = parts_of_rows(
        network, torch.randn(5, 4), "it", learned=2, passes_on=True, of_input=False
    )
    assert [part.multiply_adds for part in parts] == [5 * 12 * (2 * 2 + 2), 5 * 6 * (2 * 3 + 2)]
    for parameter, value in zip(network.parameters(), before, strict=True):
        assert parameter.requires_grad
        assert parameter.grad is None
        assert torch.equal(parameter, value)


@pytest.mark.parametrize(("precision", "bytes_each"), [("float32", 16), ("bfloat16", 20)])
def test_a_weight_takes_its_value_gradient_two_moments_and_copies(
    make_params, backend, precision, bytes_each
):
    params = make_params()
    backend = replace(backend, precision=getattr(torch, precision))
    players = make_players(TABLES["mnist"], params, 0, backend)
    game = Game(params, OBJECTIVES["infogan"](params), backend)
    parts_of_step(players, game)
    networks = (players.generator, players.discriminator)
    count = sum(p.numel() for network in networks for p in network.parameters())
    # Batch norm's weights have no copy, and its statistics no gradient.
    assert 2**30 * learned_gib(players) == pytest.approx(bytes_each * count, rel=0.05)


def test_the_page_adds_the_parts_up_and_sets_them_beside_their_floor():
    parts = [Part("a", 0.010, 2_000_000), Part("b", 0.005)]
    page = report(parts, 0.020, 1e9, {"importing": 0.5}, {"device": "cpu"}, "params.yaml")
    assert "| a | 10.0 | 2.0 | 0.20 |" in page
    assert "| b | 5.0 | 0.0 | - |" in page
    assert "| all parts | 15.0 | 2.0 | 0.13 |" in page
    assert "| the step | 20.0 | 2.0 | 0.10 |" in page
    assert "| importing | 0.50 |" in page
