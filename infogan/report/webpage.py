"""A document as one web page: no script, no font and nothing else from a network.

It is read in light and dark, on a phone, on paper and by screen readers. Pictures are relative
files, or lie in the page.
"""

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple
from urllib.parse import quote

from infogan.report.document import Block, Picture, Table, Verdict

TEMPLATE = Path(__file__).with_suffix(".html")
MARKUP = (
    (re.compile(r"`([^`]+)`"), lambda code: f"<code>{code[1].replace('_', '_<wbr>')}</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    # A target is an address on the web or a relative path, never a script.
    (re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+|[\w./#-]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"[\d.,-]+ ± [\d.,]+"), r'<span class="value">\g<0></span>'),
    (re.compile(r"\(n = \d+\)"), r'<span class="n">\g<0></span>'),
    (re.compile(r"\bL_I\b"), "<i>L<sub>I</sub></i>"),
)
MARKS = {"all": "✓", "some": "◐", "none": "✗", "not-judged": "-"}


class Html(NamedTuple):
    """A block that is markup already."""

    markup: str


def web_page(blocks: Sequence[Block | Html], links: Mapping[str, str] | None = None) -> str:
    """The page of a document, whose first block is its title, with links below the title."""
    title = str(blocks[0]).removeprefix("# ")
    headings = [b.removeprefix("## ") for b in blocks if isinstance(b, str) and b[:3] == "## "]
    introduction, *sections = _sections(blocks[1:])
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        heading=inline(title),
        introduction=introduction,
        links=_navigation("files", "More", links or {}),
        contents=_navigation("contents", "Contents", {h: f"#{_anchor(h)}" for h in headings}),
        body="\n".join(sections),
    )


def inline(text: str) -> str:
    """One line of text, its markup as HTML and everything else escaped."""
    text = html.escape(text)
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    return text


def table(content: Table, label: str) -> str:
    """A table with scoped headers, which a narrow screen shows as a list of cards."""
    header = "".join(f'<th scope="col">{inline(cell)}</th>' for cell in content.header)
    rows = "".join(f"<tr>{_cells(content.header, row)}</tr>\n" for row in content.rows)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(label)}">\n'
        f'<table class="cards">\n<thead><tr>{header}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n</div>"
    )


def figure(content: Picture, source: str, more: str = "") -> str:
    """A picture with its caption, `more` being HTML at the caption's end."""
    kind = "chart" if content.is_chart else "images"
    return (
        f'<figure class="{kind}" id="{_anchor(content.name)}">\n'
        f'<img src="{html.escape(source)}" alt="{html.escape(content.alt)}">\n'
        f"<figcaption>{inline(content.caption)}{more}</figcaption>\n</figure>"
    )


def verdict(content: Verdict) -> str:
    """A verdict with a mark, so that it does not rest on colour."""
    kind = "some" if content.agree else "none"
    if content.agree == content.total:
        kind = "all" if content.total else "not-judged"
    mark = f'<span aria-hidden="true">{MARKS[kind]}</span>'
    return f'<span class="verdict {kind}">{mark} {content}</span>'


def _sections(blocks: Sequence[Block | Html]) -> list[str]:
    """What stands before the first heading, then the section of each heading."""
    sections, heading = [""], "Introduction"
    for block in blocks:
        if isinstance(block, str) and block.startswith("## "):
            heading = block.removeprefix("## ")
            sections.append(f'<h2 id="{_anchor(heading)}">{inline(heading)}</h2>\n')
        else:
            sections[-1] += _block(block, heading) + "\n"
    return [sections[0], *(f"<section>\n{section}</section>" for section in sections[1:])]


def _block(block: Block | Html, heading: str) -> str:
    if isinstance(block, Html):
        return block.markup
    if isinstance(block, Table):
        return table(block, heading)
    if isinstance(block, Picture):
        return _figure_file(block)
    if block.startswith("- "):
        items = re.split(r"(?:^|\n)- ", block)[1:]
        return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in items)}</ul>"
    return f"<p>{inline(block)}</p>"


def _figure_file(content: Picture) -> str:
    vector, pixels = quote(f"vector/{content.name}.svg"), quote(f"figures/{content.name}.png")
    files = f'<a href="{vector}">SVG</a>, <a href="{pixels}">PNG</a>'
    return figure(content, vector, f' <span class="file">In full: {files}</span>')


def _cells(header: Sequence[str], row: Sequence[str | Verdict]) -> str:
    cells = [verdict(cell) if isinstance(cell, Verdict) else inline(cell) for cell in row]
    labels = [html.escape(re.sub("[`*]", "", name)) for name in header]
    first = f'<th scope="row">{cells[0]}</th>'
    rest = zip(labels[1:], cells[1:], strict=True)
    return first + "".join(
        f'<td data-label="{label}"><div>{cell}</div></td>' for label, cell in rest
    )


def _navigation(kind: str, label: str, links: Mapping[str, str]) -> str:
    items = "".join(
        f'<li><a href="{html.escape(target)}">{inline(text)}</a></li>'
        for text, target in links.items()
    )
    return f'<nav class="{kind}" aria-label="{label}"><ul>{items}</ul></nav>' if items else ""


def _anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")
