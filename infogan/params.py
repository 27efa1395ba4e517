"""The typed, frozen model of params.yaml.

Every key is required and none is unknown: a file that loads is complete, alone or with the few
values of a preset on it. YAML is read by the rules of YAML 1.2, as DVC writes it, so `1e-05` is a
number and `yes` a string.
"""

import math
import re
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from infogan.base.errors import InfoGANError
from infogan.datasets import lookup, names

# A name that is safe in a path and in a command; `infogan.objectives` knows which there are.
ObjectiveName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
# Upper limits of whole numbers keep out what no machine could hold or finish: a slip in typing.
Count = Annotated[int, Field(ge=0, le=10**9)]
PositiveCount = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CodeLayout(_Section):
    """The generator's input: noise z, then the latent codes c.

    A row of latents is `[noise | categorical codes, one-hot each | continuous codes]`, in the
    release's order; `categorical` lists the sizes of those codes.
    """

    noise: Annotated[int, Field(ge=0, le=10_000)]
    noise_prior: Literal["uniform", "normal"]
    categorical: Annotated[
        tuple[Annotated[int, Field(ge=2, le=1000)], ...],
        BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
        Field(max_length=100),
    ]
    continuous: Annotated[int, Field(ge=0, le=1000)]
    continuous_std: Literal["fixed", "learned"]

    @model_validator(mode="after")
    def _has_a_code(self) -> "CodeLayout":
        if not self.categorical and not self.continuous:
            raise ValueError("at least one categorical or continuous code")
        return self

    @property
    def learned_std(self) -> bool:
        """Whether Q's std is its own output."""
        return self.continuous_std == "learned"

    @property
    def latent_dim(self) -> int:
        """Columns of the generator's input."""
        return self.noise + sum(self.categorical) + self.continuous

    @property
    def recognition_dim(self) -> int:
        """Columns of Q's output: the logits, then a mean and a log std per continuous code."""
        return sum(self.categorical) + 2 * self.continuous

    @property
    def names(self) -> tuple[str, ...]:
        """c1, c2, ...: the categorical codes first, then the continuous ones, as in the paper."""
        return tuple(f"c{i + 1}" for i in range(len(self.categorical) + self.continuous))

    @property
    def noise_slice(self) -> slice:
        """Columns of z."""
        return slice(0, self.noise)

    def categorical_slice(self, code: int) -> slice:
        """Columns of one categorical code."""
        start = self.noise + sum(self.categorical[:code])
        return slice(start, start + self.categorical[code])

    @property
    def continuous_slice(self) -> slice:
        """Columns of all continuous codes."""
        return slice(self.noise + sum(self.categorical), self.latent_dim)

    @property
    def categorical_entropies_nats(self) -> tuple[float, ...]:
        """H(c) of each uniform categorical code: log(size)."""
        return tuple(math.log(size) for size in self.categorical)


class Networks(_Section):
    """What the paper's tables leave open; `width` scales every hidden layer of the table."""

    width: Annotated[float, Field(gt=0, le=16, allow_inf_nan=False)]
    leaky_slope: Fraction
    init_std: Positive
    norm_eps: Positive
    norm_momentum: Annotated[float, Field(gt=0, le=1)]


class Training(_Section):
    """The optimisation of D, Q and G."""

    batch_size: Annotated[int, Field(ge=2, le=10**6)]  # batch norm has no variance over one image
    held_out_images: Count
    discriminator_lr: Positive
    generator_lr: Positive
    adam_beta1: Fraction
    adam_beta2: Fraction
    average_decay: Fraction
    film_frames: Annotated[int, Field(ge=1, le=100)]
    log_every: PositiveCount


class Maps(_Section):
    """Largest magnitudes of random maps of images, each drawn uniformly from [-limit, limit].

    `rotation` and `shear` in radians, `scale` as a relative change per axis, `shift` as a share
    of half the image's width. `elastic`, a share of it, too, is how far each point of a 4x4 mesh
    over the image is moved along each axis, and what lies between follows smoothly.
    """

    rotation: Weight
    shear: Weight
    scale: Fraction
    shift: Weight
    elastic: Weight


class Traverse(_Section):
    """Size and range of the grids that vary one code."""

    rows: Annotated[int, Field(ge=1, le=100)]
    columns: Annotated[int, Field(ge=2, le=100)]
    limit: Positive


JUDGE_MAPS = ("rotation", "shear", "scale", "shift")


class Judging(_Section):
    """The independent judge's training; the last four limit its random affine maps.

    `weights` is the file of a judge that is taken in place of training one, or empty.
    """

    weights: str
    num_epochs: PositiveCount
    batch_size: Annotated[int, Field(ge=2, le=10**6)]
    lr: Positive
    seed: Seed
    rotation: Weight
    shear: Weight
    scale: Fraction
    shift: Weight

    @property
    def maps(self) -> Maps:
        """Its maps, which do not bend an image."""
        return Maps(**self.model_dump(include=set(JUDGE_MAPS)), elastic=0.0)


class Evaluate(_Section):
    """Sizes of the measurements."""

    num_samples: Annotated[int, Field(ge=100, le=10**6)]
    num_trajectories: Annotated[int, Field(ge=1, le=10_000)]
    refit_steps: Count


def _check_threads(value: object) -> object:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise ValueError("'auto' or a whole number, at least 1")


class Runtime(_Section):
    """Where and how to compute; no stage depends on it."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Annotated[Literal["auto"] | int, PlainValidator(_check_threads)]


class Params(_Section):
    """All of params.yaml."""

    dataset: str
    seeds: Annotated[list[Seed], Field(min_length=1)]
    objectives: Annotated[list[ObjectiveName], Field(min_length=1)]
    num_steps: PositiveCount
    lambda_disc: Weight
    lambda_cont: Weight
    lambda_information: Weight
    lambda_consistency: Weight
    bound_trains_trunk: bool
    categories_from_maps: bool
    codes: CodeLayout
    networks: Networks
    training: Training
    maps: Maps
    traverse: Traverse
    judge: Judging
    evaluate: Evaluate
    runtime: Runtime

    @field_validator("seeds", "objectives")
    @classmethod
    def _without_repetition(cls, values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError("no value twice")
        return values

    @field_validator("dataset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in names():
            raise ValueError("one of " + ", ".join(names()))
        return name

    @model_validator(mode="after")
    def _maps_keep_factors(self) -> "Params":
        broken = [key for key in JUDGE_MAPS if getattr(self.judge, key)]
        if broken and lookup(self.dataset).factors:
            expected = f"expected 0, since a map would change the factors of {self.dataset}"
            raise ValueError(
                "; ".join(f"judge.{key} = {getattr(self.judge, key)}: {expected}" for key in broken)
            )
        return self


def film_steps(num_steps: int, num_frames: int) -> list[int]:
    """The steps after which a training is filmed: 0 to the last, closer together at the start."""
    last = max(num_frames - 1, 1)
    return sorted({round(num_steps * (frame / last) ** 2) for frame in range(num_frames)} | {0})


# As many broken rules as one line can tell.
MAX_PROBLEMS = 20


def load_params(path: str | Path, preset: str | Path | None = None) -> Params:
    """Read and check params.yaml, with the values of a preset in place of its own.

    An InfoGANError names file, key, value and what was expected.
    """
    values, where = _read(Path(path)), str(path)
    if preset is not None:
        values, where = _merged(values, _read(Path(preset))), f"{preset} on {path}"
    return _checked(values, where)


def parse_params(text: str, where: str) -> Params:
    """As `load_params`, from the text of a params.yaml; errors name it as `where` says."""
    return _checked(_parse(where, text), where)


def _read(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InfoGANError(f"{path}: cannot be read ({error}); restore it from Git") from error
    return _parse(str(path), text)


def _merged(values: Any, changes: Any) -> Any:
    """`changes` over `values`, section by section; what does not fit is left to the check."""
    if not isinstance(values, dict) or not isinstance(changes, dict):
        return changes
    return values | {key: _merged(values.get(key), value) for key, value in changes.items()}


def _checked(values: dict[Any, Any], where: str) -> Params:
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        details = error.errors()
        problems = [_describe(detail) for detail in details[:MAX_PROBLEMS]]
        if len(details) > MAX_PROBLEMS:
            problems.append(f"and {len(details) - MAX_PROBLEMS} more")
        if "since a map would change" in problems[-1] and (fitting := _presets_for(values)):
            problems.append(f"or python -m stages.preset NAME, which sets all that fits: {fitting}")
        raise InfoGANError(f"{where}: {'; '.join(problems)}") from error


def _presets_for(values: dict[Any, Any]) -> str:
    """The presets whose data sets have the same layers as these parameters' data set."""
    layers = lookup(values["dataset"]).networks
    fitting = []
    for path in sorted(Path("presets").glob("*.yaml")):
        dataset = _read(path).get("dataset")
        if dataset in names() and lookup(dataset).networks == layers:
            fitting.append(path.stem)
    return ", ".join(fitting)


def _parse(where: str, text: str) -> dict[Any, Any]:
    """The values of a YAML document."""
    try:
        loader = _Loader(text)
        values = loader.get_single_data()
    except RecursionError as error:
        place = f"in line {loader.line + 1}"
        raise InfoGANError(f"{where}: not valid YAML: nested too deeply {place}") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:300]
        raise InfoGANError(f"{where}: not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise InfoGANError(f"{where}: expected a mapping of parameters")
    return values


def _describe(detail: ErrorDetails) -> str:
    """One broken rule as `key = value: what was expected`."""
    expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if not detail["loc"]:  # rules between keys, which name them
        return expected
    key = " ".join(".".join(str(part) for part in detail["loc"]).split())[:100]
    match detail["type"]:
        case "missing":
            return f"{key}: missing; add it (Git history holds complete files)"
        case "extra_forbidden":
            return f"{key}: unknown parameter; remove it or correct its name"
        case "too_short":
            expected = "at least 1 entry"
        case "too_long":
            expected = f"at most {detail['ctx']['max_length']} entries"
        case "tuple_type":
            expected = "a valid list"
    shown = "" if isinstance(detail["input"], dict) else f" = {_shorten(detail['input'])}"
    return f"{key}{shown}: expected {expected}"


def _shorten(value: object, limit: int = 60) -> str:
    # Bounded from the start: aliases can nest a list to more parts than memory holds.
    bounded = reprlib.Repr()
    bounded.maxlevel, bounded.maxlist, bounded.maxdict = 3, limit, limit
    bounded.maxstring = bounded.maxlong = bounded.maxother = 2 * limit
    text = bounded.repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2 and no duplicate keys."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """PyYAML lets pass what its constructors raise on odd tags and keys: give it a place."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            problem = f"{type(error).__name__}: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            plain = isinstance(key, yaml.ScalarNode)
            if not plain or key.value in seen:
                problem = f"duplicate key {key.value!r}" if plain else "a key that is no plain name"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


# The core schema of YAML 1.2 (section 10.3.2) takes the place of YAML 1.1's scalars.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))
