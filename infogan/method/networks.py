"""The paper's networks, each written as its table in appendix C, and the one builder for all.

A table row becomes convolution or linear layer, then batch norm, then activation (the release's
order). Kernels are 4x4. The discriminator D and the recognition network Q share the trunk; each
ends in a head of its own. Images are [batch, channel, height, width].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import fold, pad

from infogan.method.codes import Recognition, split_recognition
from infogan.params import CodeLayout, Networks

KERNEL_SIZE = 4
MAX_IMAGE_CHANNELS = 3


@dataclass(frozen=True)
class Conv:
    """A 4x4 convolution; stride 2 halves the image, stride 1 keeps its size."""

    channels: int
    stride: int = 2
    norm: bool = True


@dataclass(frozen=True)
class Upconv:
    """A 4x4 transposed convolution; stride 2 doubles the image, stride 1 keeps its size."""

    channels: int
    stride: int = 2
    norm: bool = True


@dataclass(frozen=True)
class Dense:
    """A fully connected layer."""

    features: int
    norm: bool = True


@dataclass(frozen=True)
class DenseMap:
    """A fully connected layer whose units are read as `channels` maps of `size` x `size`."""

    size: int
    channels: int
    norm: bool = True


Layer = Conv | Upconv | Dense | DenseMap


@dataclass(frozen=True)
class Table:
    """One experiment's networks; `recognition` lists Q's hidden layers after the trunk."""

    image_shape: tuple[int, int, int]
    trunk: tuple[Layer, ...]
    recognition: tuple[Layer, ...]
    generator: tuple[Layer, ...]
    output: type[nn.Module]


# The last upconv's stride is not printed for MNIST, Faces and Chairs; only 2 fits the image.
# Its activation is not printed for MNIST; the release uses a sigmoid.
_COLOUR_32 = Table(
    image_shape=(3, 32, 32),
    trunk=(Conv(64, norm=False), Conv(128), Conv(256)),
    recognition=(Dense(128),),
    generator=(
        DenseMap(2, 448),
        Upconv(256),
        Upconv(128, norm=False),
        Upconv(64, norm=False),
        Upconv(3, norm=False),
    ),
    output=nn.Tanh,
)

TABLES: dict[str, Table] = {
    # Table 1.
    "mnist": Table(
        image_shape=(1, 28, 28),
        trunk=(Conv(64, norm=False), Conv(128), Dense(1024)),
        recognition=(Dense(128),),
        generator=(Dense(1024), DenseMap(7, 128), Upconv(64), Upconv(1, norm=False)),
        output=nn.Sigmoid,
    ),
    # Tables 2 and 3 list the same layers.
    "svhn": _COLOUR_32,
    "celeba": _COLOUR_32,
    # Table 4: D and Q differ in the last units only.
    "faces": Table(
        image_shape=(1, 32, 32),
        trunk=(Conv(64, norm=False), Conv(128), Dense(1024)),
        recognition=(),
        generator=(Dense(1024), DenseMap(8, 128), Upconv(64), Upconv(1, norm=False)),
        output=nn.Sigmoid,
    ),
    # Table 6.
    "chairs": Table(
        image_shape=(1, 64, 64),
        trunk=(
            Conv(64, norm=False),
            Conv(128),
            Conv(256),
            Conv(256, stride=1),
            Conv(256, stride=1),
            Dense(1024),
        ),
        recognition=(),
        generator=(
            Dense(1024),
            DenseMap(8, 256),
            Upconv(256, stride=1),
            Upconv(256, stride=1),
            Upconv(128),
            Upconv(64),
            Upconv(1, norm=False),
        ),
        output=nn.Sigmoid,
    ),
}


class Generator(nn.Module):
    """G: latents to images in the table's value range."""

    def __init__(self, table: Table, layout: CodeLayout, options: Networks) -> None:
        super().__init__()
        *hidden, last = table.generator
        layers = [*(_scale(layer, options.width) for layer in hidden), last]
        relu = nn.ReLU(inplace=True)
        self.layers, _ = _stack(layers, (layout.latent_dim,), relu, options)
        self.layers[-1] = table.output()

    def forward(self, latents: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch c h w"]:
        """Images G(z, c)."""
        return self.layers(latents)


class Discriminator(nn.Module):
    """The trunk that D and Q share, D's head and Q's head.

    D's head has one logit, or with `num_labels` one for each label that an image may be shown with
    (the projection of Miyato & Koyama 2018).
    """

    def __init__(
        self, table: Table, layout: CodeLayout, options: Networks, num_labels: int = 1
    ) -> None:
        super().__init__()
        self.layout = layout
        activation = nn.LeakyReLU(options.leaky_slope, inplace=True)
        trunk = [_scale(layer, options.width) for layer in table.trunk]
        recognition = [_scale(layer, options.width) for layer in table.recognition]
        self.trunk, features = _stack(trunk, table.image_shape, activation, options)
        self.trunk.append(FlattenMaps())
        hidden, hidden_features = _stack(recognition, features, activation, options)
        self.decision = nn.Linear(math.prod(features), num_labels)
        last = nn.Linear(math.prod(hidden_features), layout.recognition_dim)
        self.recognition = nn.Sequential(hidden, FlattenMaps(), last)

    def forward(
        self, images: Float[Tensor, "batch c h w"]
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch recognition"]]:
        """Logits of D(x), and Q's raw output (see `split_recognition`)."""
        features = self.trunk(images)
        return self.decide(features), self.recognition(features)

    def features(
        self, *groups: Float[Tensor, "batch c h w"]
    ) -> tuple[Float[Tensor, "batch feature"], ...]:
        """The trunk's features of equally large groups of images, each normalised by its own batch.

        The groups pass through the layers together, which is faster than one after the other.
        """
        features = torch.cat(groups)
        for layer in self.trunk:
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                features = torch.cat([layer(group) for group in features.chunk(len(groups))])
            else:
                features = layer(features)
        return features.chunk(len(groups))

    def recognise(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch recognition"]:
        """Q's raw output alone."""
        return self.recognition(self.trunk(images))

    def decide(
        self,
        features: Float[Tensor, "batch feature"],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Logit of D(x), or of D(x, label), from the trunk's features, in float32."""
        logits = self.decision(features)
        if labels is not None:
            logits = logits.gather(1, labels[:, None])
        return logits.squeeze(1).float()

    def read(self, features: Float[Tensor, "batch feature"]) -> Recognition:
        """Q(c|x) from the trunk's features, in float32."""
        return split_recognition(self.layout, self.recognition(features).float())

    def read_detached(self, features: Float[Tensor, "batch feature"]) -> Recognition:
        """Q(c|x) likewise, from which the trunk learns nothing."""
        return self.read(features.detach())


def build_networks(
    table: Table, layout: CodeLayout, options: Networks, seed: int, num_labels: int = 1
) -> tuple[Generator, Discriminator]:
    """Both networks, initialised as in the release from `seed` alone, on the CPU."""
    rng = torch.Generator().manual_seed(seed)
    generator = Generator(table, layout, options)
    discriminator = Discriminator(table, layout, options, num_labels)
    for network in (generator, discriminator):
        _initialise(network, options.init_std, rng)
    return generator, discriminator


def count_parameters(module: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(parameter.numel() for parameter in module.parameters())


class FlattenMaps(nn.Module):
    """Maps to vectors, channel by channel within each pixel (the release's order)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Vectors; what is a vector already passes as it is."""
        return maps.permute(0, 2, 3, 1).flatten(1) if maps.ndim == 4 else maps


class UnflattenMaps(nn.Module):
    """Vectors to maps of `shape`, the inverse of `FlattenMaps`."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, vectors: Tensor) -> Tensor:
        """Maps [batch, channel, height, width]."""
        channels, height, width = self.shape
        return vectors.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)


class _SameConv(nn.Conv2d):
    """A stride-1 4x4 convolution whose output is as large as its input: the far edge has 2 more."""

    def forward(self, input: Tensor) -> Tensor:
        """Torch's own padding="same" does the same, with a warning."""
        return super().forward(pad(input, (0, 1, 0, 1)))


class _SameConvTranspose(nn.ConvTranspose2d):
    """A stride-1 4x4 transposed convolution cut back to the size of its input."""

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(images, output_size)[..., :-1, :-1]


class ToImageConvTranspose(nn.ConvTranspose2d):
    """A stride-2 4x4 transposed convolution to the few channels of an image.

    One matrix product and one sum over the overlapping patches, in place of a convolution that
    libraries do not tune for so few channels (on a CPU a tenth of the time).
    """

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Images of twice the height and width."""
        batch, channels, height, width = images.shape
        pixels = images.permute(0, 2, 3, 1).reshape(-1, channels)
        patches = (pixels @ self.weight.flatten(1)).view(batch, height * width, -1)
        size = (2 * height, 2 * width)
        folded = fold(patches.transpose(1, 2), size, KERNEL_SIZE, stride=2, padding=1)
        return folded if self.bias is None else folded + self.bias.view(1, -1, 1, 1)


def _stack(
    layers: Sequence[Layer],
    shape: tuple[int, ...],
    activation: nn.Module,
    options: Networks,
) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Modules for the rows, and the shape they end in."""
    modules = nn.Sequential()
    for layer in layers:
        rows, shape = _modules(layer, shape)
        modules.extend(rows)
        if layer.norm:
            # A fully connected map is normalised unit by unit, before it is read as maps.
            by_channel = isinstance(layer, Conv | Upconv)
            norm = nn.BatchNorm2d if by_channel else nn.BatchNorm1d
            width = shape[0] if by_channel else math.prod(shape)
            modules.append(norm(width, eps=options.norm_eps, momentum=options.norm_momentum))
        modules.append(activation)
        if isinstance(layer, DenseMap):
            modules.append(UnflattenMaps(shape))
    return modules, shape


def _modules(layer: Layer, shape: tuple[int, ...]) -> tuple[list[nn.Module], tuple[int, ...]]:
    """One row's linear part, and the shape of its output without the batch axis."""
    match layer:
        case Dense(features):
            return [FlattenMaps(), nn.Linear(math.prod(shape), features)], (features,)
        case DenseMap(size, channels):
            dense = nn.Linear(math.prod(shape), channels * size * size)
            return [FlattenMaps(), dense], (channels, size, size)
        case Conv(channels, stride):
            conv_kind = nn.Conv2d if stride == 2 else _SameConv
            conv = conv_kind(shape[0], channels, KERNEL_SIZE, stride, padding=1)
            return [conv], (channels, shape[1] // stride, shape[2] // stride)
        case Upconv(channels, stride):
            kind = nn.ConvTranspose2d if stride == 2 else _SameConvTranspose
            if stride == 2 and channels <= MAX_IMAGE_CHANNELS:
                kind = ToImageConvTranspose
            upconv = kind(shape[0], channels, KERNEL_SIZE, stride, padding=1)
            return [upconv], (channels, shape[1] * stride, shape[2] * stride)


def _scale(layer: Layer, width: float) -> Layer:
    """The row with its channels or features multiplied by `width`, at least 1."""
    if isinstance(layer, Dense):
        return replace(layer, features=max(1, round(layer.features * width)))
    return replace(layer, channels=max(1, round(layer.channels * width)))


def _initialise(network: nn.Module, std: float, rng: torch.Generator) -> None:
    """The release's initialisation, drawn in the order of the modules."""
    for module in network.modules():
        # Release: convolutions from a normal cut at two standard deviations, the rest uncut.
        if isinstance(module, nn.Conv2d):
            nn.init.trunc_normal_(module.weight, 0, std, -2 * std, 2 * std, generator=rng)
        elif isinstance(module, nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0, std, generator=rng)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, std, generator=rng)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
