"""Parts of the statistical figures: a grid of panels, and what is drawn into one panel.

Takes matplotlib axes and the numbers of one region. Which regions, and in which order: `morpho.present.figures`.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy import stats

from morpho.present.style import FONT, MM_PER_INCH, FigureStyle
from morpho.present.wording import format_number, text_or

PANEL_HEIGHT_MM = 52.0
REASON_WIDTH = 24  # letters per line of a reason inside a panel
BOX_WIDTH = 0.44
MEAN_OFFSET = 0.36  # the mean stands to the right of its group's box
SOFT_LINE = "#333333"


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
    The figure and its panels.
    """
    n_columns = min(style.panel_columns, n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    width_mm = max(style.double_column_mm * n_columns / style.panel_columns, style.single_column_mm)
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


def say_refused(axes: Axes, reason: Any, style: FigureStyle) -> None:
    """Write into an otherwise empty panel why nothing was estimated."""
    words = textwrap.wrap(text_or(reason, "no reason given"), REASON_WIDTH, max_lines=7, placeholder=" ...")
    axes.text(
        0.5, 0.5, "\n".join(["not estimated:", *words]), transform=axes.transAxes, ha="center", va="center",
        style="italic", color="#555555", fontsize=style.font_size_pt - 1.5, in_layout=False,
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])


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
    opacity = style.point_opacity
    axes.scatter(x, volume_mm3, s=style.point_area_pt2, color=colour, alpha=opacity, linewidths=0, zorder=2)
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
    severity = points["severity_residual"].to_numpy(float)
    axes.axhline(0, color="#BBBBBB", linewidth=0.5, zorder=0)
    axes.scatter(
        severity, points["volume_residual_mm3"].to_numpy(float), s=style.point_area_pt2, color=style.group_colours[1],
        alpha=style.point_opacity, linewidths=0, zorder=2,
    )  # fmt: skip
    x = np.array([severity.min(), 0.0, severity.max()])
    axes.fill_between(x, x * slopes[1], x * slopes[2], color="#000000", alpha=0.13, linewidth=0, zorder=1)
    axes.plot(x, x * slopes[0], color="#000000", linewidth=1.2, zorder=3)
    axes.xaxis.set_major_locator(MaxNLocator(5))
