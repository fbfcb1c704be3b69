"""Specification curves: the effect of each region in every variant of the analysis, side by side.

Takes the table of variants (``sensitivity.tsv``), gives a matplotlib figure. Captions: `morpho.present.captions`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from morpho.present.panels import keep_font, new_panels, plot_nothing
from morpho.present.style import FigureStyle
from morpho.present.wording import effect_name, percent_of, region_name, text_or

Row = dict[Hashable, Any]

MAIN, LEFT_OUT = "main", "loso"
LINE_MM, PANEL_MM = 3.6, 15.0  # height of one variant, and of what a row of panels has around them
VARIANT_COLOUR = "#777777"
MAIN_BAND = "#E8E8E8"


def plot_specification(
    sensitivity: pd.DataFrame, *, family: str, labels: Mapping[str, str], style: FigureStyle, confidence: float
) -> Figure:
    """Plot the effect of every variant of the analysis with its interval, one panel per region of a family.

    Parameters
    ----------
    sensitivity
        Table of variants.
    family
        Which family to plot.
    labels
        Variant -> what it is, in words; their order is that of the lines.
    style
        Look of the figure.
    confidence
        Coverage of the intervals in the table, between 0 and 1; only named, not computed.

    Returns
    -------
    Figure across the page; the main analysis is black, and a band behind the others shows its interval. A line without
    mark is a variant that does not apply to the region, a cross one that could not be estimated.
    """
    rows = sensitivity[sensitivity["family"] == family]
    if not (rows["status"] == "fitted").any():
        return plot_nothing(f"No region of the family {family} could be analysed in any variant.", style)
    lines = list_variants(rows, labels)
    places = list(dict.fromkeys(zip(rows["roi"], rows["hemisphere"], strict=True)))
    with rc_context(style.rc_params()):
        figure, panels = new_panels(
            len(places), style, height_mm=len(lines) * LINE_MM + PANEL_MM, sharex=True, sharey=True
        )
        for axes, (roi, hemisphere) in zip(panels, places, strict=True):
            here = rows[(rows["roi"] == roi) & (rows["hemisphere"] == hemisphere)]
            draw_variants(axes, here, lines, style)
            axes.set_title(region_name(roi, hemisphere))
        name = next((text_or(size) for size in rows["effect_size"] if text_or(size)), "g")
        figure.supxlabel(
            f"{effect_name(name)} with {percent_of(confidence)} confidence interval", fontsize=style.font_size_pt
        )
    return figure


def list_variants(sensitivity: pd.DataFrame, labels: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """List the variants of a table in the order of `labels`, one per site left out.

    Parameters
    ----------
    sensitivity
        Rows with variant and left_out.
    labels
        Variant -> what it is, in words.

    Returns
    -------
    (variant, site left out) -> short name.
    """
    present = {(str(row["variant"]), text_or(row["left_out"])) for row in sensitivity.to_dict("records")}
    order = {name: number for number, name in enumerate(labels)}
    ordered = sorted(present, key=lambda key: (order.get(key[0], len(order)), key[1]))
    return {key: f"without site {key[1]}" if key[0] == LEFT_OUT else key[0].replace("_", " ") for key in ordered}


def draw_variants(axes: Axes, rows: pd.DataFrame, lines: Mapping[tuple[str, str], str], style: FigureStyle) -> None:
    """Draw the variants of one region from top to bottom; the first one named "main" stands out.

    Parameters
    ----------
    axes
        Panel of the region.
    rows
        Its rows of the table of variants.
    lines
        From `list_variants`.
    style
        Look of the figure.
    """
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=1)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    for row in rows.to_dict("records"):
        _draw_variant(axes, row, list(lines).index((str(row["variant"]), text_or(row["left_out"]))))
    axes.set_yticks(range(len(lines)), list(lines.values()))
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="x", labelbottom=True)
    axes.tick_params(axis="y", length=0)
    keep_font(axes, style)


def _draw_variant(axes: Axes, row: Row, y: int) -> None:
    """Draw one variant, or a cross if it could not be estimated."""
    is_main = row["variant"] == MAIN
    if row["status"] != "fitted":
        axes.plot(0.03, y, "x", color=VARIANT_COLOUR, markersize=3.5, transform=axes.get_yaxis_transform())
        return
    if is_main:
        axes.axvspan(row["ci_low"], row["ci_high"], color=MAIN_BAND, linewidth=0, zorder=0)
    below, above = row["estimate"] - row["ci_low"], row["ci_high"] - row["estimate"]
    look: dict[str, Any] = {"color": "#000000", "marker": "D", "markersize": 4.0, "linewidth": 1.3}
    if not is_main:
        look = {"color": VARIANT_COLOUR, "marker": "o", "markersize": 2.6, "linewidth": 0.9}
    axes.errorbar(row["estimate"], y, xerr=[[below], [above]], linestyle="none", zorder=2, **look)
