"""The explorer's networks against PyTorch's, and its page in a real browser."""

import time
from functools import cache

import pytest
import torch
import torch.nn.functional as F

from infogan.evaluate.morphometrics import measure_shapes
from infogan.explore.page import fold_layers, named_categories, page_facts, write_page
from infogan.method.codes import sample, split_recognition
from infogan.method.networks import TABLES, Discriminator, Generator, build_networks
from tests.browser import Browser, needs_browser
from tests.layouts import code_layout

LAYOUT = code_layout(noise=6, categorical=(5, 3), continuous=2)


@cache
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


def facts_for(params, layout, dataset, noise, categories=()):
    params = params.model_copy(update={"codes": layout, "dataset": dataset})
    return page_facts(params, noise, {"roles": {}}) | {
        "title": "A <title> & more",
        "categories": list(categories),
        "roles": {"c3": "rotation"},
    }


# The folded layers, computed with PyTorch.


def apply(operation, x):
    """A layer on one image [row, column, channel]; kernels are 4 x 4 with a padding of 1."""
    matrix, bias = torch.from_numpy(operation.matrix), torch.from_numpy(operation.bias)
    size, stride = operation.size, operation.stride
    if operation.kind == "dense":
        y = matrix @ x.flatten() + bias
    else:
        maps = x.reshape(size, size, -1).permute(2, 0, 1)
        if operation.kind == "conv":
            kernels = matrix.unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
            y = F.conv2d(F.pad(maps, (1, 2, 1, 2)), kernels, bias, stride)
        else:
            kernels = matrix.unflatten(0, (4, 4, -1)).permute(3, 2, 0, 1)
            inside = slice(1, size * stride + 1)
            y = F.conv_transpose2d(maps, kernels, bias, stride)[:, inside, inside]
        y = y.permute(1, 2, 0)
    if operation.activation == "leaky":
        return F.leaky_relu(y, operation.slope)
    return y if operation.activation == "none" else getattr(torch, operation.activation)(y)


@pytest.mark.parametrize("table", ["mnist", "svhn", "faces", "chairs"])
def test_folded_layers_compute_what_the_networks_do(table, options):
    generator, discriminator = trained_networks(table, LAYOUT, options)
    latents = sample(LAYOUT, 1, torch.Generator().manual_seed(2))
    with torch.no_grad():
        image = generator(latents)
        output = discriminator(image)[1][0]
    x = latents[0].double()
    for operation in fold_layers(generator.layers, size=1):
        x = apply(operation, x)
    pixels = image[0].permute(1, 2, 0)
    assert x.shape == pixels.shape
    assert (x - pixels).abs().max() < 1e-4
    layers = [*discriminator.trunk, *discriminator.recognition]
    for operation in fold_layers(layers, size=len(pixels)):
        x = apply(operation, x)
    assert (x - output).abs().max() < 1e-3


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
    "no categories": code_layout(3, (), 5),
    "categories alone": code_layout(4, (4,), 0),
    "one continuous, no noise": code_layout(0, (3,), 1),
}


@pytest.fixture
def page(tmp_path, params, options, browser):
    """Write and open a page; returns the networks."""

    def open_page(layout=LAYOUT, table="mnist", *, small=False):
        generator, discriminator = trained_networks(table, layout, options)
        noise = sample(layout, 8, torch.Generator().manual_seed(3))[:, : layout.noise]
        size = sum(layout.categorical[:1])
        categories = [{"label": str(9 - k), "purity": 0.5} for k in range(size)]
        path = tmp_path / "explorer.html"
        facts = facts_for(params, layout, table, noise, categories)
        write_page(path, generator, discriminator, facts, small=small)
        browser.log("browser")
        browser.log("performance")
        browser.open(path)
        return generator, discriminator

    return open_page


def images_differ_by(browser, generator, latents):
    """How far a value of the page's images is from PyTorch's, at most."""
    script = "return arguments[0].map((row) => Array.from(generate(row)))"
    shown = torch.tensor(browser.run(script, latents.tolist()))
    with torch.no_grad():
        return (shown - generator(latents).permute(0, 2, 3, 1).flatten(1)).abs().max()


@needs_browser
@pytest.mark.parametrize("table", ["mnist", "svhn", "chairs"])
def test_the_same_latents_give_the_same_image_within_two_grey_levels(page, browser, table):
    generator, discriminator = page(table=table)
    latents = sample(LAYOUT, 20 if table == "mnist" else 10, torch.Generator())
    value_range = 2 if table == "svhn" else 1
    assert images_differ_by(browser, generator, latents) < 2 / 255 * value_range
    if table == "chairs":
        return  # five layers of random weights magnify what rounding to RECOGNITION_BITS loses
    script = "return arguments[0].map((row) => recognise(generate(row)))"
    read = browser.run(script, latents[:10].tolist())
    with torch.no_grad():
        q = split_recognition(LAYOUT, discriminator(generator(latents[:10]))[1])
    for code, logits in enumerate(q.logits):
        probabilities = torch.tensor([reading["categorical"][code] for reading in read])
        assert (probabilities - logits.softmax(dim=1)).abs().max() < 0.02
    means = torch.tensor([reading["continuous"] for reading in read])
    assert (means - q.mean).abs().max() < 0.02 * (q.mean.abs().max() + 1)


@needs_browser
def test_a_small_pages_images_are_within_four_grey_levels_and_it_says_nothing_of_q(page, browser):
    generator, _ = page(small=True)
    latents = sample(LAYOUT, 20, torch.Generator())
    assert images_differ_by(browser, generator, latents) < 4 / 255
    time.sleep(0.3)
    assert "category 0" in browser.run("return document.getElementById('said').textContent")
    assert "Q reads" not in browser.run("return document.body.innerText")
    assert browser.errors() == []


def test_a_small_page_of_mnists_networks_is_at_most_eight_megabytes(tmp_path, params):
    layout = params.codes
    networks = build_networks(TABLES["mnist"], layout, params.networks, seed=0)
    noise = sample(layout, 8, torch.Generator())[:, layout.noise_slice]
    write_page(tmp_path / "page", *networks, facts_for(params, layout, "mnist", noise), small=True)
    assert 6e6 < (tmp_path / "page").stat().st_size <= 8e6


@needs_browser
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_every_control_changes_the_picture_and_nothing_fails(page, browser, layout):
    page(layout)
    changed = browser.run(
        "const picture = () => document.getElementById('picture').toDataURL();"
        "return [...document.querySelectorAll('fieldset')].map((group) => {"
        "  const before = picture(), input = group.querySelector('input');"
        "  if (input) { input.value = 2; input.dispatchEvent(new Event('input')); }"
        "  else group.querySelector('[aria-pressed=false]').click();"
        "  return picture() !== before;"
        "});"
    )
    assert changed == [True] * (len(layout.names) + bool(layout.noise))
    assert browser.errors() == []


@needs_browser
def test_keys_choose_a_category_by_its_label_shuffle_the_noise_and_move_the_pad(page, browser):
    page()

    def press(selector, *keys):
        """The state, as the page has it, after some keys."""
        return browser.run(
            "const [selector, keys] = arguments, element = document.querySelector(selector);"
            "for (const key of keys)"
            "  element.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));"
            "return {...state, noise: Array.from(state.noise)}",
            *(selector, keys),
        )

    # The labels run from 9 down, so there is no 3 and the key is the number itself.
    assert press("body", "3")["categorical"][0] == 3
    before = press("body", "8")
    assert before["categorical"][0] == 1
    after = press("body", "s")
    assert after["noise"] != before["noise"]
    assert after["sample"] == -1
    assert press("#pad", "ArrowRight", "ArrowDown")["continuous"] == pytest.approx([0.1, -0.1])
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
    script = "return arguments[0].map((image) => measure(image).slant)"
    slants = browser.run(script, images.flatten(1).tolist())
    expected = measure_shapes(images.numpy())[:, 0]
    assert slants == pytest.approx(expected, abs=1e-3)


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
