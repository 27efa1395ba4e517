import pytest
import torch

from infogan.base.errors import InfoGANError
from infogan.method.networks import TABLES
from infogan.train.players import make_players


@pytest.mark.parametrize(
    ("player", "precision", "value"),
    [
        ("generator", torch.float32, float("nan")),
        ("discriminator", torch.float32, float("inf")),
        ("discriminator", torch.bfloat16, float("inf")),
    ],
    ids=str,
)
def test_a_weight_that_the_last_update_made_infinite_is_named(
    make_params, backend, precision, player, value
):
    half = type(backend)(backend.device, precision, 1)
    players = make_players(TABLES["mnist"], make_params(), 0, half)
    weights = getattr(players, f"{player}_weights")
    parameter = weights.optimizer.weights[1]
    with torch.no_grad():
        parameter.flatten()[0] = value
    network = type(getattr(players, player)).__name__
    with pytest.raises(InfoGANError, match=rf"{network}\.\S+ is not finite at the last step"):
        players.restore()
