"""What a report is made of: paragraphs, tables and pictures, and how they read as Markdown.

Text is a small part of Markdown: a paragraph that starts with `## ` is a heading, and inside
paragraphs, captions and cells there are `code`, **bold** and [links](target).
"""

from collections.abc import Sequence
from typing import NamedTuple


class Verdict(NamedTuple):
    """For how many of the runs that were judged a rule holds."""

    agree: int
    total: int

    def __str__(self) -> str:
        if not self.total:
            return "not judged"
        return f"{self.agree} of {self.total} seed{'s' * (self.total != 1)}"


class Table(NamedTuple):
    """A table whose first column names its rows."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | Verdict]]


class Picture(NamedTuple):
    """A figure of the folders figures/ and vector/; `is_chart` where it holds no photographs."""

    name: str
    alt: str
    caption: str
    is_chart: bool = False


Block = str | Table | Picture


def markdown(blocks: Sequence[Block]) -> str:
    """The whole document as Markdown."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Table):
        lines = [block.header, ["---"] * len(block.header), *block.rows]
        return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)
    if isinstance(block, Picture):
        return f"![{block.alt}](figures/{block.name}.png)\n\n{block.caption}"
    return block
