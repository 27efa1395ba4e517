from dataclasses import replace

import pytest
import torch
from torch import nn

from infogan.datasets import lookup, names
from infogan.method.networks import (
    TABLES,
    Conv,
    DenseMap,
    Discriminator,
    FlattenMaps,
    Generator,
    ToImageConvTranspose,
    UnflattenMaps,
    Upconv,
    build_networks,
    count_parameters,
)
from infogan.params import Networks
from tests.layouts import code_layout, seeded

PAPER = Networks(leaky_slope=0.01, init_std=0.02, norm_eps=1e-5, norm_momentum=0.1, width=1.0)
SMALL = code_layout(noise=6, categorical=(5, 3), continuous=2)
LAYOUTS = {
    "mnist": code_layout(62, (10,), 2),
    "svhn": code_layout(124, (10,) * 4, 4),
    "celeba": code_layout(128, (10,) * 10, 0),
    "faces": code_layout(128, (), 5),
    "chairs": code_layout(128, (20,) * 3, 1),
}
BY_LAYER = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


# Numbers of parameters.


def dense(inputs, outputs, *, norm=True):
    """Weights, a bias per unit, and batch norm's gamma and beta."""
    return (inputs + 1 + 2 * norm) * outputs


def conv(inputs, outputs, *, norm=True):
    """Likewise of a convolution or upconvolution with kernels of 4 x 4."""
    return dense(4 * 4 * inputs, outputs, norm=norm)


COUNTS = {
    "mnist": {
        "generator": dense(74, 1024)
        + dense(1024, 7 * 7 * 128)
        + conv(128, 64)
        + conv(64, 1, norm=False),
        # 28 x 28 becomes 14 x 14 and 7 x 7.
        "trunk": conv(1, 64, norm=False) + conv(64, 128) + dense(7 * 7 * 128, 1024),
        "decision": dense(1024, 1, norm=False),
        "recognition": dense(1024, 128) + dense(128, 10 + 2 * 2, norm=False),
    },
    "svhn": {
        "generator": dense(124 + 40 + 4, 2 * 2 * 448)
        + conv(448, 256)
        + sum(conv(*channels, norm=False) for channels in ((256, 128), (128, 64), (64, 3))),
        # 32 x 32 becomes 16 x 16, 8 x 8 and 4 x 4.
        "trunk": conv(3, 64, norm=False) + conv(64, 128) + conv(128, 256),
        "decision": dense(4 * 4 * 256, 1, norm=False),
        "recognition": dense(4 * 4 * 256, 128) + dense(128, 40 + 2 * 4, norm=False),
    },
    "faces": {
        "generator": dense(128 + 5, 1024)
        + dense(1024, 8 * 8 * 128)
        + conv(128, 64)
        + conv(64, 1, norm=False),
        # 32 x 32 becomes 16 x 16 and 8 x 8.
        "trunk": conv(1, 64, norm=False) + conv(64, 128) + dense(8 * 8 * 128, 1024),
        "decision": dense(1024, 1, norm=False),
        "recognition": dense(1024, 2 * 5, norm=False),
    },
    "chairs": {
        "generator": dense(128 + 60 + 1, 1024)
        + dense(1024, 8 * 8 * 256)
        + sum(conv(*channels) for channels in ((256, 256), (256, 256), (256, 128), (128, 64)))
        + conv(64, 1, norm=False),
        # 64 x 64 becomes 32 x 32, 16 x 16 and 8 x 8, which the convolutions of stride 1 keep.
        "trunk": conv(1, 64, norm=False)
        + sum(conv(*channels) for channels in ((64, 128), (128, 256), (256, 256), (256, 256)))
        + dense(8 * 8 * 256, 1024),
        "decision": dense(1024, 1, norm=False),
        "recognition": dense(1024, 60 + 2 * 1, norm=False),
    },
}


@pytest.mark.parametrize("name", list(COUNTS))
def test_networks_have_the_tables_numbers_of_parameters(name):
    with torch.device("meta"):
        generator = Generator(TABLES[name], LAYOUTS[name], PAPER)
        discriminator = Discriminator(TABLES[name], LAYOUTS[name], PAPER)
    parts = {"generator": generator, **dict(discriminator.named_children())}
    assert {part: count_parameters(module) for part, module in parts.items()} == COUNTS[name]


# Shapes, order of the layers, ranges.


@pytest.mark.parametrize("name", list(TABLES))
def test_images_have_the_tables_shape_and_q_one_column_per_parameter(name, options):
    table, layout = TABLES[name], LAYOUTS[name]
    generator, discriminator = build_networks(table, layout, options, seed=0)
    images = generator(torch.rand(7, layout.latent_dim, generator=seeded()))
    assert images.shape == (7, *table.image_shape)
    logits, recognition = discriminator(images)
    assert logits.shape == (7,)
    assert recognition.shape == (7, layout.recognition_dim)


def test_every_data_set_has_a_table_of_its_shape_and_value_range():
    ranges = {nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0)}
    for data_set in map(lookup, names()):
        table = TABLES[data_set.networks]
        assert table.image_shape == data_set.image_shape
        assert ranges[table.output] == data_set.value_range


def test_mnist_has_layer_then_norm_then_activation_and_no_norm_beside_the_image(options):
    wider = options.model_copy(update={"width": 0.1})
    generator, discriminator = build_networks(TABLES["mnist"], SMALL, wider, seed=0)
    assert [type(layer) for layer in generator.layers] == [
        *(FlattenMaps, nn.Linear, nn.BatchNorm1d, nn.ReLU),
        *(FlattenMaps, nn.Linear, nn.BatchNorm1d, nn.ReLU, UnflattenMaps),
        *(nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU),
        *(ToImageConvTranspose, nn.Sigmoid),
    ]
    dense = [FlattenMaps, nn.Linear, nn.BatchNorm1d, nn.LeakyReLU]
    assert [type(layer) for layer in discriminator.trunk] == [
        *(nn.Conv2d, nn.LeakyReLU),
        *(nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU),
        *(*dense, FlattenMaps),
    ]
    hidden, _, last = discriminator.recognition
    assert [type(layer) for layer in hidden] == dense
    assert isinstance(last, nn.Linear)


def test_a_stride_1_upconv_is_the_adjoint_of_a_stride_1_conv():
    # As in TensorFlow, where SAME pads 1 before and 2 after: <conv(x), y> = <x, upconv(y)>.
    table = replace(
        TABLES["mnist"],
        image_shape=(2, 5, 5),
        trunk=(Conv(3, stride=1, norm=False),),
        recognition=(),
        generator=(DenseMap(5, 3, norm=False), Upconv(2, stride=1, norm=False)),
        output=nn.Identity,
    )
    generator, discriminator = build_networks(table, SMALL, PAPER, seed=0)
    conv = discriminator.trunk[0]
    upconv = next(layer for layer in generator.layers if isinstance(layer, nn.ConvTranspose2d))
    upconv.weight.data = conv.weight.data  # both [3, 2, 4, 4]
    x, y = (torch.randn(1, channels, 5, 5, generator=seeded(channels)) for channels in (2, 3))
    assert (conv(x) * y).sum().item() == pytest.approx((x * upconv(y)).sum().item(), abs=1e-5)
    expected = nn.functional.conv2d(nn.functional.pad(x, (1, 2, 1, 2)), conv.weight)
    assert torch.allclose(conv(x), expected, atol=1e-6)


# Layers of our own.


@pytest.mark.parametrize("channels", [1, 3])
def test_the_upconv_to_an_image_is_torchs_transposed_convolution(channels):
    layer = ToImageConvTranspose(5, channels, 4, stride=2, padding=1)
    maps = torch.randn(2, 5, 6, 7, generator=seeded(), requires_grad=True)
    direction = torch.randn(2, channels, 12, 14, generator=seeded(1))
    inputs = [maps, *layer.parameters()]
    images = layer(maps)
    expected = nn.functional.conv_transpose2d(maps, layer.weight, layer.bias, stride=2, padding=1)
    assert torch.allclose(images, expected, atol=1e-5)
    gradients, references = (
        torch.autograd.grad((output * direction).sum(), inputs) for output in (images, expected)
    )
    for gradient, reference in zip(gradients, references, strict=True):
        assert torch.allclose(gradient, reference, atol=1e-4)


def test_maps_become_vectors_pixel_by_pixel_and_channel_by_channel_within():
    maps = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    vectors = FlattenMaps()(maps)
    assert vectors.shape == (2, 4 * 5 * 3)
    for image, channel, row, column in ((0, 0, 0, 1), (1, 2, 3, 4), (1, 1, 2, 0)):
        place = (row * 5 + column) * 3 + channel
        assert vectors[image, place] == maps[image, channel, row, column]
    assert torch.equal(UnflattenMaps((3, 4, 5))(vectors), maps)


# Options.


def test_width_scales_every_hidden_layer_and_no_output(options):
    generator, discriminator = build_networks(
        TABLES["mnist"], LAYOUTS["mnist"], options.model_copy(update={"width": 0.25}), seed=0
    )
    outputs = [
        layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
        for network in (generator, discriminator)
        for layer in network.modules()
        if isinstance(layer, BY_LAYER)
    ]
    assert outputs == [256, 7 * 7 * 32, 16, 1, 16, 32, 256, 1, 32, 14]


def test_options_reach_every_layer(options):
    networks = nn.ModuleList(build_networks(TABLES["mnist"], SMALL, options, seed=0))
    norms = [layer for layer in networks.modules() if isinstance(layer, NORMS)]
    assert len(norms) == 6
    assert {(norm.eps, norm.momentum) for norm in norms} == {(2e-5, 0.2)}
    leaky = [layer for layer in networks.modules() if isinstance(layer, nn.LeakyReLU)]
    assert {layer.negative_slope for layer in leaky} == {0.07}


# Initialisation.

STD = 0.03


@pytest.fixture(scope="module")
def initialised():
    """Layers of chairs networks wide enough for statistics."""
    options = PAPER.model_copy(update={"init_std": STD, "width": 0.2})
    networks = build_networks(TABLES["chairs"], LAYOUTS["chairs"], options, seed=0)
    return list(nn.ModuleList(networks).modules())


def weights_of(layers, kind):
    return torch.cat([layer.weight.flatten() for layer in layers if isinstance(layer, kind)])


@pytest.mark.parametrize(
    ("kind", "std", "beyond"),
    [
        *((kind, STD, 0.0455) for kind in (nn.ConvTranspose2d, nn.Linear)),
        # Variance of a normal cut at 2: 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.7737.
        (nn.Conv2d, 0.7737**0.5 * STD, 0),
    ],
)
def test_weights_start_normal_and_those_of_convs_cut_at_two_stds(initialised, kind, std, beyond):
    weights = weights_of(initialised, kind).detach()
    assert len(weights) > 90_000  # standard errors: 0.0033 STD for the mean, 0.0024 STD for std
    assert weights.mean().item() == pytest.approx(0, abs=0.02 * STD)
    assert weights.std().item() == pytest.approx(std, rel=0.015)
    share = (weights.abs() > 2.0001 * STD).float().mean().item()
    assert share == pytest.approx(beyond, rel=0.09)


def test_batch_norm_starts_with_gammas_around_1_and_all_biases_at_0(initialised):
    gammas = weights_of(initialised, NORMS).detach()
    assert len(gammas) > 3_000
    assert gammas.mean().item() == pytest.approx(1, abs=0.1 * STD)
    assert gammas.std().item() == pytest.approx(STD, rel=0.07)
    biases = [layer.bias for layer in initialised if isinstance(layer, BY_LAYER + NORMS)]
    assert len(biases) == 7 + 6 + 6 + 5 + 2  # layers and norms of G, of the trunk, and the heads
    assert not torch.cat(biases).any()
