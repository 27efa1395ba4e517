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
    seeds_table,
    settling_step,
    spread,
    summarise,
)

TWO_SEEDS = {
    ("infogan", 0): {"accuracy_matched": 0.96, "bound_cat_training_nats": 2.29},
    ("infogan", 3): {"accuracy_matched": 0.80, "bound_cat_training_nats": 2.27},
    ("gan", 0): {"accuracy_matched": 0.20, "bound_cat_training_nats": 0.10},
}


def test_summary_holds_mean_and_sample_std_over_seeds():
    summary = summarise(TWO_SEEDS)["infogan"]
    assert summary["accuracy_matched"] == pytest.approx(0.88)
    assert summary["accuracy_matched_std"] == pytest.approx(0.16 / math.sqrt(2))


def test_one_seed_has_no_std():
    assert summarise(TWO_SEEDS)["gan"] == {
        "accuracy_matched": 0.20,
        "bound_cat_training_nats": 0.10,
    }


def test_summary_keeps_the_order_of_objectives():
    assert list(summarise(TWO_SEEDS)) == ["infogan", "gan"]


def test_spread_says_how_many_seeds_there_are():
    assert spread([0.5]) == "0.500 (n = 1)"
    assert spread([0.4, 0.6]) == "0.500 ± 0.141 (n = 2)"
    assert spread([]) == "-"


def claim_row(number: str) -> tuple:
    return next(row for row in claims_table(TWO_SEEDS, "mnist", 0.3).rows if row[0] == number)


def test_a_verdict_counts_the_seeds_for_which_the_rule_holds():
    assert claim_row("C3")[-1] == Verdict(1, 2)


def test_the_value_that_the_rule_judges_is_bold_beside_that_of_the_control():
    assert claims_table(TWO_SEEDS, "mnist", 0.3).header[3:6] == ("Paper", "`infogan`", "`gan`")
    assert claim_row("C3")[3:6] == ("0.95", "**0.880 ± 0.113 (n = 2)**", "0.200 (n = 1)")


def test_the_control_is_judged_by_its_own_runs():
    assert claim_row("C2")[5] == "**0.100 (n = 1)**"
    assert claim_row("C2")[-1] == Verdict(1, 1)


def test_a_claim_without_a_measurement_has_no_verdict():
    assert "`slant_spearman`" not in {row[2] for row in claims_table(TWO_SEEDS, "mnist", 0.3).rows}


@pytest.mark.parametrize(
    ("number", "metric", "holds", "fails"),
    [
        ("C1", "bound_cat_training_nats", 2.25, 2.24),
        ("C2", "bound_cat_training_nats", 0.53, 0.54),
        ("C3", "accuracy_matched", 0.945, 0.944),
        ("C4", "accuracy_generated", 0.51, 0.5),
        ("C5", "slant_spearman", 0.9, 0.89),
        ("C5", "width_spearman", 0.9, -0.95),
        ("C5", "slant_share", 0.5, 0.49),
        ("C5", "width_share", 0.5, 0.49),
        ("C7", "beyond_affine", 0.2, 0.19),
        ("C9", "settling_ratio", 0.99, 1.0),
        ("C6", "slant_spearman_extrapolated", 0.9, 0.89),
        ("C6", "width_spearman_extrapolated", 0.9, 0.89),
        ("C8", "accuracy_generated", 0.2, 0.21),
    ],
)
def test_rules_hold_up_to_their_stated_limit(number, metric, holds, fails):
    claim = next(c for c in CLAIMS if (c.number, c.metric) == (number, metric))
    assert claim.holds(holds)
    assert not claim.holds(fails)


def test_metrics_table_has_a_column_for_each_objective():
    table = metrics_table(TWO_SEEDS)
    assert table.header == ("Metric", "`infogan`", "`gan`", "What it is")
    assert len(table.rows) == 2


def test_metrics_that_an_objective_lacks_are_dashes():
    runs = {("infogan", 0): {"nmi": 0.5}, ("gan", 0): {"ari": 0.25}}
    assert [row[1:3] for row in metrics_table(runs).rows] == [
        ("0.500 (n = 1)", "-"),
        ("-", "0.250 (n = 1)"),
    ]


def test_seeds_table_lists_every_run_and_only_known_metrics():
    table = seeds_table(TWO_SEEDS, ("accuracy_matched", "nmi"))
    assert table.header == ("Objective", "Seed", "`accuracy_matched`")
    assert table.rows[1] == ("infogan", "3", "0.800")
    assert len(table.rows) == 3


def test_steps_are_shown_whole_and_shares_with_three_decimals():
    assert [number(value) for value in (1500.0, 253.3, -0.25, None)] == [
        *("1,500", "253", "-0.250", "-")
    ]


def by_recipe():
    return {
        "ours": {0: {"accuracy_matched": 0.97}, 1: {"accuracy_matched": 0.90}},
        "control": {0: {"accuracy_matched": 0.30}},
    }


def test_recipes_stand_side_by_side_and_each_counts_its_own_seeds():
    objectives = {"ours": "infogan", "control": "gan"}
    table = claims_by_recipe(by_recipe(), objectives, "mnist", 0.3)
    assert table.header[4:6] == ("`ours`", "`control`")
    row = next(row for row in table.rows if row[0] == "C3")
    assert row[4] == "0.935 ± 0.049 (n = 2): **1 of 2**"


def test_runs_whose_images_show_nothing_get_no_verdict():
    runs = {
        0: {"accuracy_matched": 0.97, "frechet_classifier": 14.0},
        1: {"accuracy_matched": 0.97, "frechet_classifier": 16.0},
    }
    row = claims_table({("infogan", seed): m for seed, m in runs.items()}, "mnist", 0.3).rows[0]
    assert row[-1] == Verdict(1, 1)
    recipes = {"two": runs, "dots": {1: runs[1]}}
    table = claims_by_recipe(recipes, dict.fromkeys(recipes, "infogan"), "mnist", 0.3)
    row = next(row for row in table.rows if row[0] == "C3")
    assert row[4:6] == (
        "0.970 ± 0.000 (n = 2): **1 of 1**",
        "0.970 (n = 1): not judged",
    )


def test_a_recipe_of_another_objective_is_shown_without_a_verdict():
    objectives = {"ours": "infogan", "control": "gan"}
    table = claims_by_recipe(by_recipe(), objectives, "mnist", 0.3)
    row = next(row for row in table.rows if row[0] == "C3")
    assert row[5] == "0.300 (n = 1)"


# Convergence.

STEPS = np.arange(20, 2020, 20)


def test_a_curve_settles_where_it_comes_near_its_end_and_stays():
    curve = np.where(STEPS < 600, 0.0, 2.0)
    assert settling_step(STEPS, curve) == 600
    # Within a tenth of the end counts as near.
    assert settling_step(STEPS, np.where(STEPS < 600, 1.85, 2.0)) == 20


def test_a_curve_that_leaves_again_settles_after_its_return():
    curve = np.where((STEPS > 1000) & (STEPS < 1200), 5.0, 2.0)
    assert settling_step(STEPS, curve) == 1200


def test_a_curve_that_never_rests_settles_only_at_its_end():
    assert settling_step(STEPS, np.linspace(0, 10, len(STEPS))) > 1700


def test_noise_of_a_long_run_is_averaged_over_a_hundredth_of_it():
    steps = np.arange(1, 10_001)
    noise = np.where(steps % 2, 0.5, -0.5)
    assert settling_step(steps, 2 + noise) < 200


def test_the_ratio_compares_the_bound_with_the_earlier_of_the_losses():
    curves = pd.DataFrame(
        {
            "step": STEPS,
            "bound_cat_nats": np.where(STEPS < 200, 0.0, 2.3),
            "generator_loss": np.where(STEPS < 1000, 5.0, 1.0),
            "discriminator_loss": np.where(STEPS < 800, 5.0, 1.0),
        }
    )
    metrics = convergence(curves)
    assert metrics["bound_cat_settling_step"] == 200
    assert metrics["generator_loss_settling_step"] == 1000
    assert metrics["settling_ratio"] == pytest.approx(200 / 800)


def test_a_layout_without_categories_has_no_ratio():
    curves = pd.DataFrame({"step": STEPS, "generator_loss": 1.0, "discriminator_loss": 1.0})
    assert set(convergence(curves)) == {
        "generator_loss_settling_step",
        "discriminator_loss_settling_step",
    }


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_in_one_run_has_no_mean_over_the_others(value):
    runs = {("infogan", 0): {"nmi": 0.5, "ari": 0.1}, ("infogan", 1): {"nmi": value, "ari": 0.3}}
    assert set(summarise(runs)["infogan"]) == {"ari", "ari_std"}
    shown = next(row for row in metrics_table(runs).rows if row[0] == "`nmi`")[1]
    assert "(n = 2)" in shown
    assert "0.5" not in shown


def test_claims_are_those_of_the_data_set():
    runs = {("infogan", 0): {"azimuth_spearman": 0.95, "azimuth_share": 0.2, "nmi": 0.5}}
    rows = claims_table(runs, "heads", 0.3).rows
    assert [(row[0], row[2], row[-1]) for row in rows] == [
        ("C10", "`azimuth_spearman`", Verdict(1, 1)),
        ("C10", "`azimuth_share`", Verdict(0, 1)),
    ]
    assert not claims_table(runs, "mnist", 0.3).rows
    assert not claims_table(runs, "fashion_mnist", 0.3).rows


def test_a_metric_of_a_factor_is_explained_by_its_name():
    assert protocol("azimuth_code_r2", ["azimuth"]).startswith("share of the variance of azimuth")
    assert "of width, read off" in protocol("width_spearman", ["width"])
    assert "digits" in protocol("width_spearman")
    assert protocol("something_else", ["width"]) == ""
