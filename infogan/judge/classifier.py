"""The judge as a classifier: it names the class of a generated image, such as its digit."""

from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import cross_entropy

from infogan.base.dataset import DataSet
from infogan.judge.judge import Judge, Log, ask, train_judge, untrained_judge
from infogan.method.runtime import Backend
from infogan.params import Judging


def train_classifier(
    images: UInt8[Tensor, "image channel height width"],
    labels: UInt8[Tensor, " image"],
    data_set: DataSet,
    options: Judging,
    backend: Backend,
    log: Log = lambda epoch, loss: None,
) -> Judge:
    """A classifier fitted to labelled images by cross-entropy (nats), see `train_judge`."""
    judge = untrained_judge(data_set)
    return train_judge(judge, images, labels.long(), cross_entropy, options, backend, log)


def classify(
    judge: Judge, images: Float[Tensor, "image channel height width"]
) -> Int[Tensor, " image"]:
    """The most probable class of each image in the data set's value range, in float32."""
    return ask(judge, images).argmax(1)
