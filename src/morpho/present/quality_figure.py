"""Whether the scans of the groups differ in quality: the difference of every metric, as a forest plot.

Takes the comparison of quality (``quality_comparison.tsv``), gives a matplotlib figure. Captions:
`morpho.present.cohort_captions`.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from morpho.present.forest import label_direction, write_numbers
from morpho.present.panels import keep_font, new_figure, plot_nothing
from morpho.present.quality_words import metric_label
from morpho.present.style import FigureStyle
from morpho.present.wording import MINUS, percent_of, text_or

LINE_MM, FRAME_MM = 4.0, 19.0
FIRST = "quality_index"  # what all metrics say together
NAMES = {FIRST: "quality index (higher is worse)", "distance": "distance from the cohort"}
COLOURS = {True: "#000000", False: "#666666"}
NOTHING = "The quality of the scans was not compared between groups"


def plot_quality(comparison: pd.DataFrame, *, groups: tuple[str, str], style: FigureStyle, confidence: float) -> Figure:
    """Plot Hedges' g of every metric of quality between the groups, with its interval, in the order of the table.

    Parameters
    ----------
    comparison
        Comparison of quality; metrics that could not be compared are left out.
    groups
        Names of the comparison and the reference group.
    style
        Look of the figure.
    confidence
        Coverage of the intervals in the table, between 0 and 1; only named, not computed.

    Returns
    -------
    Figure across the page; the index of all metrics together is black, the metrics are grey.
    """
    rows = comparison[comparison["status"] == "fitted"].to_dict("records")
    if not rows:
        reasons = dict.fromkeys(text_or(reason) for reason in comparison["reason"] if text_or(reason))
        return plot_nothing(f"{NOTHING}: {next(iter(reasons), 'nothing was measured')}.", style)
    with rc_context(style.rc_params()):
        figure = new_figure(style.double_column_mm, len(rows) * LINE_MM + FRAME_MM)
        axes = figure.subplots()
        axes.axvline(0, color="#444444", linewidth=0.8, zorder=1)
        for y, row in enumerate(rows):
            is_first = row["metric"] == FIRST
            look: dict[str, Any] = {"color": COLOURS[is_first], "marker": "D" if is_first else "o", "linewidth": 1.1}
            limits = [[row["g"] - row["g_ci_low"]], [row["g_ci_high"] - row["g"]]]
            axes.errorbar(row["g"], y, xerr=limits, markersize=math.sqrt(style.point_area_pt2) + 1, zorder=2, **look)
            write_numbers(axes, row, y, style)
        axes.set_yticks(
            range(len(rows)), [NAMES.get(row["metric"]) or metric_label(str(row["metric"])) for row in rows]
        )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="both", color="#E6E6E6", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        reach = 1.06 * max(abs(float(row[name])) for row in rows for name in ("g_ci_low", "g_ci_high"))
        axes.set_xlim(-reach, reach)
        keep_font(axes, style)
        comparison_group, reference = groups
        label_direction(axes, comparison_group, words=("lower", "higher"))
        label = f"Hedges' g ({comparison_group} {MINUS} {reference}) with {percent_of(confidence)} confidence interval"
        axes.set_xlabel(label, labelpad=2.2 * style.font_size_pt)
    return figure
