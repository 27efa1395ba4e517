"""c1 as a classifier of real images; categories are those of c1, the first categorical code."""

import copy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int, Integer, UInt8
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from torch import Tensor, nn

from infogan.base.images import AT_ONCE, Split, scale
from infogan.evaluate.record import UNMATCHED
from infogan.evaluate.subject import Measurements, Subject
from infogan.method.codes import Recognition, split_recognition
from infogan.method.networks import Discriminator
from infogan.params import CodeLayout

# Images of a batch where its own statistics are the convention.
BATCH_SIZE = 1000


def measure(subject: Subject) -> Measurements:
    """What Q sees in real images of known classes, under both conventions for batch norm."""
    if not subject.layout.categorical or not isinstance(subject.train, Split):
        return Measurements()
    subject.progress("sorting real images by c1")
    other = sort_images(replace(subject, discriminator=by_batch(subject.discriminator)), BATCH_SIZE)
    chosen = sort_images(subject)
    chosen.metrics |= {f"{key}_batch_statistics": v for key, v in other.metrics.items()}
    return chosen


def sort_images(subject: Subject, batch_size: int = AT_ONCE) -> Measurements:
    """How well c1 classifies the test images, by maps from the first training images.

    `accuracy_matched`: one-to-one map; `accuracy_majority`: to each category's most frequent
    class; `nmi` (arithmetic mean) and `ari` need no map.
    """
    layout, data_set, num = subject.layout, subject.data_set, subject.num_samples
    size, num_classes = layout.categorical[0], data_set.num_classes
    train_labels, labels = subject.train[1][:num].numpy(), subject.test[1].numpy()
    train_categories, categories = (
        recognise_images(subject.discriminator, layout, images, data_set.value_range, batch_size)
        .logits[0]
        .argmax(dim=1)
        .numpy()
        for images in (subject.train[0][:num], subject.test[0])
    )
    train_counts = contingency(train_categories, train_labels, size, num_classes)
    matched, majority = match_categories(train_counts), train_counts.argmax(axis=1)
    return Measurements(
        {
            "accuracy_matched": float(np.mean(matched[categories] == labels)),
            "accuracy_majority": float(np.mean(majority[categories] == labels)),
            "nmi": float(normalized_mutual_info_score(labels, categories)),
            "ari": float(adjusted_rand_score(labels, categories)),
        },
        contingency=contingency(categories, labels, size, num_classes).tolist(),
        category_to_class=matched.tolist(),
    )


def recognise_images(
    discriminator: Discriminator,
    layout: CodeLayout,
    images: UInt8[Tensor, "image channel height width"],
    value_range: tuple[float, float],
    batch_size: int = AT_ONCE,
) -> Recognition:
    """Q(c|x) of each real image, on the CPU."""
    device = next(discriminator.parameters()).device
    with torch.inference_mode():
        outputs = [
            discriminator.recognise(scale(batch.to(device), value_range)).cpu()
            for batch in images.split(batch_size)
        ]
    return split_recognition(layout, torch.cat(outputs))


def contingency(
    categories: Integer[np.ndarray, " image"],
    labels: Integer[np.ndarray, " image"],
    num_categories: int,
    num_classes: int,
) -> Int[np.ndarray, "category label"]:
    """How many images of each class fall into each category, unused ones included."""
    counts = np.zeros((num_categories, num_classes), dtype=np.int64)
    np.add.at(counts, (categories, labels), 1)
    return counts


def match_categories(
    counts: Int[np.ndarray, "category label"],
) -> Int[np.ndarray, " category"]:
    """The one-to-one map from category to class that agrees with most images (Hungarian method).

    With more categories than classes, those left over map to UNMATCHED and count as errors.
    """
    rows, columns = linear_sum_assignment(counts, maximize=True)
    mapping = np.full(len(counts), UNMATCHED)
    mapping[rows] = columns
    return mapping


def by_batch(network: Discriminator) -> Discriminator:
    """A copy that normalises by the statistics of each batch, as the release does at evaluation."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.train()
    return copied
