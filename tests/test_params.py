import re

import pytest
import yaml

from infogan.base.errors import InfoGANError
from infogan.params import load_params
from stages.preset import differing, flat
from tests.conftest import REPOSITORY, load_preset

ORIGINAL = (REPOSITORY / "params.yaml").read_text()
LINES = len(ORIGINAL.splitlines())
PRESETS = sorted(path.stem for path in (REPOSITORY / "presets").iterdir())
OURS = ("demo", "fashion_mnist", "real_images")


def changed(key, value):
    """The repository's file with the value of `name` or `section.name` replaced by this text."""
    *section, name = key.split(".")
    before, indent = (rf"^{section[0]}:.*\n(?:(?: .*)?\n)*?", "  ") if section else ("^", "")
    pattern = rf"(?m)({before}{indent}{name}):.*\n(?:{indent}- .*\n)*"
    text, count = re.subn(pattern, lambda found: f"{found[1]}: {value}\n", ORIGINAL, count=1)
    assert count == 1, key
    return text


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return load_params(path)

    return load_text


@pytest.fixture
def refusal(load, tmp_path):
    """The message with which a text is refused, checked to be one line that names the file."""

    def message_for(text):
        with pytest.raises(InfoGANError) as refused:
            load(text)
        message = str(refused.value)
        assert "\n" not in message
        assert message.startswith(str(tmp_path / "params.yaml"))
        return message

    return message_for


# What loads.


def test_the_repositorys_file_loads_with_the_papers_mnist_codes_and_one_thread(params):
    assert params.dataset == "mnist"
    assert (params.codes.noise, params.codes.categorical, params.codes.continuous) == (62, (10,), 2)
    assert (params.lambda_disc, params.lambda_cont) == (1.0, 1.0)
    assert (params.training.discriminator_lr, params.training.generator_lr) == (2e-4, 1e-3)
    # The bytes of several stages depend on the number of threads.
    assert params.runtime.threads == 1


def test_the_default_is_the_releases_settings_with_two_additions(params):
    differs = {"num_steps", "categories_from_maps", "training.average_decay"}
    assert differing(load_preset("release"), params).keys() <= differs


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in OURS])
def test_a_preset_of_the_papers_has_none_of_our_additions(name):
    preset = load_preset(name)
    assert not preset.categories_from_maps
    assert (preset.lambda_information, preset.lambda_consistency) == (0.0, 0.0)
    assert preset.training.average_decay == 0 or name not in ("paper", "release", "fig1")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_differs_from_the_repositorys_file_and_no_more(params, name):
    said = yaml.safe_load((REPOSITORY / "presets" / f"{name}.yaml").read_text())
    assert flat(said) == differing(params, load_preset(name))


# Scalars by the rules of YAML 1.2.


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        *(("lambda_cont", t, 1e-5) for t in ("1e-05", "1E-5", "0.00001", "1.0e-05", ".00001")),
        *(("lambda_cont", t, float(t)) for t in ("+1e-5", "0", "2.", "+3", "010", "1e+20")),
        *(("bound_trains_trunk", t, True) for t in ("true", "True", "TRUE")),
    ],
)
def test_a_number_or_truth_value_reads_the_same_however_it_is_written(load, key, text, expected):
    value = getattr(load(changed(key, text)), key)
    assert (value, type(value)) == (expected, type(expected))


# What is refused: file, key, value, and what was expected.

NOT_NEGATIVE = (
    "lambda_disc lambda_cont codes.noise codes.continuous training.held_out_images "
    "training.adam_beta2"
)
NO_CODE = changed("codes.categorical", "[]").replace("continuous: 2 ", "continuous: 0 ")
# Each level holds the one before a thousand times.
ENDLESS = "l0: &l0 [1]\n" + "".join(
    f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 1000)}]\n" for i in range(1, 5)
)
POSITIVE = "networks.norm_eps training.discriminator_lr training.generator_lr traverse.limit"


@pytest.mark.parametrize(
    ("keys", "text", "said", "expected"),
    [
        (NOT_NEGATIVE, "-1", " = -1", "0"),
        (f"networks.width {POSITIVE}", "0", " = 0", "greater than 0"),
        ("num_steps training.log_every traverse.rows", "0", " = 0", "1"),
        ("training.batch_size traverse.columns", "1", " = 1", "2"),
        ("evaluate.num_samples", "99", " = 99", "100"),
        ("networks.leaky_slope training.adam_beta1", "1.0", " = 1.0", "less than 1"),
        ("networks.norm_momentum", "1.01", " = 1.01", "1"),
        ("networks.width", "16.1", " = 16.1", "16"),
        ("codes.continuous", "1001", " = 1001", "1000"),
        ("codes.noise evaluate.num_trajectories", "10001", " = 10001", "10000"),
        ("training.batch_size evaluate.num_samples", "1000001", " = 1000001", "1000000"),
        ("num_steps", "1000000001", " = 1000000001", "1000000000"),
        ("lambda_disc networks.init_std", ".inf", " = inf", "finite"),
        ("networks.leaky_slope", ".nan", " = nan", ""),
        ("num_steps", "5.0", " = 5.0", "integer"),
        *(("num_steps", text, f" = '{text}'", "integer") for text in ("1_000", "0x10", "1:30")),
        ("num_steps", "'5'", " = '5'", "integer"),
        *(("bound_trains_trunk", word, f" = '{word}'", "boolean") for word in ("yes", "tRue")),
        *(("runtime.threads", text, f" = {text}", "'auto'") for text in ("0", "2.0", "True")),
        ("runtime.device", "tpu", " = 'tpu'", "'auto', 'cpu' or 'cuda'"),
        ("runtime.precision", "float16", " = 'float16'", "'auto', 'float32' or 'bfloat16'"),
        ("codes.noise_prior", "gaussian", " = 'gaussian'", "'uniform' or 'normal'"),
        ("codes.continuous_std", "free", " = 'free'", "'fixed' or 'learned'"),
        ("codes.categorical", [2] * 101, f" = [{'2, ' * 18}2,...", "at most 100"),
        ("codes.categorical", "10", " = 10", "a valid list"),
        ("codes.categorical", "!!set {10}", " = {10}", "a valid list"),
        ("codes.categorical", "[10, 1]", ".1 = 1", "2"),
        ("codes.categorical", "[1001]", ".0 = 1001", "1000"),
        ("seeds objectives", "[]", " = []", "at least 1"),
        ("seeds", "[0, -1]", ".1 = -1", "0"),
        ("seeds", "[4294967296]", ".0 = 4294967296", "less than 4294967296"),
        ("objectives", "[gan, gan]", " = ['gan', 'gan']", "no value twice"),
        ("objectives", "[infogan, gan, 'touch x']", ".2 = 'touch x'", "pattern"),
    ],
)
def test_a_bad_value_or_element_is_refused_with_file_key_value_and_expectation(
    refusal, keys, text, said, expected
):
    for key in keys.split():
        message = refusal(changed(key, text))
        assert f"{key}{said}: expected " in message
        assert expected in message.split(": expected ")[1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{ORIGINAL}\n? {'x' * 10_000}\n: 3\n", f"{'x' * 100}: unknown parameter"),
        (changed("num_steps", "x" * 10_000), "num_steps = 'xxx"),
        (changed("seeds", "&a [*a]"), r"seeds\.0 = \[\[\[\["),
        (ENDLESS + changed("num_steps", "*l4"), r"num_steps = \[\[\["),
        (f'{ORIGINAL}\n"two\\nlines": 3\n', "two lines: unknown parameter"),
        (f"{ORIGINAL}\nnull: 3\n", "expected Keys should be strings"),
        (NO_CODE, "codes: expected at least one categorical or continuous code"),
        *((text, "expected a mapping") for text in ("", "- 1\n")),
        (f"{ORIGINAL}num_steps: 3\n", f"not valid YAML: .*'num_steps'.* line {LINES + 1}"),
        ("seeds: [0", r"not valid YAML: .*line \d"),
        ("num_steps: *unset", r"not valid YAML: .*line \d"),
        ("a: \x07", r"not valid YAML: .*position \d"),
        ("\n{" * 3000, r"not valid YAML: .*line \d"),
        ("? [complex, key]\n: 1\n", r"not valid YAML: .*line \d"),
        ("num_steps: !!int many", r"not valid YAML: .*line \d"),
        ("num_steps: !!timestamp never", r"not valid YAML: .*line \d"),
        ("num_steps: !!python/name:os.system", r"not valid YAML: .*line \d"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_the_place_in_a_short_line(refusal, text, problem):
    message = refusal(text)
    assert re.search(problem, message)
    assert len(message) < 500


def test_twenty_missing_keys_are_named_and_the_rest_counted(refusal):
    message = refusal("codes: {}\ntraining: {}\n")
    for key in ("num_steps", "codes.noise", "codes.continuous_std", "training.batch_size"):
        assert f"; {key}: missing" in message
    assert message.endswith("; and 10 more")


ON = f" on {REPOSITORY}/params.yaml"


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (b"num_stepz: 3", f"{ON}: num_stepz: unknown parameter"),
        (b"codes: {nois: 3}", f"{ON}: codes.nois: unknown parameter"),
        (b"num_steps: {a: 3}", f"{ON}: num_steps: expected a valid integer"),
        (b"seeds: {a: 3}", f"{ON}: seeds: expected a valid list"),
        (b"codes:", f"{ON}: codes = None: expected a valid dictionary"),
        (b"a: [", ": not valid YAML"),
        (b"- 3", ": expected a mapping"),
        (b"\xff\xfe\x00", ": cannot be read"),
        (None, ": cannot be read"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused_with_its_name(tmp_path, contents, problem):
    preset = tmp_path / "odd.yaml"
    if contents is not None:
        preset.write_bytes(contents)
    with pytest.raises(InfoGANError) as refused:
        load_params(REPOSITORY / "params.yaml", preset)
    assert str(refused.value).startswith(f"{preset}{problem}")
    assert "\n" not in str(refused.value)


def test_all_that_does_not_fit_a_data_set_is_told_at_once_with_the_presets_that_do(
    refusal, monkeypatch
):
    monkeypatch.chdir(REPOSITORY)
    message = refusal(changed("dataset", "chairs"))
    for key in ("rotation", "shear", "scale", "shift"):
        assert f"judge.{key} = 0." in message
    fitting = (
        "python -m stages.preset NAME, which sets all that fits: chairs_rotation, chairs_width"
    )
    assert message.endswith(fitting)
    several = changed("dataset", "chairz").replace("seeds:\n- 0", "seeds: [1, 1]")
    assert "dataset = 'chairz': expected one of celeba, chairs, digits, " in refusal(several)
    assert "seeds = [1, 1]: expected no value twice" in refusal(several)
