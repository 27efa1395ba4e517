"""Whether a generated image shows the class that its category of c1 stands for."""

import numpy as np
import torch
from jaxtyping import Int

from infogan.evaluate.sorting import contingency, match_categories
from infogan.evaluate.subject import Measurements, Subject
from infogan.judge.classifier import classify
from infogan.judge.judge import Judge
from infogan.method.codes import one_hot, sample
from infogan.method.networks import Generator
from infogan.method.traversal import generate
from infogan.params import CodeLayout


def measure(subject: Subject) -> Measurements:
    """`accuracy_generated`, where the judge names classes and there is a c1."""
    if not subject.data_set.class_names or not subject.layout.categorical:
        return Measurements()
    subject.progress("naming the classes of generated images")
    accuracy = generated_accuracy(
        subject.generator,
        subject.judge,
        subject.layout,
        subject.num_samples,
        subject.data_set.num_classes,
        subject.stream("digits"),
    )
    return Measurements({"accuracy_generated": accuracy})


def generated_accuracy(
    generator: Generator,
    judge: Judge,
    layout: CodeLayout,
    num_samples: int,
    num_classes: int,
    rng: torch.Generator,
) -> float:
    """How often a generated image shows the digit that its category of c1 stands for.

    The judge names the digit of images with all categories equally often. The one-to-one map
    from category to digit is fitted on one set of `num_samples` images and scored on another.
    """
    size = layout.categorical[0]
    categories = torch.arange(num_samples) % size

    def digits() -> Int[np.ndarray, " image"]:
        latents = sample(layout, num_samples, rng)
        rows = one_hot(categories.to(latents.device), size)
        latents[:, layout.categorical_slice(0)] = rows
        return classify(judge, generate(generator, latents)).numpy()

    counts = contingency(categories.numpy(), digits(), size, num_classes)
    mapping = match_categories(counts)
    return float(np.mean(mapping[categories.numpy()] == digits()))
