import numpy as np
import pytest
import torch
from torch import nn

from infogan.codes import CodeLayout
from infogan.factor_scores import factor_scores, read_codes
from infogan.networks import TABLES, Discriminator, build_networks
from tests.representations import FACTORS, NUM_IMAGES, TURN, VALUES, perfect_codes, useless_codes

LAYOUT = CodeLayout(noise=4, categorical=(3,), continuous=2)
FEW = 1200


class BrightnessReader(Discriminator):
    """A recognition network whose continuous codes are the means of an image's two halves."""

    def __init__(self):
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))

    def recognise(self, images):
        halves = images.unflatten(3, (2, -1)).mean(dim=(1, 2, 4))
        return torch.cat([torch.full((len(images), 3), 9.0), halves, halves * 0], dim=1)


def test_codes_are_qs_means_of_the_continuous_codes_in_the_data_sets_range():
    images = torch.zeros(5, 1, 6, 8, dtype=torch.uint8)
    images[3, :, :, 4:] = 255
    codes = read_codes(BrightnessReader(), LAYOUT, images, (-1.0, 1.0))
    assert codes.tolist() == [[-1, -1]] * 3 + [[-1, 1]] + [[-1, -1]]


def test_more_images_than_a_batch_keep_their_order(options):
    discriminator = build_networks(TABLES["mnist"], LAYOUT, options, seed=0)[1].eval()
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1003, 1, 28, 28), generator=rng, dtype=torch.uint8)
    codes = read_codes(discriminator, LAYOUT, images, (0.0, 1.0))
    assert codes.shape == (1003, 2)
    alone = read_codes(discriminator, LAYOUT, images[1001:], (0.0, 1.0))
    np.testing.assert_allclose(codes[1001:], alone, atol=1e-5)


def test_perfect_codes_score_near_1_in_everything_whatever_their_order_and_sign():
    scores = factor_scores(perfect_codes()[:FEW], VALUES[:FEW], FACTORS, seed=0)
    assert {f"{factor.name}_code_spearman" for factor in FACTORS} < set(scores)
    assert {f"{factor.name}_code_r2" for factor in FACTORS} < set(scores)
    for name, score in scores.items():
        assert 0.85 < score <= 1 + 1e-9, name


def test_useless_codes_score_near_chance():
    scores = factor_scores(useless_codes()[:FEW], VALUES[:FEW], FACTORS, seed=0)
    assert scores.pop("factor_vae") == pytest.approx(1 / 4, abs=0.08)
    assert scores.pop("dci_informativeness") < 0.02
    # Cutting the circle at its best place gives a code of 600 images about 2 / sqrt(600) = 0.08.
    assert all(abs(score) < 0.15 for score in scores.values())


def test_a_factor_without_a_code_scores_0_and_the_other_keep_theirs():
    scores = factor_scores(VALUES[:FEW, :TURN], VALUES[:FEW], FACTORS, seed=0)
    assert scores["lean_code_spearman"] == pytest.approx(1)
    assert scores["size_code_spearman"] == pytest.approx(1)
    for name in ("turn", "grey"):
        assert scores[f"{name}_code_spearman"] == scores[f"{name}_code_r2"] == 0


def test_signs_are_fitted_on_the_first_half_so_that_a_code_that_turns_over_scores_minus_1():
    codes = VALUES[:, [0]].copy()
    codes[NUM_IMAGES // 2 :] *= -1
    scores = factor_scores(codes, VALUES, FACTORS, seed=0)
    assert scores["lean_code_spearman"] == pytest.approx(-1)
