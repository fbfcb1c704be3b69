"""Text in lines that fit: broken by the widths of the letters, not by their number."""

from __future__ import annotations

from matplotlib.font_manager import FontProperties, findfont, get_font

from morpho.present.style import FONT, MM_PER_INCH

# FreeType rounds the width of each letter to a pixel; at many pixels per point that no longer matters.
FINE_DPI = 7200
UNITS_PER_PIXEL = 64


def wrap_text(text: str, width_mm: float, size_pt: float) -> tuple[str, ...]:
    """Break text into lines by the widths of its letters.

    Parameters
    ----------
    text
        Words, parted by spaces; spaces that do not break stay inside a word.
    width_mm
        Longest line; a word that is longer stands alone.
    size_pt
        Size of the font.

    Returns
    -------
    At least one line.
    """
    lines = [""]
    for word in text.split(" "):
        grown = f"{lines[-1]} {word}".strip()
        if lines[-1] and measure_text(grown, size_pt) > width_mm:
            lines.append(word)
        else:
            lines[-1] = grown
    return tuple(lines)


def measure_text(text: str, size_pt: float) -> float:
    """Width of one line of text in mm, in the font of all figures."""
    font = get_font(findfont(FontProperties(family=FONT)))
    font.set_size(size_pt, FINE_DPI)
    font.set_text(text)
    return float(font.get_width_height()[0]) / UNITS_PER_PIXEL / FINE_DPI * MM_PER_INCH
