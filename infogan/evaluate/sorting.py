"""c1 as a classifier of real images; categories are those of c1, the first categorical code."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    with batch_statistics(subject.discriminator):
        other = sort_images(subject, BATCH_SIZE)
    chosen = sort_images(subject, AT_ONCE)
    chosen.metrics |= {f"{key}_batch_statistics": v for key, v in other.metrics.items()}
    return chosen


def sort_images(subject: Subject, batch_size: int) -> Measurements:
    """Scores and counts on the test images, by the map from the first training images."""
    discriminator, layout, data_set = subject.discriminator, subject.layout, subject.data_set
    size, num_classes = layout.categorical[0], data_set.num_classes
    num = subject.num_samples
    train_labels, test_labels = subject.train[1][:num].numpy(), subject.test[1].numpy()
    train_categories, test_categories = (
        recognise_images(discriminator, layout, images, data_set.value_range, batch_size)
        .logits[0]
        .argmax(dim=1)
        .numpy()
        for images in (subject.train[0][:num], subject.test[0])
    )
    train_counts = contingency(train_categories, train_labels, size, num_classes)
    return Measurements(
        clustering_scores(train_counts, test_categories, test_labels),
        contingency=contingency(test_categories, test_labels, size, num_classes).tolist(),
        category_to_class=match_categories(train_counts).tolist(),
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


def clustering_scores(
    train_counts: Int[np.ndarray, "category label"],
    test_categories: Integer[np.ndarray, " test_image"],
    test_labels: Integer[np.ndarray, " test_image"],
) -> dict[str, float]:
    """How well c1 classifies the test images, both maps fitted on the training images' counts.

    `accuracy_matched`: one-to-one map; `accuracy_majority`: to each category's most frequent
    class; `nmi` (arithmetic mean) and `ari` need no map.
    """
    matched, majority = match_categories(train_counts), train_counts.argmax(axis=1)
    return {
        "accuracy_matched": float(np.mean(matched[test_categories] == test_labels)),
        "accuracy_majority": float(np.mean(majority[test_categories] == test_labels)),
        "nmi": float(normalized_mutual_info_score(test_labels, test_categories)),
        "ari": float(adjusted_rand_score(test_labels, test_categories)),
    }


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Normalise by the statistics of each batch, as the release does at evaluation.

    The running statistics are left as they are.
    """
    kinds = nn.BatchNorm1d | nn.BatchNorm2d
    norms = [module for module in network.modules() if isinstance(module, kinds)]
    kept = [(norm.training, norm.momentum) for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (training, momentum) in zip(norms, kept, strict=True):
            norm.train(training)
            norm.momentum = momentum
