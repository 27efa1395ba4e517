import re
from html.parser import HTMLParser

import pytest

from infogan.document import Picture, Table, Verdict
from infogan.webpage import inline, web_page

VOID = {"meta", "img", "wbr", "br"}
BLOCKS = [
    "# A < B & C",
    "What it *is*: `x_y`.",
    "## The claims",
    Table(("", "Claim", "`gan`", "Agrees"), [("C1", "a < b", "**0.5** (n = 1)", Verdict(1, 2))]),
    "## Figures",
    Picture("film", 'A "film"', "**Film.** n = 1", is_chart=False),
    "- one\n- two",
]


class Outline(HTMLParser):
    """Tags in their order, and whether every one is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

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


def test_every_tag_is_closed_and_the_language_is_stated(page):
    outline = Outline(page)
    assert outline.open == []
    assert outline.all("html") == [{"lang": "en"}]


def test_text_is_text_and_not_markup(page):
    assert "<title>A &lt; B &amp; C</title>" in page
    assert '<td data-label="Claim"><div>a &lt; b</div></td>' in page
    assert 'alt="A &quot;film&quot;"' in page
    assert inline("<script>") == "&lt;script&gt;"


def test_the_small_part_of_markdown_becomes_html():
    assert inline("`a_b` **c** [d](e.md#f)") == (
        '<code>a_<wbr>b</code> <strong>c</strong> <a href="e.md#f">d</a>'
    )
    assert inline("[x](javascript:alert)") == "[x](javascript:alert)"


def test_table_headers_say_what_they_are_headers_of(page):
    scopes = [attrs["scope"] for attrs in Outline(page).all("th")]
    assert scopes == ["col"] * 4 + ["row"]


def test_headings_are_linked_from_the_contents(page):
    outline = Outline(page)
    anchors = {attrs["id"] for attrs in outline.all("h2")}
    assert anchors == {"the-claims", "figures"}
    links = {attrs["href"] for attrs in outline.all("a")}
    assert {f"#{anchor}" for anchor in anchors} | {"explorer.html"} <= links


def test_a_verdict_does_not_rest_on_colour(page):
    assert re.search(r'class="verdict some"><span aria-hidden="true">◐</span> 1 of 2 seeds', page)


def test_a_picture_is_shown_as_vectors_and_described(page):
    (image,) = Outline(page).all("img")
    assert image == {"src": "vector/film.svg", "alt": 'A "film"'}
    assert 'href="figures/film.png"' in page


def test_a_list_is_a_list(page):
    assert "<ul><li>one</li><li>two</li></ul>" in page


def test_the_page_asks_for_nothing_from_a_network_and_runs_nothing(page):
    assert "<script" not in page
    assert not re.search(r"https?:", page)
    assert "default-src 'none'" in page
