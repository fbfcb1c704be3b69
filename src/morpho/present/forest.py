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

from morpho.present.style import FigureStyle
from morpho.present.wording import format_counts, format_interval, roi_name, split_contrast, text_or

Row = dict[Hashable, Any]

SIDE_SPREAD = 0.36  # distance of the two hemispheres of one region, in rows
SIDE_NAMES = {"L": "left", "R": "right"}
MARKERS = {"mean": "D", "whole": "D", "L": "o", "R": "s"}
REASON_LENGTH = 100  # letters of a reason that fit into a line of the forest plot
DIRECTION_DROP_PT = 20  # from the axis down to the words that say which side is which


def label_direction(axes: Axes, comparison: str) -> None:
    """Say below the axis what its left and its right half mean; zero is in the middle."""
    sides = (
        (0.48, "right", f"\N{LEFTWARDS ARROW} smaller in {comparison}"),
        (0.52, "left", f"larger in {comparison} \N{RIGHTWARDS ARROW}"),
    )
    for x, align, words in sides:
        axes.annotate(
            words, (x, 0), (0, -DIRECTION_DROP_PT), xycoords="axes fraction", textcoords="offset points", ha=align,
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
        _draw_effect(axes, row, rois.index(row["roi"]) + float(shifts[sides.index(row["hemisphere"])]), style)
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
    """Half the width of the axis of effects, so that zero is in the middle and all intervals fit."""
    limits = effects.loc[effects["status"] == "fitted", ["g_ci_low", "g_ci_high"]].astype(float).abs().to_numpy()
    return 1.06 * float(np.nanmax(limits)) if limits.size else 1.0
