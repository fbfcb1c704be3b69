"""The verdicts on all claims as one picture: a sign and a word for each, and below what could not be tested.

Takes the table of claims, gives a matplotlib figure. Captions: `morpho.present.captions`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from morpho.present.lettering import wrap_text
from morpho.present.panels import plot_nothing
from morpho.present.style import MM_PER_INCH, FigureStyle
from morpho.present.verdicts import DESCRIBED, is_judged, name_verdict, say_needs

Row = dict[Hashable, Any]

# Sign, colour of its disc (Okabe and Ito 2008) and of the sign itself: sign and word say the same without colour.
SIGNS = {
    "consistent": ("\N{HEAVY CHECK MARK}", "#0072B2", "#FFFFFF"),
    "contrary": ("\N{HEAVY BALLOT X}", "#D55E00", "#FFFFFF"),
    "inconclusive": ("?", "#F0E442", "#000000"),
    "equivalent to none": ("0", "#56B4E9", "#000000"),
    "not estimable": ("\N{EN DASH}", "#FFFFFF", "#000000"),
    DESCRIBED: ("i", "#FFFFFF", "#000000"),
}
UNKNOWN = ("", "#FFFFFF", "#000000")
GREY = "#777777"
LINE_MM, GAP_MM, HEAD_MM = 3.6, 1.8, 8.0
DISC_MM, DISC_X_MM, WORD_X_MM, CLAIM_X_MM, ID_X_MM = 1.9, 12.5, 16.0, 47.0, 1.0
MARGIN_MM = 2.5


@dataclass(frozen=True)
class _Line:
    """One claim: its verdict ("" if it was not tested) and the wrapped words beside it."""

    claim_id: str
    verdict: str
    words: tuple[str, ...]

    @property
    def height_mm(self) -> float:
        """Height with the gap below."""
        return len(self.words) * LINE_MM + GAP_MM


def plot_claims(claims: pd.DataFrame, *, style: FigureStyle) -> Figure:
    """Plot one line per claim: sign and word of the verdict; claims that were not tested follow in grey.

    Parameters
    ----------
    claims
        Table of claims; both parts keep its order.
    style
        Look of the figure.

    Returns
    -------
    Figure across the page.
    """
    if claims.empty:
        return plot_nothing("There are no claims to test.", style)
    beside_mm, below_mm = (style.double_column_mm - x_mm - MARGIN_MM for x_mm in (CLAIM_X_MM, DISC_X_MM))
    size_pt = style.font_size_pt
    rows = claims.to_dict("records")
    tested = [
        _Line(str(row["claim_id"]), name_verdict(row), wrap_text(str(row["claim"]), beside_mm, size_pt))
        for row in rows
        if is_judged(row)
    ]
    untested = [
        _Line(str(row["claim_id"]), "", wrap_text(f"{row['claim']} {say_needs(row)}", below_mm, size_pt))
        for row in rows
        if not is_judged(row)
    ]
    parts = [part for part in (("tested in this sample", tested), ("not tested", untested)) if part[1]]
    height_mm = sum(HEAD_MM + sum(line.height_mm for line in lines) for _, lines in parts)
    with rc_context(style.rc_params()):
        size = (style.double_column_mm / MM_PER_INCH, height_mm / MM_PER_INCH)
        figure = Figure(figsize=size, facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, style.double_column_mm)
        axes.set_ylim(height_mm, 0)
        axes.set_axis_off()
        y_mm = 0.0
        for title, lines in parts:
            y_mm = _draw_part(axes, title, lines, y_mm, style)
    return figure


def _draw_part(axes: Axes, title: str, lines: Sequence[_Line], y_mm: float, style: FigureStyle) -> float:
    """Draw claims under a title; gives where the next part begins."""
    axes.text(ID_X_MM, y_mm + HEAD_MM / 2, f"{title} ({len(lines)})", va="center", fontweight="bold")
    y_mm += HEAD_MM
    for line in lines:
        middle_mm = y_mm + LINE_MM / 2
        colour = "#000000" if line.verdict else GREY
        axes.text(ID_X_MM, middle_mm, line.claim_id, va="center", color=colour, fontsize=style.font_size_pt - 1)
        if line.verdict:
            sign, disc, ink = SIGNS.get(line.verdict, UNKNOWN)
            axes.add_patch(Circle((DISC_X_MM, middle_mm), DISC_MM, facecolor=disc, edgecolor="#000000", linewidth=0.5))
            # An "i" or "0" of the text font sits lower than the signs; both are centred by their own box.
            axes.text(DISC_X_MM, middle_mm, sign, va="center_baseline", ha="center", color=ink, fontweight="bold")
            axes.text(
                WORD_X_MM, middle_mm, line.verdict, va="center", fontweight="bold", fontsize=style.font_size_pt - 1
            )
        x_mm = CLAIM_X_MM if line.verdict else DISC_X_MM
        for number, words in enumerate(line.words):
            axes.text(x_mm, middle_mm + number * LINE_MM, words, va="center", color=colour)
        y_mm += line.height_mm
    return y_mm
