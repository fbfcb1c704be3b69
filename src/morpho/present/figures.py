"""Statistical figures: effect sizes, adjusted volumes by group, volume against severity.

Takes tables of `morpho.infer.models`, gives matplotlib figures; opens and writes no file. Captions:
`morpho.present.captions`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from morpho.errors import ConfigError
from morpho.present.forest import draw_family, label_direction, name_published, symmetric_reach
from morpho.present.panels import (
    draw_both_groups,
    draw_partial_regression,
    finish_panel,
    keep_font,
    new_figure,
    new_panels,
    plot_nothing,
    say_refused,
    title_panel,
)
from morpho.present.style import FigureStyle
from morpho.present.wording import (
    MINUS,
    describe_adjustment,
    percent_of,
    split_contrast,
)

Row = dict[Hashable, Any]

LINE_MM = 4.3  # height of one line of the forest plot
LABEL_LENGTH = 38  # letters of an axis label that fit beside one row of panels
TITLE_LENGTH = 22  # letters per line above a panel


def plot_effects_forest(effects: pd.DataFrame, *, style: FigureStyle, confidence: float) -> Figure:
    """Plot Hedges' g with its interval for every region, one panel per family, in the order of the table.

    Parameters
    ----------
    effects
        Group comparison table; where it has the columns of published effects (``enigma_ref_d`` and so on), these are
        drawn behind the own ones.
    style
        Look of the figure.
    confidence
        Coverage of the intervals in the table, between 0 and 1; only named, not computed.

    Returns
    -------
    Figure across the page. Models that were refused are lines of text.
    """
    comparison, reference = split_contrast(effects)
    families = [rows for _, rows in effects.groupby("family", sort=False)]
    n_lines = [len(rows) + 1 for rows in families]
    height_mm = LINE_MM * (sum(n_lines) + 2 * len(families)) + 19
    with rc_context(style.rc_params()):
        figure = new_figure(style.double_column_mm, height_mm)
        panels = figure.subplots(len(families), 1, sharex=True, squeeze=False, height_ratios=n_lines)[:, 0]
        for axes, rows in zip(panels, families, strict=True):
            draw_family(axes, rows, style)
            keep_font(axes, style)
        reach = symmetric_reach(effects)
        panels[-1].set_xlim(-reach, reach)
        label_direction(panels[-1], comparison)
        label = f"Hedges' g ({comparison} {MINUS} {reference}) with {percent_of(confidence)} confidence interval"
        panels[-1].set_xlabel(label, labelpad=2.2 * style.font_size_pt)
        name_published(figure, effects, style)
    return figure


def plot_group_distributions(
    adjusted: pd.DataFrame, effects: pd.DataFrame, *, family: str, style: FigureStyle, confidence: float
) -> Figure:
    """Plot the adjusted volumes of both groups, one panel per region of a family.

    Parameters
    ----------
    adjusted
        Adjusted volumes (mm3), one row per person and region.
    effects
        Group comparison table of the same models.
    family
        Which family to plot.
    style
        Look of the figure.
    confidence
        Coverage of the interval of each group's mean, between 0 and 1.

    Returns
    -------
    Figure across the page: people as points, median and quartiles as a box, mean with interval as a diamond.

    Raises
    ------
    ConfigError
        If `effects` has no such family.
    """
    rows = _select(effects, family=family)
    points = adjusted[adjusted["family"] == family]
    groups = split_contrast(rows)
    with rc_context(style.rc_params()):
        figure, panels = new_panels(len(rows), style)
        for axes, row in zip(panels, rows.to_dict("records"), strict=True):
            title_panel(axes, row, ("g", "g"))
            if row["status"] != "fitted":
                say_refused(axes, row["reason"], style)
                continue
            here = _of_region(points, row)
            draw_both_groups(axes, here, row, groups, style=style, confidence=confidence)
            finish_panel(axes, style, pixels=len(points) > style.vector_points)
        figure.supylabel(_label_volume(rows, math.ceil(len(rows) / style.panel_columns)), fontsize=style.font_size_pt)
    return figure


def _label_volume(rows: pd.DataFrame, n_panel_rows: int) -> str:
    """Label of adjusted volumes, in lines that fit beside the panels; models that differ are left to the caption."""
    phrase = describe_adjustment(rows.loc[rows["status"] == "fitted", "formula"])
    label = "adjusted volume (mm³)" if "; or " in phrase else f"volume adjusted for {phrase} (mm³)"
    return textwrap.fill(label, LABEL_LENGTH * n_panel_rows)


def plot_severity_association(
    residuals: pd.DataFrame,
    associations: pd.DataFrame,
    *,
    family: str,
    scale: str,
    style: FigureStyle,
    confidence: float,
) -> Figure:
    """Plot volume against severity given the covariates (partial regression), one panel per region of a family.

    Parameters
    ----------
    residuals
        Partial residuals, one row per person and region: severity (points) and volume (mm3).
    associations
        Severity association table of the same models.
    family, scale
        Which part to plot.
    style
        Look of the figure.
    confidence
        Coverage of the intervals in the table, between 0 and 1; only named, not computed.

    Returns
    -------
    Figure across the page. Line and band are slope and interval of the table.

    Raises
    ------
    ConfigError
        If `associations` has the scale, but no such family.

    Notes
    -----
    A scale that was not analysed, because nobody has a score, has a figure that says so.
    The slope of residuals on residuals is that of the whole model: Frisch R, Waugh FV, Econometrica 1933;1:387-401,
    doi:10.2307/1907330.
    """
    if not (associations["scale"] == scale).any():
        return plot_nothing(f"{scale} was not analysed: no participant has a score.", style)
    rows = _select(associations, family=family, scale=scale)
    points = residuals[(residuals["family"] == family) & (residuals["scale"] == scale)]
    with rc_context(style.rc_params()):
        figure, panels = new_panels(len(rows), style)
        for axes, row in zip(panels, rows.to_dict("records"), strict=True):
            title_panel(axes, row, ("r", "partial_r"))
            if row["status"] != "fitted":
                say_refused(axes, row["reason"], style)
                continue
            slopes = (row["slope_mm3_per_point"], row["slope_ci_low_mm3"], row["slope_ci_high_mm3"])
            draw_partial_regression(axes, _of_region(points, row), slopes, style)
            finish_panel(axes, style, pixels=len(points) > style.vector_points)
        band = f"band: {percent_of(confidence)} confidence interval of the slope"
        figure.supxlabel(f"{scale}, residual (points); {band}", fontsize=style.font_size_pt)
        figure.supylabel("volume, residual (mm³)", fontsize=style.font_size_pt)
    return figure


def _of_region(points: pd.DataFrame, row: Row) -> pd.DataFrame:
    """Rows of the region of `row`."""
    here: pd.DataFrame = points[(points["roi"] == row["roi"]) & (points["hemisphere"] == row["hemisphere"])]
    return here


def _select(table: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    """Rows of a table with the wanted values; none is an error."""
    wanted_rows = [(table[column] == value).to_numpy() for column, value in wanted.items()]
    rows: pd.DataFrame = table.loc[np.logical_and.reduce(wanted_rows)]
    if rows.empty:
        seen = list(dict.fromkeys(" / ".join(values) for values in table[list(wanted)].astype(str).to_numpy()))
        message = f"There is no {' / '.join(wanted)} '{' / '.join(wanted.values())}' to plot; the table has {seen}."
        raise ConfigError(message)
    return rows
