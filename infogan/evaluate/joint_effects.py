"""What the continuous codes decide of a factor together, whichever of them does it.

The bound asks for codes that can be read off an image, not for one that moves one factor alone: two
codes may turn and widen a digit along any two directions of their plane, for each digit along
others. Then no code is the rotation, and both together are.

Protocol: of three images of the same categorical codes two have the same continuous ones, too, and
noise is drawn for each; where factors are told within a class, two of the three are compared if the
judge sees the same class in both. How much nearer the two are to each other than to the third is
the closed Sobol index of the continuous codes, estimated by pick-freeze (Sobol, Mathematics and
Computers in Simulation 55, 2001), within a category and a class.
"""

import numpy as np
import torch
from jaxtyping import Float, Int

from infogan.evaluate.effects import coordinates
from infogan.evaluate.subject import Measurements, Subject
from infogan.judge.judge import classify
from infogan.method.codes import sample
from infogan.method.traversal import generate

SAMPLES_PER_TRIPLE = 5  # of `num_samples`


def measure(subject: Subject) -> Measurements:
    """`<factor>_share_together` of every factor that is read off generated images."""
    layout, reader, rng = subject.layout, subject.reader, subject.stream("joint effects")
    if not layout.continuous:
        return Measurements()
    subject.progress("reading factors of images that share all codes")
    num = subject.num_samples // SAMPLES_PER_TRIPLE
    latents = torch.stack([sample(layout, num, rng) for _ in range(3)], dim=1)
    codes = slice(layout.noise, None)
    categorical = slice(layout.noise, layout.continuous_slice.start)
    latents[:, 1, codes] = latents[:, 0, codes]
    latents[:, 2, categorical] = latents[:, 0, categorical]
    images = generate(subject.generator, latents)
    measured = reader.read(images).numpy()
    classes = np.zeros((num, 3), dtype=np.int64)
    if reader.within_class:
        classes = classify(subject.judge, images.flatten(0, 1)).view(num, 3).numpy()
    return Measurements(
        {
            f"{factor.name}_share_together": share_together(
                coordinates(measured[..., i], factor), classes
            )
            for i, factor in enumerate(reader.factors)
        }
    )


def share_together(
    measured: Float[np.ndarray, "triple 3 part"], classes: Int[np.ndarray, "triple 3"]
) -> float:
    """Share of the variance within a class that what the first two of each triple share explains.

    Squared differences are summed over the parts of a measure, and classes weighted by their pairs
    of first and second. 1 where these are alike and the third is not; about 0 where they are no
    nearer to each other; 0 where nothing varies.
    """

    def differences(one: int, other: int) -> Float[np.ndarray, " pair"]:
        return ((measured[:, one] - measured[:, other]) ** 2).sum(axis=-1)

    alike = single = 0.0
    for number in np.unique(classes):
        of_class = classes == number
        pairs = of_class[:, 0] & of_class[:, 1]
        others = [differences(i, 2)[of_class[:, i] & of_class[:, 2]] for i in (0, 1)]
        if pairs.any() and any(map(len, others)):
            alike += differences(0, 1)[pairs].sum()
            single += pairs.sum() * np.concatenate(others).mean()
    return float(1 - alike / single) if single > 0 else 0.0
