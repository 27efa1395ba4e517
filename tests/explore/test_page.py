"""The explorer's networks against PyTorch's, and its page in a real browser."""

import time

import numpy as np
import pytest
import torch

from infogan.evaluate.morphometrics import measure_shapes
from infogan.explore.page import fold_layers, page_facts, write_page
from infogan.method.codes import sample, split_recognition
from infogan.method.networks import TABLES, Discriminator, Generator, build_networks
from stages.explore import named_categories
from tests.browser import Browser, needs_browser
from tests.conftest import load_preset
from tests.layouts import code_layout

LAYOUT = code_layout(noise=6, categorical=(5, 3), continuous=2)


def trained_networks(table, layout, options) -> tuple[Generator, Discriminator]:
    """Networks whose batch norm has statistics and affine values of its own."""
    generator, discriminator = build_networks(TABLES[table], layout, options, seed=0)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(20):
            discriminator(generator(sample(layout, 16, rng)))
        for network in (generator, discriminator):
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=rng))
    return generator.eval(), discriminator.eval()


def facts_for(layout, table, noise, **changes):
    defaults = {
        "title": "A <title> & more",
        "categories": [
            {"label": str(9 - k), "purity": 0.5} for k in range(sum(layout.categorical[:1]))
        ],
        "roles": {"c3": "rotation"},
        "limit": 2.0,
        "measures_digits": True,
    }
    low = -1.0 if table == "svhn" else 0.0
    return page_facts(layout, TABLES[table].image_shape, (low, 1.0), noise, **(defaults | changes))


# The folded layers, computed with NumPy.


ACTIVATIONS = {
    "none": lambda y, slope: y,
    "relu": lambda y, slope: np.maximum(y, 0),
    "leaky": lambda y, slope: np.where(y > 0, y, slope * y),
    "sigmoid": lambda y, slope: 1 / (1 + np.exp(-y)),
    "tanh": lambda y, slope: np.tanh(y),
}


def apply(operation, x):
    """A layer on one image [row, column, channel]; kernels are 4 x 4 with a padding of 1."""
    matrix, bias, size, stride = operation.matrix, operation.bias, operation.size, operation.stride
    if operation.kind == "dense":
        y = matrix @ x.ravel() + bias
    elif operation.kind == "conv":
        out = size // stride
        padded = np.pad(x, ((1, 2), (1, 2), (0, 0)))
        y = np.zeros((out, out, len(bias)))
        for row, column in np.ndindex(out, out):
            top, left = row * stride, column * stride
            y[row, column] = matrix @ padded[top : top + 4, left : left + 4].ravel() + bias
    else:
        out = size * stride
        x, padded = x.reshape(size, size, -1), np.zeros((out + 4, out + 4, len(bias)))
        for row, column in np.ndindex(size, size):
            top, left = row * stride, column * stride
            patch = (matrix @ x[row, column]).reshape(4, 4, -1)
            padded[top : top + 4, left : left + 4] += patch
        y = padded[1 : out + 1, 1 : out + 1] + bias
    return ACTIVATIONS[operation.activation](y, operation.slope)


@pytest.mark.parametrize("table", ["mnist", "svhn", "faces", "chairs"])
def test_folded_layers_compute_what_the_networks_do(table, options):
    generator, discriminator = trained_networks(table, LAYOUT, options)
    latents = sample(LAYOUT, 1, torch.Generator().manual_seed(2))
    with torch.no_grad():
        image = generator(latents)
        output = discriminator(image)[1][0].numpy()
    x = latents[0].double().numpy()
    for operation in fold_layers(generator.layers, size=1):
        x = apply(operation, x)
    pixels = image[0].permute(1, 2, 0).numpy()
    assert x.shape == pixels.shape
    assert np.abs(x - pixels).max() < 1e-4
    layers = [*discriminator.trunk, *discriminator.recognition]
    for operation in fold_layers(layers, size=pixels.shape[0]):
        x = apply(operation, x)
    assert np.abs(x - output).max() < 1e-3


def test_categories_are_named_by_their_class_and_its_share():
    record = {"contingency": [[1, 3], [0, 0], [2, 2]], "category_to_class": [1, -1, 0]}
    assert named_categories(record, ("no", "yes")) == [
        {"label": "yes", "purity": 0.75},
        {"label": "-", "purity": 0.0},
        {"label": "no", "purity": 0.5},
    ]
    assert named_categories({}, ("no", "yes")) == []


# The page.


@pytest.fixture(scope="module")
def browser():
    with Browser() as window:
        yield window


LAYOUTS = {
    "two kinds": LAYOUT,
    "no categories": code_layout(4, (), 3),
    "categories alone": code_layout(4, (4,), 0),
    "one continuous, no noise": code_layout(0, (3,), 1),
    "five continuous": code_layout(3, (), 5),
}


@pytest.fixture
def page(tmp_path, options, browser):
    """Write and open a page; returns the networks."""

    def open_page(layout=LAYOUT, table="mnist", *, small=False, **changes):
        generator, discriminator = trained_networks(table, layout, options)
        noise = sample(layout, 8, torch.Generator().manual_seed(3))[:, : layout.noise]
        path = tmp_path / "explorer.html"
        facts = facts_for(layout, table, noise, **changes)
        write_page(path, generator, discriminator, facts, small=small)
        browser.log("browser")
        browser.log("performance")
        browser.open(path)
        return generator, discriminator

    return open_page


def press(browser, selector, key):
    """A key pressed on an element."""
    browser.run(
        "document.querySelector(arguments[0]).dispatchEvent("
        "new KeyboardEvent('keydown', {key: arguments[1], bubbles: true}))",
        selector,
        key,
    )


def displayed(browser):
    """The pixels of the large picture."""
    return browser.run(
        "const c = document.getElementById('picture');"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )


@needs_browser
@pytest.mark.parametrize("table", ["mnist", "svhn", "chairs"])
def test_the_same_latents_give_the_same_image_within_two_grey_levels(page, browser, table):
    generator, discriminator = page(table=table)
    latents = sample(LAYOUT, 100 if table == "mnist" else 10, torch.Generator())
    with torch.no_grad():
        images = generator(latents)
        output = discriminator(images)[1]
    shown = browser.run(
        "return arguments[0].map((row) => Array.from(generate(row)))", latents.tolist()
    )
    low, high = (-1, 1) if table == "svhn" else (0, 1)
    expected = images.permute(0, 2, 3, 1).flatten(1).numpy()
    assert np.abs(np.array(shown) - expected).max() * 255 / (high - low) < 2
    if table == "chairs":
        return  # five layers of random weights magnify what rounding to RECOGNITION_BITS loses
    read = browser.run(
        "return arguments[0].map((row) => recognise(generate(row)))", latents[:10].tolist()
    )
    q = split_recognition(LAYOUT, output[:10])
    for index, reading in enumerate(read):
        for code, logits in enumerate(q.logits):
            probabilities = logits[index].softmax(dim=0).numpy()
            assert np.abs(np.array(reading["categorical"][code]) - probabilities).max() < 0.1
        scale = q.mean.abs().max().item() + 1
        assert np.abs(np.array(reading["continuous"]) - q.mean[index].numpy()).max() < 0.1 * scale


@needs_browser
def test_a_small_pages_images_are_within_four_grey_levels_and_it_says_nothing_of_q(page, browser):
    generator, _ = page(small=True)
    latents = sample(LAYOUT, 100, torch.Generator())
    with torch.no_grad():
        expected = generator(latents).permute(0, 2, 3, 1).flatten(1).numpy()
    shown = browser.run(
        "return arguments[0].map((row) => Array.from(generate(row)))", latents.tolist()
    )
    assert np.abs(np.array(shown) - expected).max() * 255 < 4
    time.sleep(0.3)
    assert "category 0" in browser.run("return document.getElementById('said').textContent")
    assert "Q reads" not in browser.run("return document.body.innerText")
    assert not [entry for entry in browser.log("browser") if entry["level"] == "SEVERE"]


def test_a_small_page_of_mnists_networks_is_at_most_eight_megabytes(tmp_path):
    params = load_preset("release")
    networks = build_networks(TABLES["mnist"], params.codes, params.networks, seed=0)
    noise = sample(params.codes, 8, torch.Generator())[:, params.codes.noise_slice]
    write_page(tmp_path / "page", *networks, facts_for(params.codes, "mnist", noise), small=True)
    assert 6e6 < (tmp_path / "page").stat().st_size <= 8e6


@needs_browser
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_every_control_changes_the_picture_and_nothing_fails(page, browser, layout):
    page(layout)
    for group in range(browser.run("return document.querySelectorAll('fieldset').length")):
        before = displayed(browser)
        browser.run(
            "const group = document.querySelectorAll('fieldset')[arguments[0]];"
            "const input = group.querySelector('input');"
            "if (input) { input.value = 2; input.dispatchEvent(new Event('input')); }"
            "else group.querySelector('[aria-pressed=false]').click();",
            group,
        )
        assert displayed(browser) != before, group
    assert not [entry for entry in browser.log("browser") if entry["level"] == "SEVERE"]


@needs_browser
def test_keys_choose_a_category_by_its_label_shuffle_the_noise_and_move_the_pad(page, browser):
    page()
    # The fixture's labels run from 9 down, so there is no 3 and the key is the number itself.
    press(browser, "body", "3")
    assert browser.run("return state.categorical[0]") == 3
    press(browser, "body", "8")
    assert browser.run("return state.categorical[0]") == 1
    before = browser.run("return Array.from(state.noise)")
    press(browser, "body", "s")
    assert browser.run("return Array.from(state.noise)") != before
    assert browser.run("return state.sample") == -1
    press(browser, "#pad", "ArrowRight")
    press(browser, "#pad", "ArrowDown")
    assert browser.run("return state.continuous") == pytest.approx([0.1, -0.1])
    browser.run(
        "const pad = document.getElementById('pad'), box = pad.getBoundingClientRect();"
        "movePad({clientX: box.right, clientY: box.top});"
    )
    assert browser.run("return state.continuous") == pytest.approx([2, 2])


@needs_browser
def test_the_pads_dot_is_in_one_place_and_its_images_are_drawn_once(page, browser):
    page()
    orange = (
        "const pad = document.getElementById('pad'), side = pad.width;"
        "const pixels = pad.getContext('2d').getImageData(0, 0, side, side).data;"
        "const seen = [-2, 1].map((x) => { const at = (v) => Math.round((v + 2) / 4 * (side - 1));"
        "const i = 4 * (at(-x) * side + at(x));"
        "return pixels[i] === 230 && pixels[i + 1] === 159 && pixels[i + 2] === 0; });"
        "return [seen, jobs.pad];"
    )
    browser.run("adopt({continuous: [-2, -2]})")
    seen, job = browser.run(orange)
    assert seen == [True, False]
    # Within one script, so that no image of the pad has been drawn in between.
    assert browser.run("adopt({continuous: [1, 1]});" + orange) == [[False, True], job]
    # Another category has other images.
    assert browser.run("adopt({categorical: [1, 0]});" + orange) == [[False, True], job + 1]


@needs_browser
def test_the_slant_beside_the_picture_is_that_of_the_measurements(page, browser, digit_images):
    page()
    images = digit_images[:20, 0].float() / 255
    slants = browser.run(
        "return arguments[0].map((image) => measure(image).slant)", images.flatten(1).tolist()
    )
    expected = measure_shapes(images.numpy())["slant"]
    assert np.abs(np.array(slants) - expected.to_numpy()).max() < 1e-3


@needs_browser
def test_a_page_is_described_for_screen_readers_its_title_is_text_and_no_request_leaves_it(
    page, browser
):
    page()
    assert browser.requested_schemes() <= {"file", "data"}
    assert browser.run("return document.querySelector('h1').textContent") == "A <title> & more"
    browser.run("adopt({continuous: [0.5, -1]})")
    time.sleep(0.5)
    said = browser.run("return document.getElementById('said').textContent")
    assert "c3 0.50" in said
    assert "Q reads" in said
    unlabelled = browser.run(
        "return [...document.querySelectorAll('input, button, canvas')]"
        ".filter((e) => !e.getAttribute('aria-label') && !e.textContent).length"
    )
    assert unlabelled == 0
