"""Parts of the forest plot: one family of effects in one panel.

Takes matplotlib axes and rows of the group comparison table. Which families, and the figure around them:
`morpho.present.figures`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from morpho.present.style import FigureStyle
from morpho.present.wording import (
    NOT_THE_SAME,
    format_counts,
    format_interval,
    is_missing,
    roi_name,
    split_contrast,
    text_or,
)

Row = dict[Hashable, Any]

SIDE_SPREAD = 0.36  # distance of the two hemispheres of one region, in rows
SIDE_NAMES = {"L": "left", "R": "right"}
MARKERS = {"mean": "D", "whole": "D", "L": "o", "R": "s"}
PUBLISHED_HEIGHT = 0.76  # of the band of a published effect, shared by the sides of a region, in rows
PUBLISHED_LIMITS = ("enigma_ref_ci_low", "enigma_ref_ci_high")
PUBLISHED_LINE = "#0072B2"
# A volume is what morpho measures; thickness is hatched, so that the two cannot be taken for each other.
PUBLISHED_LOOKS: dict[str, dict[str, Any]] = {
    "published by ENIGMA-MDD: volume": {"facecolor": "#BFDDEF", "edgecolor": "none"},
    "published by ENIGMA-MDD: thickness, not the same quantity": {
        "facecolor": "#F7F7F7", "edgecolor": "#A9C7DA", "hatch": "//////", "linewidth": 0.4,
    },
}  # fmt: skip
REASON_LENGTH = 100  # letters of a reason that fit into a line of the forest plot
DIRECTION_DROP_PT = 20  # from the axis down to the words that say which side is which


def label_direction(axes: Axes, comparison: str, *, words: tuple[str, str] = ("smaller", "larger")) -> None:
    """Say below the axis what its left and its right half mean; zero is in the middle."""
    sides = (
        (0.48, "right", f"\N{LEFTWARDS ARROW} {words[0]} in {comparison}"),
        (0.52, "left", f"{words[1]} in {comparison} \N{RIGHTWARDS ARROW}"),
    )
    for x, align, text in sides:
        axes.annotate(
            text, (x, 0), (0, -DIRECTION_DROP_PT), xycoords="axes fraction", textcoords="offset points", ha=align,
            va="top",
        )  # fmt: skip


def draw_family(axes: Axes, rows: pd.DataFrame, style: FigureStyle) -> None:
    """Draw the regions of one family from top to bottom, hemispheres of one region next to each other.

    Parameters
    ----------
    axes
        Where to draw; its vertical axis is set to the regions.
    rows
        Rows of one family of the group comparison.
    style
        Look of the figure.
    """
    rois = list(dict.fromkeys(rows["roi"]))
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=1)
    sides = list(dict.fromkeys(rows["hemisphere"]))
    shifts = np.linspace(-SIDE_SPREAD / 2, SIDE_SPREAD / 2, len(sides)) if len(sides) > 1 else np.zeros(1)
    for row in rows.to_dict("records"):
        y = rois.index(row["roi"]) + float(shifts[sides.index(row["hemisphere"])])
        _draw_published(axes, row, y, PUBLISHED_HEIGHT / len(sides))
        _draw_effect(axes, row, y, style)
    axes.set_yticks(range(len(rois)), [roi_name(roi) for roi in rois])
    axes.set_ylim(len(rois) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_title(_title_family(rows), loc="left", fontweight="bold")
    if len(sides) > 1:
        named = [_marker(side, style, label=SIDE_NAMES.get(side, side)) for side in sides]
        axes.legend(
            handles=[axes.plot([], [], **options)[0] for options in named], loc="lower left", ncols=len(sides),
            bbox_to_anchor=(1, 1), borderaxespad=0, frameon=False, handletextpad=0.1, columnspacing=0.8,
        )  # fmt: skip


def _draw_published(axes: Axes, row: Row, y: float, height: float) -> None:
    """Draw the published interval of the region as a band, with a thin line at the published estimate."""
    if row["status"] != "fitted" or is_missing(row.get("enigma_ref_d")):
        return
    low, high = (float(row[name]) for name in PUBLISHED_LIMITS)
    volume, thickness = PUBLISHED_LOOKS.values()
    look = thickness if NOT_THE_SAME in text_or(row["enigma_measure"]) else volume
    axes.add_patch(Rectangle((low, y - height / 2), high - low, height, zorder=0.5, **look))
    axes.plot(
        [row["enigma_ref_d"]] * 2, [y - height / 2, y + height / 2], color=PUBLISHED_LINE, linewidth=0.6, zorder=0.8
    )


def name_published(figure: Figure, effects: pd.DataFrame, style: FigureStyle) -> None:
    """Name the bands of published effects below the figure, each kind that is there; none: no legend."""
    if "enigma_measure" not in effects:
        return
    is_other = effects.loc[effects["enigma_ref_d"].notna(), "enigma_measure"].map(text_or).str.contains(NOT_THE_SAME)
    shown = [not is_other.all(), is_other.any()] if len(is_other) else [False, False]
    handles = [
        Patch(label=name, **look) for (name, look), there in zip(PUBLISHED_LOOKS.items(), shown, strict=True) if there
    ]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False,
            fontsize=style.font_size_pt - 1,
        )  # fmt: skip


def _draw_effect(axes: Axes, row: Row, y: float, style: FigureStyle) -> None:
    """Draw one estimate with its interval and their numbers at the right, or say why there is none."""
    if row["status"] != "fitted":
        text = "not estimated: " + text_or(row["reason"], "no reason given")
        axes.text(
            0.01, y, textwrap.shorten(text, REASON_LENGTH, placeholder=" \N{HORIZONTAL ELLIPSIS}"),
            transform=axes.get_yaxis_transform(), va="center", ha="left", style="italic", color="#555555",
            fontsize=style.font_size_pt - 1, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=3,
        )  # fmt: skip
        return
    below, above = row["g"] - row["g_ci_low"], row["g_ci_high"] - row["g"]
    axes.errorbar(row["g"], y, xerr=[[below], [above]], zorder=2, **_marker(row["hemisphere"], style))
    write_numbers(axes, row, y, style)


def write_numbers(axes: Axes, row: Row, y: float, style: FigureStyle) -> None:
    """Write Hedges' g with its interval to the right of a row of a forest plot."""
    numbers = format_interval(row["g"], row["g_ci_low"], row["g_ci_high"], 2)
    axes.text(
        1.01, y, numbers, transform=axes.get_yaxis_transform(), va="center", ha="left", fontsize=style.font_size_pt - 1
    )


def _marker(side: str, style: FigureStyle, **options: Any) -> dict[str, Any]:
    """Marker of one hemisphere: colour and shape differ, so that neither is needed alone."""
    return {
        "color": style.side_colours[side], "marker": MARKERS[side], "markersize": math.sqrt(style.point_area_pt2) + 1,
        "linewidth": 1.1, "linestyle": "none", **options,
    }  # fmt: skip


def _title_family(rows: pd.DataFrame) -> str:
    """Name of a family with the people analysed."""
    comparison, reference = split_contrast(rows)
    fitted = rows[rows["status"] == "fitted"]
    family = str(rows["family"].iloc[0])
    sides = {("mean",): "mean of left and right", ("whole",): "both sides together"}.get(
        tuple(dict.fromkeys(rows["hemisphere"])), "each hemisphere"
    )
    counts = (
        f"n = {format_counts(fitted['n_reference'])} {reference}, {format_counts(fitted['n_comparison'])} {comparison}"
        if len(fitted)
        else "nothing estimated"
    )
    return f"{family} ({sides}); {counts}"


def symmetric_reach(effects: pd.DataFrame) -> float:
    """Half the width of the axis of effects, so that zero is in the middle and all intervals and bands fit."""
    shown = [name for name in ("g_ci_low", "g_ci_high", *PUBLISHED_LIMITS) if name in effects]
    limits = effects.loc[effects["status"] == "fitted", shown].astype(float).abs().to_numpy()
    return 1.06 * float(np.nanmax(limits)) if limits.size else 1.0
