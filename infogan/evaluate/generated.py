"""Whether a generated image shows the class that its category of c1 stands for."""

import numpy as np
import torch
from jaxtyping import Int

from infogan.evaluate.sorting import contingency, match_categories
from infogan.evaluate.subject import Measurements, Subject
from infogan.judge.judge import classify
from infogan.method.codes import one_hot, sample
from infogan.method.traversal import generate


def measure(subject: Subject) -> Measurements:
    """`accuracy_generated`, where the judge names classes and there is a c1.

    The judge names the class of images with all categories equally often. The one-to-one map
    from category to class is fitted on one set of `num_samples` images and scored on another.
    """
    layout, num_classes = subject.layout, subject.data_set.num_classes
    if not subject.data_set.class_names or not layout.categorical:
        return Measurements()
    subject.progress("naming the classes of generated images")
    size, rng = layout.categorical[0], subject.stream("digits")
    categories = torch.arange(subject.num_samples) % size

    def classes() -> Int[np.ndarray, " image"]:
        latents = sample(layout, len(categories), rng)
        rows = one_hot(categories.to(latents.device), size)
        latents[:, layout.categorical_slice(0)] = rows
        return classify(subject.judge, generate(subject.generator, latents)).numpy()

    mapping = match_categories(contingency(categories.numpy(), classes(), size, num_classes))
    accuracy = np.mean(mapping[categories.numpy()] == classes())
    return Measurements({"accuracy_generated": float(accuracy)})
