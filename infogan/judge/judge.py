"""The network that judges generated images: what it is, how it is trained, kept and asked.

An instrument of evaluation alone: it learns from real images and what is known of them, sees no
generated image in training, and the GAN never sees it. It names classes, such as digits, or, where
factors are known instead, reads their coordinates (`infogan.base.factors`), an angle over the full
circle as its sine and cosine. Inside, pixels run from 0 to 1 whatever the data set's value range
is, so that a black background stays 0 under `random_map`.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Float32, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from infogan.base.dataset import DataSet, Factor
from infogan.base.errors import InfoGANError
from infogan.base.factors import coordinates, from_coordinates, num_coordinates
from infogan.base.images import AT_ONCE, scale
from infogan.base.randomness import random_stream
from infogan.base.tensors import load_tensors, save_tensors
from infogan.datasets import lookup
from infogan.method.maps import random_map
from infogan.method.optimisation import Adam
from infogan.method.runtime import Backend
from infogan.params import Judging

FEATURE_DIM = 128
CHANNELS = (32, 64, 128)
# Convolutions halve the image until no side is longer than this.
SMALLEST_MAP = 8
# Share of the steps over which the learning rate rises; over the rest it falls to 0.
WARM_UP = 0.2


class Judge(nn.Module):
    """Convolutions that halve the image to at most 8 x 8, two that keep its size, a hidden layer.

    Takes images whose pixels run from 0 to 1; `value_range` is that of the data set.
    """

    def __init__(self, data_set: DataSet) -> None:
        super().__init__()
        self.value_range = data_set.value_range
        channels, height, width = data_set.image_shape
        halvings = max(0, math.ceil(math.log2(max(height, width) / SMALLEST_MAP)))
        layers = nn.Sequential()
        wider = CHANNELS[0]
        for halving in range(halvings):
            wider = CHANNELS[min(halving, len(CHANNELS) - 1)]
            layers.extend(_normed(nn.Conv2d(channels, wider, 4, stride=2, padding=1, bias=False)))
            channels, height, width = wider, height // 2, width // 2
        for _ in range(2):
            layers.extend(_normed(nn.Conv2d(channels, wider, 3, padding=1, bias=False)))
            channels = wider
        hidden = nn.Linear(channels * height * width, FEATURE_DIM, bias=False)
        layers.extend([nn.Flatten(), hidden, nn.BatchNorm1d(FEATURE_DIM), nn.ReLU()])
        self.features = layers
        num_outputs = num_coordinates(data_set.factors) or data_set.num_classes
        self.decision = nn.Linear(FEATURE_DIM, num_outputs)

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output"]:
        """Logits of the classes, or coordinates of the factors."""
        return self.decision(self.features(images))


def train_judge(
    images: UInt8[Tensor, "image channel height width"],
    truth: UInt8[Tensor, " image"] | Float32[Tensor, "image factor"],
    data_set: DataSet,
    options: Judging,
    backend: Backend,
    log: Callable[[int, float], None],
) -> Judge:
    """A judge fitted to `images`, in evaluation mode on the backend's device.

    It minimises the cross-entropy (nats) of the classes, or the mean squared error of the factors'
    coordinates, on randomly mapped images. `log` receives the number of epochs done, and the mean
    loss over the last one. Raises InfoGANError at a non-finite loss.
    """
    device, judge = backend.device, Judge(data_set)
    loss_of: Callable[[Tensor, Tensor], Tensor] = mse_loss if data_set.factors else cross_entropy
    wanted = coordinates(truth, data_set.factors) if data_set.factors else truth.long()
    wanted = wanted.to(device)
    _initialise(judge, random_stream(options.seed, "initialisation"))
    # The layout in which 2-D convolutions are fastest on processors and GPUs alike.
    judge.to(device).to(memory_format=torch.channels_last).train()
    order_rng = random_stream(options.seed, "batches")
    maps_images = any(options.maps.model_dump().values())
    map_rng = random_stream(options.seed, "augmentation", device)

    # Batches of as equal a size as possible: all images are used, and none is a batch by itself.
    num_batches = max(1, len(images) // options.batch_size)
    num_steps = options.num_epochs * num_batches
    optimizer = Adam(judge.parameters(), options.lr)
    step = 0
    for epoch in range(1, options.num_epochs + 1):
        total_loss = torch.zeros((), device=device)
        for batch in torch.randperm(len(images), generator=order_rng).tensor_split(num_batches):
            pixels = scale(images[batch].to(device), (0.0, 1.0))
            if maps_images:
                pixels = random_map(pixels, options.maps, map_rng)
            with backend.autocast():
                outputs = judge(pixels.contiguous(memory_format=torch.channels_last)).float()
            loss = loss_of(outputs, wanted[batch.to(device)])
            judge.zero_grad()
            loss.backward()
            step += 1
            optimizer.lr = options.lr * _pace(step, num_steps)
            optimizer.step()
            total_loss += loss.detach() * len(batch)
        if not math.isfinite(total_loss.item()):
            raise InfoGANError(
                f"the judge's loss is {total_loss.item()} in epoch {epoch}: training diverged; "
                "try a lower judge.lr, or runtime.precision: float32"
            )
        log(epoch, total_loss.item() / len(images))
    return judge.eval()


@torch.no_grad()
def penultimate_features(
    judge: Judge, images: Float[Tensor, "image channel height width"]
) -> Float[Tensor, "image feature"]:
    """What the last layer sees of each image in the data set's value range, in float32; >= 0."""
    device = judge.decision.weight.device
    low, high = judge.value_range
    return torch.cat(
        [
            judge.features((batch.to(device) - low) / (high - low)).to(images.device)
            for batch in images.split(AT_ONCE)
        ]
    )


@torch.no_grad()
def ask(
    judge: Judge, images: Float[Tensor, "image channel height width"]
) -> Float[Tensor, "image output"]:
    """The judge's outputs for images in the data set's value range, in float32."""
    features = penultimate_features(judge, images)
    return judge.decision(features.to(judge.decision.weight.device)).to(images.device)


def classify(
    judge: Judge, images: Float[Tensor, "image channel height width"]
) -> Int[Tensor, " image"]:
    """The most probable class of each image in the data set's value range, in float32."""
    return ask(judge, images).argmax(1)


def read_factors(
    judge: Judge,
    factors: Sequence[Factor],
    images: Float[Tensor, "*grid channel height width"],
) -> Float[Tensor, "*grid factor"]:
    """The factors of images in the data set's value range, each in its unit, in float32.

    An angle lies between -pi and pi; another factor may be read beyond its range.
    """
    values = from_coordinates(ask(judge, images.flatten(0, -4)), factors)
    return values.unflatten(0, images.shape[:-3])


def reading_r2(
    read: Float[Tensor, "image factor"],
    values: Float[Tensor, "image factor"],
    factors: Sequence[Factor],
) -> dict[str, float]:
    """`<factor>_r2`: 1 - squared error / variance of its coordinates, summed over sine and cosine.

    1 if the factor is read exactly, 0 if no better than by its mean, or if it does not vary.
    """
    scores = {}
    for i, factor in enumerate(factors):
        wanted = coordinates(values[:, [i]], [factor])
        error = (coordinates(read[:, [i]], [factor]) - wanted).square().mean(dim=0).sum()
        variance = wanted.var(dim=0, correction=0).sum()
        scores[f"{factor.name}_r2"] = (1 - error / variance).item() if variance > 0 else 0.0
    return scores


def save_judge(path: Path, judge: Judge, dataset: str) -> None:
    """Write the weights and the data set that they belong to, whole or not at all."""
    save_tensors(path, judge.state_dict(), "dataset", dataset)


def load_judge(path: Path, dataset: str) -> Judge:
    """The judge of a data set, in evaluation mode on the CPU.

    Raises InfoGANError when the file is missing or damaged, or belongs to another data set.
    """
    judge = Judge(lookup(dataset))
    try:
        trained_on, tensors = load_tensors(path, "dataset")
        if trained_on == dataset:
            judge.load_state_dict(tensors)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InfoGANError(f"{path}: no readable judge ({reason}); run the judge stage") from error
    if trained_on != dataset:
        raise InfoGANError(
            f"{path}: trained on {trained_on}, expected {dataset}; run the judge stage again"
        )
    return judge.eval()


def _normed(conv: nn.Conv2d) -> list[nn.Module]:
    """A convolution, batch norm, ReLU."""
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()]


def _initialise(judge: Judge, rng: torch.Generator) -> None:
    for module in judge.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _pace(step: int, num_steps: int) -> float:
    """Share of the learning rate at a step, from 1: up in a straight line, then down to 0."""
    progress = step / (num_steps + 1)
    return min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP))
