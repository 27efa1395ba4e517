"""The network that judges generated images: what it is, how it is trained, kept and asked.

An instrument of evaluation alone: it learns from real images and what is known of them, sees no
generated image in training, and the GAN never sees it. What its outputs mean is up to
`classifier` and `regressor`. Inside, pixels run from 0 to 1 whatever the
data set's value range is, so that a black background stays 0 under `random_map`.
"""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from infogan.base.dataset import DataSet
from infogan.base.errors import InfoGANError
from infogan.base.factors import num_coordinates
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

Log = Callable[[int, float], None]


class Judge(nn.Module):
    """Convolutions that halve the image to at most 8 x 8, two that keep its size, a hidden layer.

    Takes images whose pixels run from 0 to 1; `value_range` is that of the data set.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], num_outputs: int, value_range: tuple[float, float]
    ) -> None:
        super().__init__()
        self.value_range = value_range
        channels, height, width = image_shape
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
        self.decision = nn.Linear(FEATURE_DIM, num_outputs)

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output"]:
        """Logits of the classes, or coordinates of the factors."""
        return self.decision(self.features(images))


def untrained_judge(data_set: DataSet) -> Judge:
    """The judge of a data set's classes or, where it has factors, of those."""
    num_outputs = num_coordinates(data_set.factors) or data_set.num_classes
    return Judge(data_set.image_shape, num_outputs, data_set.value_range)


def train_judge(
    judge: Judge,
    images: UInt8[Tensor, "image channel height width"],
    truth: Tensor,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    options: Judging,
    backend: Backend,
    log: Log,
) -> Judge:
    """The judge fitted to `images`, in evaluation mode on the backend's device.

    It minimises `loss_of(outputs, truth of the batch)` on randomly mapped images. `log` receives
    the number of epochs done, and the mean loss over the last one. Raises InfoGANError at a
    non-finite loss.
    """
    device = backend.device
    _initialise(judge, random_stream(options.seed, "initialisation"))
    # The layout in which 2-D convolutions are fastest on processors and GPUs alike.
    judge.to(device).to(memory_format=torch.channels_last).train()
    truth = truth.to(device)
    order_rng = random_stream(options.seed, "batches")
    maps_images = any(options.maps.model_dump().values())
    map_rng = random_stream(options.seed, "augmentation", device)

    # Batches of as equal a size as possible: all images are used, and none is a batch by itself.
    num_batches = max(1, len(images) // options.batch_size)
    num_steps = options.num_epochs * num_batches
    optimizer = Adam(judge.parameters(), options.lr)
    steps = iter(range(num_steps))
    for epoch in range(1, options.num_epochs + 1):
        total_loss = torch.zeros((), device=device)
        for batch in torch.randperm(len(images), generator=order_rng).tensor_split(num_batches):
            pixels = scale(images[batch].to(device), (0.0, 1.0))
            if maps_images:
                pixels = random_map(pixels, options.maps, map_rng)
            with backend.autocast():
                outputs = judge(pixels.contiguous(memory_format=torch.channels_last)).float()
            loss = loss_of(outputs, truth[batch.to(device)])
            judge.zero_grad()
            loss.backward()
            optimizer.lr = options.lr * _pace(next(steps), num_steps)
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


def save_judge(path: Path, judge: Judge, dataset: str) -> None:
    """Write the weights and the data set that they belong to, whole or not at all."""
    save_tensors(path, judge.state_dict(), "dataset", dataset)


def load_judge(path: Path, dataset: str) -> Judge:
    """The judge of a data set, in evaluation mode on the CPU.

    Raises InfoGANError when the file is missing or damaged, or belongs to another data set.
    """
    judge = untrained_judge(lookup(dataset))
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
    """Share of the learning rate at a step: up in a straight line, then down to 0."""
    progress = (step + 1) / (num_steps + 1)
    return min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP))
