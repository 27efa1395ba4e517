from dataclasses import replace

import numpy as np
import pytest
import torch

from infogan.base.dataset import Factor, attribute
from infogan.evaluate.information import measure
from infogan.evaluate.readers import Reader
from tests.evaluate.hand_made import DATA_SET, FirstRow, subject_of


@pytest.fixture
def information(make_params, monkeypatch):
    """Shares that the two categorical codes give away of what is read off the latents."""
    codes = {"codes.noise": 1, "codes.categorical": [4, 2], "codes.continuous": 0}
    params = make_params(codes | {"evaluate.num_samples": 4000})

    def measured(read, *factors):
        reader = Reader(lambda images: read(images[:, 0, 0]), factors, ())
        monkeypatch.setattr("infogan.evaluate.subject.reader_for", lambda *given: reader)
        data_set = replace(DATA_SET, class_names=(), factors=factors)
        subject = subject_of(params, lambda latents: latents[:, None, None], FirstRow(1), data_set)
        found = measure(subject)
        assert found.information["factors"] == [factor.name for factor in factors]
        shares = np.array(found.information["codes"])
        for factor, best in zip(factors, shares.max(axis=0), strict=True):
            assert found.metrics[f"{factor.name}_category_share"] == best
        return shares

    return measured


def test_a_category_that_is_the_factor_gives_all_of_it_away_and_the_other_nothing(information):
    def read(latents):
        return torch.stack([latents[:, 1:5] @ torch.arange(4.0), latents[:, 5]], dim=-1)

    shares = information(read, Factor("number", 0.0, 3.0), attribute("second"))
    np.testing.assert_allclose(shares, np.eye(2), atol=0.01)


def test_half_of_an_attribute_is_known_from_a_category_that_decides_it_half_of_the_time(
    information,
):
    # Categories 0 and 1 have it never and always, 2 and 3 by a coin's throw; read with an error.
    def read(latents):
        category = latents[:, 1:5].argmax(dim=-1)
        hats = torch.where(category < 2, category == 1, latents[:, 0] > 0).float()
        return 0.1 + 0.5 * hats[:, None] + 0.1 * latents[:, :1].abs()

    np.testing.assert_allclose(information(read, attribute("hat"))[:, 0], [0.5, 0], atol=0.03)


def test_a_factor_that_never_changes_is_not_known(information):
    shares = information(lambda latents: torch.zeros(len(latents), 1), attribute("hat"))
    np.testing.assert_array_equal(shares, [[0], [0]])
