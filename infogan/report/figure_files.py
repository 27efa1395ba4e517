"""Figures as files, whole or not at all: PNG for pages and slides, SVG for print.

The same figure gives the same bytes, and neither file names a date or the software that wrote it.
An SVG holds text as outlines, so that no reader needs the font, and a grid of images with one pixel
for each of theirs, so that it is smaller than the PNG and stays sharp at any size.
"""

import base64
import io
import re
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image, ImageChops

from infogan.base.files import write_file
from infogan.report.figures import STYLE

EMBEDDED_PNG = re.compile(rb'"data:image/png;base64,(?P<data>[^"]*)"')
UNNAMED = {"Date": None, "Creator": None, "Format": None, "Type": None}


@rc_context(STYLE)
def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as PNG."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", pil_kwargs={"compress_level": 1})  # for a moment
    write_file(path, _small_png(drawn.getvalue()))


@rc_context({**STYLE, "svg.fonttype": "path", "svg.hashsalt": "infogan"})
def save_svg(figure: Figure, path: Path) -> None:
    """Write the figure as SVG; the pictures in it are PNGs, with one pixel for each of theirs."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata=UNNAMED)
    write_file(path, EMBEDDED_PNG.sub(_embed_small, drawn.getvalue()))


def _embed_small(found: re.Match[bytes]) -> bytes:
    small = _small_png(base64.b64decode(found["data"]))
    return b'"data:image/png;base64,' + base64.b64encode(small) + b'"'


def _small_png(encoded: bytes) -> bytes:
    """An opaque PNG in grey where it has no colour, else in its 256 main colours; no metadata."""
    picture = Image.open(io.BytesIO(encoded)).convert("RGB")
    grey = picture.convert("L")
    has_colour = ImageChops.difference(picture, grey.convert("RGB")).getbbox() is not None
    small = picture.quantize(256, dither=Image.Dither.NONE) if has_colour else grey
    output = io.BytesIO()
    small.save(output, format="png", optimize=True)
    return output.getvalue()
