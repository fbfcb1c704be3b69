"""Parts of the statistical figures: a grid of panels, and what is drawn into one panel.

Takes matplotlib axes and the numbers of one region. Which regions, and in which order: `morpho.present.figures`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy import stats

from morpho.present.style import FONT, MM_PER_INCH, FigureStyle
from morpho.present.wording import TIE, format_interval, format_number, region_name, text_or

PANEL_HEIGHT_MM = 52.0
NOTHING_MM = 25.0  # height of a figure without content
NOTHING_LENGTH = 38  # letters per line in it
TITLE_LENGTH = 22  # letters per line above a panel
REASON_WIDTH = 24  # letters per line of a reason inside a panel
BOX_WIDTH = 0.44
SLACK = 1.05  # panels may shrink so little to fit into one column
MEAN_OFFSET = 0.36  # the mean stands to the right of its group's box
SOFT_LINE = "#333333"
MOST_POINTS = 1000  # people of one group in one panel that are drawn; more would be one blot


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Make an empty figure of a printed size (mm), which arranges its parts without overlap."""
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained", facecolor="white")


def new_panels(
    n_panels: int, style: FigureStyle, *, height_mm: float = PANEL_HEIGHT_MM, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure with one panel per region, filled row by row; spare places stay empty.

    Parameters
    ----------
    n_panels
        Number of regions.
    style
        Look of the figure.
    height_mm
        Height of one row of panels.
    **options
        For ``Figure.subplots``, such as ``sharey``.

    Returns
    -------
    The figure, as wide as one column of a journal or as its page, and its panels.
    """
    n_columns = min(style.panel_columns, n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    fits_column = style.double_column_mm * n_columns / style.panel_columns <= SLACK * style.single_column_mm
    width_mm = style.single_column_mm if fits_column else style.double_column_mm
    figure = new_figure(width_mm, n_rows * height_mm + 8)
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False, **options).flat)
    for spare in panels[n_panels:]:
        spare.set_axis_off()
    return figure, panels[:n_panels]


def keep_font(axes: Axes, style: FigureStyle) -> None:
    """Fix size and font of tick labels, which matplotlib would otherwise choose when the figure is drawn."""
    axes.tick_params(labelsize=style.font_size_pt - 1, labelfontfamily=FONT, width=0.6)


def finish_panel(axes: Axes, style: FigureStyle, *, pixels: bool) -> None:
    """Give the y axis few ticks with grouped thousands, fix the font, and turn many points into pixels."""
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, 0)))
    for points in axes.collections:
        points.set_rasterized(pixels)
    keep_font(axes, style)


def title_panel(axes: Axes, row: Mapping[Hashable, Any], estimate: tuple[str, str], *, name: str = "") -> None:
    """Write the name of a region above a panel, and its estimate with the interval below it, if there is one.

    Parameters
    ----------
    axes
        Panel of the region.
    row
        Row of an effect table.
    estimate
        Letter of the effect size, and its column; the limits are in the columns that end in _ci_low and _ci_high.
    name
        What to write in place of the region's name.
    """
    lines = [textwrap.fill(name or region_name(str(row["roi"]), str(row["hemisphere"])), TITLE_LENGTH)]
    if row["status"] == "fitted":
        letter, column = estimate
        value, interval = format_interval(row[column], row[f"{column}_ci_low"], row[f"{column}_ci_high"], 2).split(
            TIE, 1
        )
        count = f"n = {int(row['n'])}, " if "n" in row else ""
        # Two lines, because a title that is wider than its panel would be cut at the edge of the figure.
        lines += [f"{count}{letter} = {value}", interval]
    axes.set_title("\n".join(lines))


def say_refused(axes: Axes, reason: Any, style: FigureStyle) -> None:
    """Write into an otherwise empty panel why nothing was estimated."""
    words = textwrap.wrap(text_or(reason, "no reason given"), REASON_WIDTH, max_lines=7, placeholder=" ...")
    axes.text(
        0.5, 0.5, "\n".join(["not estimated:", *words]), transform=axes.transAxes, ha="center", va="center",
        style="italic", color="#555555", fontsize=style.font_size_pt - 1.5, in_layout=False,
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])


def draw_both_groups(
    axes: Axes,
    points: pd.DataFrame,
    row: Mapping[Hashable, Any],
    groups: tuple[str, str],
    *,
    style: FigureStyle,
    confidence: float,
) -> None:
    """Draw the adjusted volumes of both groups into one panel.

    Parameters
    ----------
    axes
        Panel of the region.
    points
        Columns group and adjusted_volume_mm3, one row per person.
    row
        Row of the region in the group comparison: its numbers of people.
    groups
        Names of the comparison and the reference group.
    style
        Look of the figure. Its seed and the region decide how people are spread sideways.
    confidence
        Coverage of the interval of each mean, between 0 and 1.
    """
    comparison, reference = groups
    place = f"{row['roi']} {row['hemisphere']}".encode()
    rng = np.random.default_rng([style.jitter_seed, *place])
    for position, group in enumerate((reference, comparison)):
        volume_mm3 = points.loc[points["group"] == group, "adjusted_volume_mm3"].to_numpy(float)
        draw_group(axes, volume_mm3, position, rng, style, confidence)
    sizes = (row["n_reference"], row["n_comparison"])
    labels = [f"{name}\nn = {int(n)}" for name, n in zip((reference, comparison), sizes, strict=True)]
    axes.set_xticks([0, 1], labels)
    axes.set_xlim(-0.5, 1.6)


def draw_group(
    axes: Axes,
    volume_mm3: npt.NDArray[np.float64],
    position: int,
    rng: np.random.Generator,
    style: FigureStyle,
    confidence: float,
) -> None:
    """Draw people, box and mean of one group.

    Parameters
    ----------
    axes
        Panel of the region.
    volume_mm3 : shape (people,)
        Adjusted volumes.
    position
        0 for the reference group, 1 for the comparison group.
    rng
        Spreads the points sideways.
    style
        Look of the figure.
    confidence
        Coverage of the interval of the mean (Student's t within the group), between 0 and 1.
    """
    colour = style.group_colours[position]
    x = position + rng.uniform(-style.jitter_width, style.jitter_width, len(volume_mm3))
    opacity, shown = style.point_opacity, choose_points(len(volume_mm3), style)
    axes.scatter(
        x[shown], volume_mm3[shown], s=style.point_area_pt2, color=colour, alpha=opacity, linewidths=0, zorder=2
    )
    line = {"color": SOFT_LINE, "linewidth": 0.7}
    axes.boxplot(
        volume_mm3, positions=[position], widths=BOX_WIDTH, showfliers=False, manage_ticks=False, boxprops=line,
        whiskerprops=line, capprops=line, medianprops=line | {"linewidth": 1.4}, zorder=3,
    )  # fmt: skip
    half = 0.0
    if len(volume_mm3) > 1:
        quantile = float(stats.t.ppf(0.5 + confidence / 2, len(volume_mm3) - 1))
        half = quantile * float(volume_mm3.std(ddof=1)) / math.sqrt(len(volume_mm3))
    mean = float(volume_mm3.mean())
    x_mean = position + MEAN_OFFSET
    axes.errorbar(x_mean, mean, yerr=half, color=colour, marker="D", markersize=3.5, linewidth=1.2, zorder=4)


def choose_points(n: int, style: FigureStyle) -> npt.NDArray[np.intp]:
    """Choose who is drawn: all of n people, or `MOST_POINTS` of them at random; their row numbers in order."""
    if n <= MOST_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(style.jitter_seed).choice(n, MOST_POINTS, replace=False))


def draw_partial_regression(
    axes: Axes, points: pd.DataFrame, slopes: tuple[float, float, float], style: FigureStyle
) -> None:
    """Draw people, line and band of one region.

    Parameters
    ----------
    axes
        Panel of the region.
    points
        Columns severity_residual (points) and volume_residual_mm3, one row per person.
    slopes
        Slope with the limits of its interval (mm3 per point); line and band go through the origin, where the means of
        residuals are.
    style
        Look of the figure.
    """
    severity, shown = points["severity_residual"].to_numpy(float), choose_points(len(points), style)
    axes.axhline(0, color="#BBBBBB", linewidth=0.5, zorder=0)
    volume_mm3, colour = points["volume_residual_mm3"].to_numpy(float), style.group_colours[1]
    axes.scatter(
        severity[shown], volume_mm3[shown], s=style.point_area_pt2, color=colour, alpha=style.point_opacity,
        linewidths=0, zorder=2,
    )  # fmt: skip
    x = np.array([severity.min(), 0.0, severity.max()])
    axes.fill_between(x, x * slopes[1], x * slopes[2], color="#000000", alpha=0.13, linewidth=0, zorder=1)
    axes.plot(x, x * slopes[0], color="#000000", linewidth=1.2, zorder=3)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def plot_nothing(reason: str, style: FigureStyle) -> Figure:
    """Make a figure of one column that says why there is nothing to show."""
    with rc_context(style.rc_params()):
        figure = new_figure(style.single_column_mm, NOTHING_MM)
        text = textwrap.fill(reason, NOTHING_LENGTH)
        figure.text(0.5, 0.5, text, ha="center", va="center", style="italic", color="#555555")
    return figure
