import math

import numpy as np
import pandas as pd
import pytest

from infogan.report.claims import CLAIMS
from infogan.report.document import Verdict
from infogan.report.protocols import protocol
from infogan.report.tables import (
    claims_by_recipe,
    claims_table,
    convergence,
    metrics_table,
    number,
    settling_step,
    summarise,
)

MEASURED = {
    "infogan": {
        0: {"accuracy_matched": 0.96, "bound_cat_training_nats": 2.29},
        3: {"accuracy_matched": 0.80, "bound_cat_training_nats": 2.27},
    },
    "gan": {0: {"accuracy_matched": 0.20, "bound_cat_training_nats": 0.10}},
}


def test_summary_holds_mean_and_sample_std_over_seeds_in_the_order_of_objectives():
    summary = summarise(MEASURED)
    assert list(summary) == ["infogan", "gan"]
    assert summary["infogan"]["accuracy_matched"] == pytest.approx(0.88)
    assert summary["infogan"]["accuracy_matched_std"] == pytest.approx(0.16 / math.sqrt(2))
    assert summary["gan"] == MEASURED["gan"][0]  # one seed has no std


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_in_one_run_has_no_mean_over_the_others(value):
    measured = {"infogan": {0: {"nmi": 0.5, "ari": 0.1}, 1: {"nmi": value, "ari": 0.3}}}
    assert set(summarise(measured)["infogan"]) == {"ari", "ari_std"}
    (row,) = metrics_table(measured, ["nmi"]).rows
    assert "(n = 2)" in row[1]
    assert "0.5" not in row[1]


def test_steps_are_shown_whole_and_shares_with_three_decimals():
    assert [number(value) for value in (1500.0, 253.3, -0.25, None)] == [
        *("1,500", "253", "-0.250", "-")
    ]


# Claims.


def row_of(table, number):
    return next(row for row in table.rows if row[0] == number)


def test_claims_are_judged_by_their_objectives_runs_and_its_value_is_bold():
    table = claims_table(MEASURED, "mnist", 0.3)
    assert table.header[3:6] == ("Paper", "`infogan`", "`gan`")
    matched, control = row_of(table, "C3"), row_of(table, "C2")
    assert matched[3:6] == ("0.95", "**0.880 ± 0.113 (n = 2)**", "0.200 (n = 1)")
    assert matched[-1] == Verdict(1, 2)
    assert (control[5], control[-1]) == ("**0.100 (n = 1)**", Verdict(1, 1))
    # A claim that was not measured is left out.
    assert "`slant_spearman`" not in {row[2] for row in table.rows}


@pytest.mark.parametrize(
    ("number", "metric", "holds", "fails"),
    [
        ("C1", "bound_cat_training_nats", 2.25, 2.24),
        ("C2", "bound_cat_training_nats", 0.53, 0.54),
        ("C3", "accuracy_matched", 0.945, 0.944),
        ("C4", "accuracy_generated", 0.51, 0.5),
        ("C5", "width_spearman", 0.9, -0.95),
        ("C5", "width_share", 0.5, 0.49),
        ("C7", "beyond_affine", 0.2, 0.19),
        ("C9", "settling_ratio", 0.99, 1.0),
        ("C6", "slant_spearman_extrapolated", 0.9, 0.89),
        ("C8", "accuracy_generated", 0.2, 0.21),
        ("C11", "rotation_share_together", 0.5, 0.49),
        ("C13", "Bangs_category_share", 0.1, 0.09),
    ],
)
def test_rules_hold_up_to_their_stated_limit(number, metric, holds, fails):
    claim = next(c for c in CLAIMS if (c.number, c.metric) == (number, metric))
    assert claim.holds(holds)
    assert not claim.holds(fails)


def test_a_code_counts_where_it_acts_steadily_and_by_much_on_the_same_seed():
    names = ("slant_spearman", "slant_share", "slant_spearman_extrapolated")
    values = [(0.95, 0.6, 0.95), (0.95, 0.4, 0.95), (0.8, 0.6, 0.95), (0.95, 0.6, 0.8)]
    runs = {seed: dict(zip(names, each, strict=True)) for seed, each in enumerate(values)}
    rows = claims_table({"infogan": runs}, "mnist", 0.3).rows
    assert [row[-1] for row in rows] == [Verdict(3, 4), Verdict(2, 4), Verdict(1, 4)]


def test_every_rule_begins_with_its_limit():
    for claim in CLAIMS:
        assert claim.holds(0.0) != claim.holds(3.0)


def test_claims_are_those_of_the_data_set():
    measured = {"infogan": {0: {"azimuth_spearman": 0.95, "azimuth_share": 0.2, "nmi": 0.5}}}
    rows = claims_table(measured, "heads", 0.3).rows
    assert [(row[0], row[2], row[-1]) for row in rows] == [
        ("C10", "`azimuth_spearman`", Verdict(1, 1)),
        ("C10", "`azimuth_share`", Verdict(0, 1)),
    ]
    assert not claims_table(measured, "mnist", 0.3).rows


def test_recipes_stand_side_by_side_and_only_those_of_the_claims_objective_are_judged():
    objectives = {"infogan": "infogan", "gan": "gan"}
    table = claims_by_recipe(MEASURED, objectives, "mnist", 0.3)
    assert table.header[4:6] == ("`infogan`", "`gan`")
    assert row_of(table, "C3")[4:6] == ("0.880 ± 0.113 (n = 2): **1 of 2**", "0.200 (n = 1)")


def test_runs_whose_images_show_nothing_get_no_verdict():
    runs = {
        0: {"accuracy_matched": 0.97, "frechet_classifier": 14.0},
        1: {"accuracy_matched": 0.97, "frechet_classifier": 16.0},
    }
    assert claims_table({"infogan": runs}, "mnist", 0.3).rows[0][-1] == Verdict(1, 1)
    recipes = {"two": runs, "dots": {1: runs[1]}}
    table = claims_by_recipe(recipes, dict.fromkeys(recipes, "infogan"), "mnist", 0.3)
    expected = ("0.970 ± 0.000 (n = 2): **1 of 1**", "0.970 (n = 1): not judged")
    assert row_of(table, "C3")[4:6] == expected


# Metrics.


def test_metrics_have_a_column_for_each_objective_and_dashes_where_it_lacks_them():
    table = metrics_table({"infogan": {0: {"nmi": 0.5}}, "gan": {0: {"ari": 0.25}}}, ["nmi", "ari"])
    assert table.header == ("Metric", "`infogan`", "`gan`", "What it is")
    assert [row[:3] for row in table.rows] == [
        ("`nmi`", "0.500 (n = 1)", "-"),
        ("`ari`", "-", "0.250 (n = 1)"),
    ]
    assert table.rows[0][3].startswith("normalised mutual information")


def test_a_metric_of_a_factor_is_explained_by_its_name():
    assert protocol("azimuth_code_r2", ["azimuth"]).startswith("share of the variance of azimuth")
    assert "of width, read off" in protocol("width_spearman", ["width"])
    assert "digits" in protocol("width_spearman")
    assert protocol("something_else", ["width"]) == ""


# Convergence.

STEPS = np.arange(20, 2020, 20)
LONG = np.arange(1, 10_001)


@pytest.mark.parametrize(
    ("steps", "curve", "first", "last"),
    [
        (STEPS, np.where(STEPS < 600, 0.0, 2.0), 600, 600),
        # Within a tenth of the end counts as near.
        (STEPS, np.where(STEPS < 600, 1.85, 2.0), 20, 20),
        (STEPS, np.where((STEPS > 1000) & (STEPS < 1200), 5.0, 2.0), 1200, 1200),
        (STEPS, np.linspace(0, 10, len(STEPS)), 1720, 2000),
        (LONG, 2 + np.where(LONG // 50 % 2, 0.5, -0.5), 1, 199),
    ],
    ids=["a step", "near from the start", "leaves again", "never rests", "noise is averaged"],
)
def test_a_curve_settles_where_it_comes_near_its_end_and_stays(steps, curve, first, last):
    assert first <= settling_step(steps, curve) <= last


def test_the_ratio_compares_the_bound_with_the_earlier_of_the_losses():
    curves = pd.DataFrame(
        {
            "step": STEPS,
            # The end is the mean of the last tenth.
            "bound_cat_nats": np.select([STEPS < 200, STEPS <= 1800], [0.0, 2.2], 2.3),
            "generator_loss": np.where(STEPS < 1000, 5.0, 1.0),
            "discriminator_loss": np.where(STEPS < 800, 5.0, 1.0),
        }
    )
    assert convergence(curves) == pytest.approx(
        {
            "bound_cat_settling_step": 200,
            "generator_loss_settling_step": 1000,
            "discriminator_loss_settling_step": 800,
            "settling_ratio": 200 / 800,
            "bound_cat_training_nats": 2.3,
        }
    )
    # A layout without categories has no bound of them.
    assert set(convergence(curves.drop(columns="bound_cat_nats"))) == {
        "generator_loss_settling_step",
        "discriminator_loss_settling_step",
    }
