"""Figures as bytes of files, the same bytes for the same figure.

Takes matplotlib figures of any module of this package; opens and writes no file.
"""

from __future__ import annotations

import io
import logging
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from morpho.errors import ConfigError
from morpho.present.style import FONT, save_options

logging.getLogger("fontTools").setLevel(logging.WARNING)  # otherwise dozens of lines for every PDF file

SVG_SALT = "morpho"  # any fixed text: makes the identifiers inside SVG files the same in every run
TRUE_TYPE = 42  # PDF font type that publishers take and programs can edit
WEBP_QUALITIES = range(90, -1, -3)
WEBP_EFFORT = 6  # 0 (fast) to 6 (small)


def render_figure(figure: Figure, file_format: str, *, dpi: float) -> bytes:
    """Render a figure as the bytes of a file; equal figures give equal bytes.

    Parameters
    ----------
    figure
        Any figure of this package.
    file_format
        "svg", "png" or "pdf".
    dpi
        Resolution of pixels, dots per inch.

    Returns
    -------
    Content of the file, which is exactly as wide as the figure (png: to the nearest pixel). Letters in SVG files are
    outlines, so that they look the same on every machine; fonts are embedded in PDF files.

    Raises
    ------
    ConfigError
        If the format is none of the three.
    """
    buffer = io.BytesIO()
    fonts: dict[Any, Any] = {
        "svg.hashsalt": SVG_SALT,
        "svg.fonttype": "path",
        "pdf.fonttype": TRUE_TYPE,
        "font.family": [FONT],
    }
    with rc_context(fonts):
        figure.savefig(buffer, **save_options(file_format, dpi=dpi))
    return buffer.getvalue()


def render_webp(figure: Figure, *, width_px: int, largest_bytes: int) -> bytes:
    """Render a figure as a WebP picture for the report, in the best quality that fits.

    Parameters
    ----------
    figure
        Any figure of this package.
    width_px
        Width of the picture in pixels.
    largest_bytes
        Largest size of the file.

    Returns
    -------
    Content of the file.

    Raises
    ------
    ConfigError
        If the picture does not fit even in the lowest quality.
    """
    dpi = width_px / figure.get_figwidth()
    image = Image.open(io.BytesIO(render_figure(figure, "png", dpi=dpi))).convert("RGB")
    # The size falls with the quality, so that halving the list finds the first one that fits.
    first, last, content = 0, len(WEBP_QUALITIES) - 1, _encode_webp(image, WEBP_QUALITIES[-1])
    if len(content) > largest_bytes:
        message = (
            f"A picture of {image.width} x {image.height} pixels has {len(content)} bytes at the lowest quality; at "
            f"most {largest_bytes} are allowed. Give it fewer pixels."
        )
        raise ConfigError(message)
    while first < last:
        middle = (first + last) // 2
        tried = _encode_webp(image, WEBP_QUALITIES[middle])
        if len(tried) <= largest_bytes:
            last, content = middle, tried
        else:
            first = middle + 1
    return content


def _encode_webp(image: Image.Image, quality: int) -> bytes:
    """Content of a WebP file. Sharp conversion of colours keeps thin coloured lines on grey."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=WEBP_EFFORT, use_sharp_yuv=True)
    return buffer.getvalue()
