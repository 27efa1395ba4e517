"""The study's experiments, read from experiments.yaml, as overrides of params.yaml."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infogan.base.errors import InfoGANError
from infogan.objectives import check_objectives
from infogan.params import Params, load_params, parse_params
from stages.preset import flags, flat, put

# One judge of each data set measures all its runs: one trained on another processor is another.
JUDGES = Path("study/judges")


class Recipe(BaseModel):
    """One way to train, measured over seeds: params.yaml, a preset on it, and what is set besides.

    Its part of the report: `main`, where recipes stand side by side; `beyond`, what is given more
    than InfoGAN; `curves`, Fig. 1; `data`, our default on another data set; `factors`, another
    experiment of the paper's, on data whose factors are known; `ablation`, our default with
    something changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    preset: Path | None = None
    objective: str = "infogan"
    set: dict[str, Any] = {}
    part: Literal["main", "beyond", "curves", "data", "factors", "ablation"] = "main"
    seeds: Annotated[list[int], Field(min_length=1)]


@dataclass(frozen=True)
class Experiment:
    """One DVC experiment: one recipe and one seed."""

    recipe: str
    seed: int
    parameters: dict[str, Any]  # all but where it runs, by dotted name
    overrides: dict[str, Any]  # those that params.yaml has otherwise

    @property
    def name(self) -> str:
        """Name of the experiment in DVC."""
        return f"{self.recipe}-{self.seed}"

    @property
    def objective(self) -> str:
        """The one objective that it trains."""
        return str(self.parameters["objectives"][0])

    @property
    def options(self) -> list[str]:
        """The overrides as `dvc exp run` takes them."""
        return flags(self.overrides)


def load_recipes(path: Path) -> dict[str, Recipe]:
    """The recipes by name, in the file's order; an InfoGANError names what is wrong."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {name: Recipe(**entry) for name, entry in entries.items()}
    except (OSError, yaml.YAMLError, TypeError, AttributeError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise InfoGANError(f"{path}: not a list of recipes ({reason})") from error


def experiments(recipes: dict[str, Recipe], base: Path) -> list[Experiment]:
    """All experiments: seeds first, so that every recipe has some results early."""
    complete = {name: _parameters(name, recipe, base) for name, recipe in recipes.items()}
    before = flat_parameters(load_params(base))
    found = [
        (position, name, seed)
        for name, recipe in recipes.items()
        for position, seed in enumerate(recipe.seeds)
    ]
    result = []
    for _, name, seed in sorted(found, key=lambda entry: entry[0]):
        own = complete[name] | {"seeds": [seed]}
        overrides = {key: value for key, value in own.items() if before[key] != value}
        result.append(Experiment(name, seed, own, overrides))
    return result


def _parameters(name: str, recipe: Recipe, base: Path) -> dict[str, Any]:
    """A recipe's parameters, of which one wrong is named as in params.yaml."""
    nested = load_params(base, recipe.preset).model_dump(mode="json")
    if unknown := recipe.set.keys() - flat(nested).keys():
        raise InfoGANError(f"recipe {name}: unknown parameters {', '.join(sorted(unknown))}")
    put(nested, recipe.set | {"seeds": recipe.seeds, "objectives": [recipe.objective]})
    params = parse_params(json.dumps(nested), f"recipe {name}")
    check_objectives(params, Path(f"recipe {name}"))
    values = flat_parameters(params)
    judge = JUDGES / f"{values['dataset']}.safetensors"
    if (base.parent / judge).exists():
        values["judge.weights"] = judge.as_posix()
    return values


def flat_parameters(params: Params) -> dict[str, Any]:
    """All values by dotted name, but the device and threads of a run."""
    elsewhere = {"runtime": {"device", "threads"}}
    return flat(params.model_dump(mode="json", exclude=elsewhere))
