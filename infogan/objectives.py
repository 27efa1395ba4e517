"""The objectives a run can train: what Q, the trunk and G each learn from the bound L_I."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infogan.base.errors import InfoGANError
from infogan.datasets import lookup
from infogan.params import Maps, Params
from infogan.train.objective import Objective

# The top level of params.yaml that reaches InfoGAN's objective alone; no control changes with it.
INFOGAN_ALONE = (
    *("lambda_disc", "lambda_cont", "lambda_information", "lambda_consistency"),
    *("bound_trains_trunk", "categories_from_maps", "maps"),
)

NO_MAPS = Maps(rotation=0.0, shear=0.0, scale=0.0, shift=0.0, elastic=0.0)


def _infogan(params: Params) -> Objective:
    """Eq. 6: V(D, G) - lambda L_I(G, Q); and what Q learns from real images, if anything."""
    return Objective(
        lambda_disc=params.lambda_disc,
        lambda_cont=params.lambda_cont,
        lambda_information=params.lambda_information,
        lambda_consistency=params.lambda_consistency,
        generator_learns_bound=True,
        trunk_learns_bound=params.bound_trains_trunk,
        categories_from_maps=params.categories_from_maps,
        maps=params.maps,
        labels_given=False,
    )


def _gan(params: Params) -> Objective:
    """The control of Fig. 1: a regular GAN, and Q's head reads the codes as well as it can."""
    return Objective(
        lambda_disc=1.0,
        lambda_cont=1.0,
        lambda_information=0.0,
        lambda_consistency=0.0,
        generator_learns_bound=False,
        trunk_learns_bound=False,
        categories_from_maps=False,
        maps=NO_MAPS,
        labels_given=False,
    )


def _cgan(params: Params) -> Objective:
    """What supervision buys: the control, with labels given to G and D (Mirza & Osindero 2014)."""
    return replace(_gan(params), labels_given=True)


# A further objective is an entry here, and its name in params.yaml's `objectives`.
OBJECTIVES: dict[str, Callable[[Params], Objective]] = {
    "infogan": _infogan,
    "gan": _gan,
    "cgan": _cgan,
}


def check_objectives(params: Params, path: Path) -> None:
    """Refuse objectives that there are not, or that need labels which the data set lacks.

    An InfoGANError names the parameter file's key, its value and what was expected.
    """
    unknown = [name for name in params.objectives if name not in OBJECTIVES]
    if unknown:
        raise InfoGANError(
            f"{path}: objectives = {params.objectives}: expected some of {', '.join(OBJECTIVES)}"
        )
    num_classes = lookup(params.dataset).num_classes
    for name in params.objectives:
        if not OBJECTIVES[name](params).labels_given:
            continue
        if not num_classes:
            raise InfoGANError(
                f"{path}: objectives = {params.objectives}: expected none that is given labels, "
                f"such as {name}: the images of {params.dataset} have none"
            )
        if params.codes.categorical[:1] != (num_classes,):
            raise InfoGANError(
                f"{path}: codes.categorical = {list(params.codes.categorical)}: expected "
                f"{num_classes} first, one category per label of {params.dataset}, for {name}"
            )
