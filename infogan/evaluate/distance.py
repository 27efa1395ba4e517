"""How far generated images are from real ones."""

import torch
from jaxtyping import Float
from torch import Tensor

from infogan.base.images import scale
from infogan.evaluate.subject import Measurements, Subject
from infogan.judge.frechet import frechet_distance
from infogan.judge.judge import Judge, penultimate_features
from infogan.method.codes import sample
from infogan.method.networks import Generator
from infogan.method.traversal import generate
from infogan.params import CodeLayout


def measure(subject: Subject) -> Measurements:
    """`frechet_classifier`, to the first training images."""
    subject.progress("comparing generated with real images")
    real = subject.train.images[: subject.num_samples]
    distance = generated_frechet(
        subject.generator,
        subject.judge,
        subject.layout,
        scale(real, subject.data_set.value_range),
        subject.stream("frechet"),
    )
    return Measurements({"frechet_classifier": distance})


def generated_frechet(
    generator: Generator,
    judge: Judge,
    layout: CodeLayout,
    real_images: Float[Tensor, "image channel height width"],
    rng: torch.Generator,
) -> float:
    """Frechet distance of as many generated images to real ones, on the judge's features."""
    latents = sample(layout, len(real_images), rng)
    fake_features = penultimate_features(judge, generate(generator, latents))
    return frechet_distance(fake_features, penultimate_features(judge, real_images))
