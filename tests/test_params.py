import re

import pytest
import yaml
from ruamel.yaml import YAML

from infogan.base.errors import InfoGANError
from infogan.params import load_params
from stages.preset import flat
from tests.conftest import REPOSITORY, load_preset

ORIGINAL = (REPOSITORY / "params.yaml").read_text()
PRESETS = sorted(path.stem for path in (REPOSITORY / "presets").iterdir())
OURS = ("demo", "fashion_mnist", "real_images")


def edited(key, line):
    """The repository's file with the one line of `section.name` replaced."""
    *sections, name = key.split(".")
    start = rf"^{sections[0]}:.*\n(?:(?: .*)?\n)*?  " if sections else "^"
    text, count = re.subn(
        rf"(?m)({start}){name}:.*\n(?: *- .*\n)*", lambda found: found[1] + line, ORIGINAL, count=1
    )
    assert count == 1, key
    return text


def changed(key, value):
    """The repository's file with one value replaced by this text."""
    return edited(key, f"{key.split('.')[-1]}: {value}\n")


def without(key):
    """The repository's file without one line."""
    return edited(key, "\n")


def with_codes(value):
    """The repository's file with its whole codes section replaced."""
    text, count = re.subn(r"(?ms)^codes:.*?^(?=networks:)", f"codes: {value}\n", ORIGINAL)
    assert count == 1
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


def test_the_repositorys_file_loads_with_the_papers_mnist_codes(params):
    assert params.dataset == "mnist"
    assert (params.codes.noise, params.codes.categorical, params.codes.continuous) == (62, (10,), 2)
    assert params.codes.latent_dim == 74
    assert (params.lambda_disc, params.lambda_cont) == (1.0, 1.0)
    assert (params.training.discriminator_lr, params.training.generator_lr) == (2e-4, 1e-3)


def test_the_default_is_the_releases_settings_with_two_additions(params):
    differs = {"num_steps", "categories_from_maps", "training.average_decay"}
    ours, release = (flat(one.model_dump(mode="json")) for one in (params, load_preset("release")))
    assert {key for key, value in ours.items() if value != release[key]} <= differs


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in OURS])
def test_a_preset_of_the_papers_has_none_of_our_additions(name):
    preset = load_preset(name)
    assert not preset.categories_from_maps
    assert (preset.lambda_information, preset.lambda_consistency) == (0.0, 0.0)
    assert preset.training.average_decay == 0 or name not in ("paper", "release", "fig1")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_differs_from_the_repositorys_file_and_no_more(params, name):
    before, after = (flat(one.model_dump(mode="json")) for one in (params, load_preset(name)))
    text = (REPOSITORY / "presets" / f"{name}.yaml").read_text()
    said = flat(yaml.safe_load(text))
    assert said == {key: value for key, value in after.items() if value != before[key]}


@pytest.mark.parametrize(("value", "latent_dim"), [("[]", 64), ("[2]", 66), ("[1000, 3]", 1067)])
def test_categorical_codes_may_be_none_or_many(load, value, latent_dim):
    assert load(changed("codes.categorical", value)).codes.latent_dim == latent_dim


def test_continuous_codes_may_be_none_with_a_std_either_way(load):
    codes = load(changed("codes.continuous", 0)).codes
    assert (codes.latent_dim, codes.learned_std) == (72, False)
    assert load(changed("codes.continuous_std", "learned")).codes.learned_std


# Scalars by the rules of YAML 1.2.


@pytest.mark.parametrize("text", ["1e-05", "1E-5", "0.00001", "1.0e-05", ".00001", "+1e-5"])
def test_a_number_reads_the_same_however_it_is_written(load, text):
    assert load(changed("lambda_cont", text)).lambda_cont == 1e-5


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("2.", 2), ("+3", 3), ("010", 10)])
def test_a_whole_number_is_read_as_a_weight(load, text, number):
    value = load(changed("lambda_cont", text)).lambda_cont
    assert value == number
    assert isinstance(value, float)


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_true_is_a_truth_value(load, word):
    assert load(changed("bound_trains_trunk", word)).bound_trains_trunk is True


@pytest.mark.parametrize("number", [1e-05, 2.5e-7, 1e20, 0.1])
def test_what_dvc_writes_reads_as_the_same_number(tmp_path, number):
    # DVC changes a parameter by loading and dumping the file with ruamel.yaml.
    ruamel = YAML()
    values = ruamel.load(ORIGINAL)
    values["lambda_cont"] = number
    values["training"]["generator_lr"] = number
    path = tmp_path / "params.yaml"
    ruamel.dump(values, path)
    written = load_params(path)
    assert written.lambda_cont == number
    assert written.training.generator_lr == number


# What is refused: file, key, value, and what was expected.

REFUSED = [
    *(("bound_trains_trunk", word, f"'{word}'", "boolean") for word in ("yes", "off", "y", "tRue")),
    *(("num_steps", text, f"'{text}'", "integer") for text in ("1_000", "0x10", "1:30", "many")),
    *(("runtime.threads", text, text, "'auto'") for text in ("0", "-3", "2.0")),
    ("runtime.threads", "true", "True", "'auto'"),
    ("lambda_cont", "-1", "-1", "0"),
    ("lambda_disc", "-0.001", "-0.001", "0"),
    ("num_steps", "0", "0", "1"),
    ("num_steps", "5.0", "5.0", "integer"),
    ("num_steps", "1e3", "1000.0", "integer"),
    ("num_steps", "'5000'", "'5000'", "integer"),
    ("dataset", "mnits", "'mnits'", "one of celeba, chairs, digits, "),
    ("seeds", "[]", "[]", "at least 1"),
    ("seeds", "[3, 4, 3]", "[3, 4, 3]", "no value twice"),
    ("objectives", "[]", "[]", "at least 1"),
    ("objectives", "[gan, gan]", "['gan', 'gan']", "no value twice"),
    ("lambda_disc", ".inf", "inf", "finite"),
    ("lambda_disc", ".nan", "nan", "finite"),
    ("codes.noise", "-1", "-1", "0"),
    ("codes.noise_prior", "gaussian", "'gaussian'", "'uniform' or 'normal'"),
    ("codes.continuous", "-2", "-2", "0"),
    ("codes.continuous_std", "free", "'free'", "'fixed' or 'learned'"),
    ("networks.width", "0", "0", "0"),
    ("networks.leaky_slope", "1", "1", "1"),
    ("networks.leaky_slope", ".nan", "nan", ""),
    ("networks.norm_eps", "0.0", "0.0", "0"),
    ("networks.norm_momentum", "1.01", "1.01", "1"),
    ("networks.init_std", ".inf", "inf", "finite"),
    ("training.batch_size", "1", "1", "2"),
    ("training.held_out_images", "-1", "-1", "0"),
    ("training.discriminator_lr", "0", "0", "0"),
    ("training.generator_lr", "-0.001", "-0.001", "0"),
    ("training.adam_beta1", "1.0", "1.0", "1"),
    ("training.adam_beta2", "-0.1", "-0.1", "0"),
    ("training.log_every", "0", "0", "1"),
    ("traverse.rows", "0", "0", "1"),
    ("traverse.columns", "1", "1", "2"),
    ("traverse.limit", "0", "0", "0"),
    ("evaluate.num_samples", "99", "99", "100"),
    ("num_steps", "1000000001", "1000000001", "1000000000"),
    ("codes.noise", "1000000000", "1000000000", "10000"),
    ("codes.continuous", "1001", "1001", "1000"),
    ("networks.width", "16.1", "16.1", "16"),
    ("training.batch_size", "1000001", "1000001", "1000000"),
    ("evaluate.num_samples", "1000001", "1000001", "1000000"),
    ("evaluate.num_trajectories", "10001", "10001", "10000"),
    ("runtime.device", "tpu", "'tpu'", "'auto', 'cpu' or 'cuda'"),
    ("runtime.precision", "float16", "'float16'", "'auto', 'float32' or 'bfloat16'"),
]


@pytest.mark.parametrize(("key", "text", "value", "expected"), REFUSED)
def test_a_bad_value_is_refused_with_file_key_value_and_expectation(
    refusal, key, text, value, expected
):
    message = refusal(changed(key, text))
    assert f"{key} = {value}: expected " in message
    assert expected in message.split(": expected ")[1]


@pytest.mark.parametrize(
    ("key", "text", "element", "value"),
    [
        ("codes.categorical", "[10, 1]", 1, "1"),
        ("codes.categorical", "[1001]", 0, "1001"),
        ("codes.categorical", "[3, 4.0]", 1, "4.0"),
        ("seeds", "[0, -1]", 1, "-1"),
        ("seeds", "[4294967296]", 0, "4294967296"),
        ("objectives", "[infogan, gan, 'touch x']", 2, "'touch x'"),
    ],
)
def test_a_bad_element_of_a_list_is_named_by_its_place(refusal, key, text, element, value):
    assert f"{key}.{element} = {value}: expected " in refusal(changed(key, text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (with_codes(""), "codes = None: expected "),
        (with_codes("[10]"), "codes = [10]: expected "),
        (without("num_steps"), "num_steps: missing"),
        (without("training.batch_size"), "training.batch_size: missing"),
        (f"{ORIGINAL}\nnum_epochs: 50\n", "num_epochs: unknown parameter"),
        (ORIGINAL.replace("  rows:", "  rowz: 3\n  rows:"), "traverse.rowz: unknown parameter"),
        (f"{ORIGINAL}\n? {'x' * 10_000}\n: 3\n", f"{'x' * 100}: unknown parameter"),
        (changed("num_steps", "x" * 10_000), "num_steps = 'xxx"),
        (changed("seeds", "&a [*a]"), "seeds.0 = [[[["),
        (changed("seeds", "&a {a: *a}"), "seeds: expected a valid list"),
        (f'{ORIGINAL}\n"two\\nlines": 3\n', "two lines: unknown parameter"),
        (f"{ORIGINAL}\nnull: 3\n", "expected Keys should be strings"),
        *((text, "expected a mapping") for text in ("", "# nothing\n", "- 1\n", "mnist")),
    ],
)
def test_keys_and_sections_that_do_not_fit_are_named_in_a_short_line(refusal, text, problem):
    message = refusal(text)
    assert problem in message
    assert len(message) < 500


def test_an_empty_section_names_every_missing_key(refusal):
    message = refusal(with_codes("{}"))
    for key in ("noise", "noise_prior", "categorical", "continuous", "continuous_std"):
        assert f"codes.{key}: missing" in message


def test_codes_without_any_code_are_refused(refusal):
    text = changed("codes.categorical", "[]").replace("continuous: 2 ", "continuous: 0 ")
    assert "codes: expected at least one categorical or continuous code" in refusal(text)


def test_all_problems_are_told_at_once(refusal):
    message = refusal(changed("num_steps", 0).replace("batch_size: 128", "batch_size: 1"))
    assert "num_steps = 0" in message
    assert "training.batch_size = 1" in message


def test_more_problems_than_a_line_can_tell_are_counted(refusal):
    message = refusal(ORIGINAL + "".join(f"key_{i}: {i}\n" for i in range(1000)))
    assert "key_19: unknown parameter" in message
    assert message.endswith("; and 980 more")


def test_more_codes_than_a_hundred_are_refused(refusal):
    message = refusal(changed("codes.categorical", [2] * 101))
    assert "codes.categorical = [2, 2, 2, 2" in message
    assert "expected at most 100" in message


def test_a_value_that_grows_without_end_is_refused_at_once(refusal):
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12))
    text = f"l0: &l0 [1]\n{levels}" + changed("num_steps", "*l11")
    assert "num_steps = [[[" in refusal(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{ORIGINAL}num_steps: 3\n", f"'num_steps'.* line {len(ORIGINAL.splitlines()) + 1}"),
        (ORIGINAL.replace("  width:", "  width: 2.0\n  width:"), r"duplicate key 'width'.*line \d"),
        ("seeds: [0", r"line \d"),
        ("num_steps: *unset", r"line \d"),
        ("a: \x07", r"position \d"),
        ("\n{" * 3000, r"line \d"),
        ("? [complex, key]\n: 1\n", r"line \d"),
        ("? {complex: key}\n: 1\n", r"line \d"),
        ("num_steps: !!int many", r"line \d"),
        ("num_steps: !!timestamp never", r"line \d"),
        (f"num_steps: {'9' * 5000}", r"line \d"),
        ("num_steps: !!python/name:os.system", r"line \d"),
        ("\tnum_steps: 3", r"line \d"),
    ],
)
def test_a_text_that_is_not_yaml_is_refused_with_its_place(refusal, text, problem):
    assert re.search(f"not valid YAML: .*{problem}", refusal(text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("num_stepz: 3", "num_stepz: unknown parameter"),
        ("codes: {nois: 3}", "codes.nois: unknown parameter"),
        ("new: {noise: 3}", "new: unknown parameter"),
        ("num_steps: {a: 3}", "num_steps: expected a valid integer"),
        ("seeds: {a: 3}", "seeds: expected a valid list"),
        ("codes: 3", "codes = 3: expected a valid dictionary"),
        ("codes:", "codes = None: expected a valid dictionary"),
        ("num_steps: 0", "num_steps = 0: expected"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused_with_its_name(tmp_path, text, problem):
    preset = tmp_path / "odd.yaml"
    preset.write_text(text)
    with pytest.raises(InfoGANError) as refused:
        load_params(REPOSITORY / "params.yaml", preset)
    assert str(refused.value).startswith(f"{preset} on {REPOSITORY}/params.yaml: {problem}")


@pytest.mark.parametrize("contents", [None, b"\xff\xfe\x00", b"a: [", b"- 3"])
def test_an_absent_preset_or_one_that_is_not_yaml_is_refused_with_its_name_alone(
    tmp_path, contents
):
    preset = tmp_path / "odd.yaml"
    if contents is not None:
        preset.write_bytes(contents)
    with pytest.raises(InfoGANError) as refused:
        load_params(REPOSITORY / "params.yaml", preset)
    assert re.match(rf"{preset}: (cannot be read|not valid|expected a map)", str(refused.value))
    assert "\n" not in str(refused.value)


def test_all_that_does_not_fit_a_data_set_is_told_at_once_with_the_presets_that_do(
    refusal, monkeypatch
):
    monkeypatch.chdir(REPOSITORY)
    message = refusal(changed("dataset", "chairs"))
    for key in ("rotation", "shear", "scale", "shift"):
        assert f"judge.{key} = 0." in message
    assert message.endswith("python -m stages.preset NAME, which sets all that fits: " + CHAIRS)
    several = changed("dataset", "chairz").replace("seeds:\n- 0", "seeds: [1, 1]")
    assert "dataset = 'chairz': expected one of" in (message := refusal(several))
    assert "seeds = [1, 1]: expected no value twice" in message


CHAIRS = "chairs_rotation, chairs_width"


def test_the_committed_parameters_compute_on_one_thread_wherever_they_run(params):
    # The bytes of several stages depend on the number of threads.
    assert params.runtime.threads == 1
