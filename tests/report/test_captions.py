import pytest

from infogan.report.captions import CAPTIONS, picture


@pytest.mark.parametrize("name", ["figure_1", "figure_2", "film", "losses", "samples"])
def test_caption_and_description_say_stage_seed_and_number(name):
    shown = picture(name, [4, 2], "n = 7 things")
    seeds = "seeds 4, 2" if CAPTIONS[name].shows_all_seeds else "seed 4"
    assert shown.caption.endswith(f"Stage `{CAPTIONS[name].stage}`, {seeds}, n = 7 things.")
    assert shown.alt.endswith(f"Stage {CAPTIONS[name].stage}, {seeds}, n = 7 things.")
    assert "`" not in shown.alt
    assert len(shown.alt) > 60


def test_a_figure_of_one_objective_names_it():
    shown = picture("confusion_gan", [0], "n = 10 test images")
    assert "Confusion, Regular GAN." in shown.caption
    assert "Matrix of counts, Regular GAN:" in shown.alt
    assert shown.is_chart


def test_a_caption_says_nothing_of_what_is_not_drawn():
    for name, what, said in (
        ("figure_1", "paper", "the paper's curve"),
        ("figure_2", "classes", "the classes that they match"),
        ("figure_2", "roles", "rho"),
        ("figure_6", "roles", "rho"),
        ("film", "categories", "each category of c1"),
    ):
        assert said in picture(name, [0], "n = 1", [what]).caption
        other = picture(name, [0], "n = 1")
        assert said not in other.caption + other.alt


def test_several_seeds_are_all_named_where_all_are_shown():
    assert "seeds 3, 5, n = 2" in picture("seeds_infogan", [3, 5], "n = 2 runs").caption
