"""How far generated images are from real ones."""

from infogan.base.images import scale
from infogan.evaluate.subject import Measurements, Subject
from infogan.judge.frechet import frechet_distance
from infogan.judge.judge import penultimate_features
from infogan.method.codes import sample
from infogan.method.traversal import generate


def measure(subject: Subject) -> Measurements:
    """`frechet_classifier`: of as many generated images to the first training images."""
    subject.progress("comparing generated with real images")
    real = scale(subject.train.images[: subject.num_samples], subject.data_set.value_range)
    fake = generate(subject.generator, sample(subject.layout, len(real), subject.stream("frechet")))
    features = (penultimate_features(subject.judge, images) for images in (fake, real))
    return Measurements({"frechet_classifier": frechet_distance(*features)})
