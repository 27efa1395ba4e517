"""InfoGAN (Chen et al., NIPS 2016), its measurements and its figures.

In a notebook, `run = infogan.load("runs/train/infogan-0")` is a trained run that draws images and
reads them. The parts in reading order; each imports from those above it alone:

    base                   errors, files, random streams, images and what is known of them
    datasets               one file for each data set
    params                 what a run is made of: the typed model of params.yaml
The method, which is the paper's:
    method.codes           the generator's input (z, c), and how Q's answer is read
    method.networks        the paper's tables of layers, and the builder of G and of D with Q
    method.losses          the GAN losses, and the lower bound L_I on the mutual information
    method.maps            small random maps of images
    method.optimisation    Adam, and float32 weights for networks that compute in less
    method.traversal       latents and images that vary one code
    method.runtime         device, precision, threads
    method.film            pictures of the same latents during a training
    method.weights         trained weights on disk
A folder for each stage that computes:
    download               raw files, or pictures rendered here, to packed images
    train.objective        who learns what from the bound
    objectives             InfoGAN and its controls, as such objectives
    train.players          the networks that play, with their Adam
    train.step             the algorithm: one update of D and Q, then one of G
    train.graph            the same, recorded on a GPU and replayed
    train.snapshot         the state of a training that was cut off
    train.loop             the whole of a training
    judge                  the independent network that judges generated images
    evaluate.sorting       c1 as a classifier
    evaluate.bounds        the bound on fresh samples, and with another Q
    evaluate.effects       what a continuous code does to shapes and factors of images
    evaluate.information   what a categorical code decides of factors
    evaluate.generated     generated images, as the judge sees them
    evaluate.distance      how far they are from real ones
    evaluate.factor_scores all scores of codes against known factors
    evaluate.measurements  everything that is measured of a run
    report.claims          the paper's claims as rules
    report.tables          runs to means, spreads and verdicts
    report.figures         the paper's figures, redrawn
    report.text            the report on the runs
    report.webpage         the report as a web page
    explore                the page in which the generator runs
In a notebook:
    trained                a trained run: sample, traverse, recognise
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infogan.trained import Reading, TrainedRun, load, picture

__all__ = ["Reading", "TrainedRun", "load", "picture"]


def __getattr__(name: str) -> Any:
    """Load what is meant for notebooks at its first use: every stage imports this file."""
    if name in __all__:
        return getattr(import_module("infogan.trained"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
