import re
from html.parser import HTMLParser
from urllib.parse import quote

import numpy as np
import pytest

from infogan.report.document import Picture, Table, Verdict
from infogan.report.figure_files import save_svg
from infogan.report.figures import GridPanel, grid_figure
from infogan.report.webpage import inline, verdict, web_page
from tests.browser import HAS_LOADED, Browser, needs_browser

VOID = {"meta", "img", "wbr", "br"}
NAME = 'a"><i b#?'
BLOCKS = [
    "# A < B & C",
    "What it *is*: `x_y`.",
    "## The claims",
    Table(("", "Claim", "`gan`", "Agrees"), [("C1", "a < b", "**0.5** (n = 1)", Verdict(1, 2))]),
    "## Figures",
    Picture(NAME, 'A "film"', "**Film.** n = 1", is_chart=False),
    "- one\n- two",
]


class Outline(HTMLParser):
    """Tags in their order, every one closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page():
    return web_page(BLOCKS, {"Explorer": "explorer.html"})


@pytest.fixture(scope="module")
def outline(page):
    return Outline(page)


def test_a_verdict_has_a_mark_and_a_rule_that_was_not_judged_is_no_agreement():
    marks = [verdict(Verdict(agree, total)) for agree, total in ((2, 2), (1, 2), (0, 2), (0, 0))]
    found = [re.search('class="verdict ([a-z-]+)"><.*>(.)</span> (.*)</', mark) for mark in marks]
    assert [mark.groups() for mark in found] == [
        ("all", "✓", "2 of 2 seeds"),
        ("some", "◐", "1 of 2 seeds"),
        ("none", "✗", "0 of 2 seeds"),
        ("not-judged", "-", "not judged"),
    ]


def test_what_stands_where_is_stated_and_headings_are_linked_from_the_contents(outline):
    assert outline.all("html") == [{"lang": "en"}]
    assert [attrs["scope"] for attrs in outline.all("th")] == ["col"] * 4 + ["row"]
    assert [attrs["id"] for attrs in outline.all("h2")] == ["the-claims", "figures"]
    name = quote(NAME)
    assert [attrs["href"] for attrs in outline.all("a")] == [
        *("explorer.html", "#the-claims", "#figures"),
        *(f"vector/{name}.svg", f"figures/{name}.png"),
    ]
    assert outline.all("img") == [{"src": f"vector/{name}.svg", "alt": 'A "film"'}]


def test_the_small_part_of_markdown_becomes_html_and_all_else_is_text(page):
    assert inline("`a_b` **c** [d](e.md#f)") == (
        '<code>a_<wbr>b</code> <strong>c</strong> <a href="e.md#f">d</a>'
    )
    assert inline("0.5 ± 0.1 (n = 2)") == (
        '<span class="value">0.5 ± 0.1</span> <span class="n">(n = 2)</span>'
    )
    assert inline("[x](javascript:alert)") == "[x](javascript:alert)"
    assert inline("<script>") == "&lt;script&gt;"
    assert "<ul><li>one</li><li>two</li></ul>" in page
    assert "<title>A &lt; B &amp; C</title>" in page
    assert '<td data-label="Claim"><div>a &lt; b</div></td>' in page


def test_the_page_asks_for_nothing_from_a_network_and_runs_nothing(page):
    assert "<script" not in page
    assert not re.search(r"https?:", page)
    assert "default-src 'none'" in page


# In a real browser.

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "vector").mkdir()
    grid = np.zeros((14, 19), np.uint8)
    save_svg(grid_figure([GridPanel("grid", grid)]), folder / "vector" / f"{NAME}.svg")
    (folder / "index.html").write_text(page)
    with Browser() as window:
        window.open(folder / "index.html", ready=HAS_LOADED)
        yield window


@needs_browser
def test_pictures_are_shown_nothing_is_refused_and_nothing_is_fetched_elsewhere(browser):
    assert browser.run("return document.images[0].naturalWidth") > 0
    assert browser.errors() == []
    assert browser.requested_schemes() <= {"file", "data"}


@needs_browser
def test_a_phone_shows_a_table_as_cards_and_never_scrolls_the_page_sideways(browser):
    browser.emulate("setDeviceMetricsOverride", **PHONE)
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE["width"]
    label = "getComputedStyle(document.querySelector('td'), '::before').content"
    assert browser.run(f"return {label}") == '"Claim"'
    # Pictures are seen whole, and their files can be opened.
    image = "document.images[0].getBoundingClientRect()"
    assert browser.run(f"return {image}.right") <= PHONE["width"]
    browser.emulate("clearDeviceMetricsOverride")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page_in_light_and_dark(browser, scheme):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.emulate("setEmulatedMedia", features=[feature])
    colours = browser.run(
        "return ['body', 'a', '.verdict', 'figcaption'].map("
        "(part) => getComputedStyle(document.querySelector(part)).color)"
    )
    back = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(back) < 0.1) == (scheme == "dark")
    for colour in colours:
        darker, lighter = sorted([luminance(colour), luminance(back)])
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, colour  # the contrast WCAG asks for


def luminance(colour: str) -> float:
    """Relative luminance of an rgb() colour, as WCAG 2 defines it."""
    parts = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
