"""Everything about one region on one page: volume by group, volume against severity, and other ways to analyse it.

Takes tables of `morpho.infer.models`, gives matplotlib figures; opens and writes no file. Captions:
`morpho.present.cohort_captions`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure, SubFigure

from morpho.present.panels import (
    draw_both_groups,
    draw_partial_regression,
    finish_panel,
    new_figure,
    say_refused,
    title_panel,
)
from morpho.present.specification import draw_variants, list_variants
from morpho.present.style import FigureStyle
from morpho.present.wording import effect_name, percent_of, region_name, split_contrast, text_or
from morpho.tables import describe_column

Row = dict[Hashable, Any]

SIDES = ("L", "R", "mean", "whole")
LEAST_COLUMNS = 3  # panels are no wider than a third of the page
MAIN_SIDES = ("mean", "whole", "L", "R")  # the first one there is stands for the region where one must do
KEYS = ["roi", "hemisphere"]
PART = {
    "part": describe_column(
        "Part of the figure",
        levels={"volume_by_group": "a", "severity": "b, of every side", "variants": "c"},
    )
}
GROUPS_MM, SCALES_MM, LINE_MM, FRAME_MM, EMPTY_MM = 54.0, 56.0, 3.6, 15.0, 20.0


@dataclass(frozen=True)
class RegionTables:
    """Tables of the models: group comparison, adjusted volumes, severity, partial residuals, variants."""

    effects: pd.DataFrame
    adjusted: pd.DataFrame
    associations: pd.DataFrame
    residuals: pd.DataFrame
    sensitivity: pd.DataFrame

    def of_region(self, roi: str) -> RegionTables:
        """Rows of one region; where several families have the same volume, those of the first family.

        Parameters
        ----------
        roi
            Name of the region.

        Returns
        -------
        The same tables, shorter.
        """
        first = self.effects.loc[self.effects["roi"] == roi].drop_duplicates("hemisphere")
        wanted = first[["family", *KEYS]]
        tables = (self.adjusted, self.associations, self.residuals, self.sensitivity)
        return RegionTables(first, *(table.merge(wanted, on=["family", *KEYS]) for table in tables))


def plot_region(
    tables: RegionTables, *, roi: str, labels: Mapping[str, str], style: FigureStyle, confidence: float
) -> Figure:
    """Plot one region: adjusted volumes by group, partial regressions on severity, and variants of the analysis.

    Parameters
    ----------
    tables
        Tables of all regions.
    roi
        Name of the region; every side of it that a family has is shown.
    labels
        Variant -> what it is, in words; their order is that of the lines.
    style
        Look of the figure.
    confidence
        Coverage of all intervals, between 0 and 1.

    Returns
    -------
    Figure across the page in three parts; a part without content says why.
    """
    here = tables.of_region(roi)
    lines = list_variants(here.sensitivity, labels)
    scales = choose_side(here.associations)
    n_rows = math.ceil(len(scales) / style.panel_columns)
    has_variants = (here.sensitivity["status"] == "fitted").any()
    heights = [GROUPS_MM, SCALES_MM * n_rows or EMPTY_MM, len(lines) * LINE_MM + FRAME_MM if has_variants else EMPTY_MM]
    with rc_context(style.rc_params()):
        figure = new_figure(style.double_column_mm, sum(heights))
        grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        parts = [figure.add_subfigure(grid[place, 0]) for place in range(len(heights))]
        _plot_groups(parts[0], here, style, confidence)
        _plot_scales(parts[1], scales, here.residuals, style)
        _plot_variants(parts[2], here.sensitivity if has_variants else None, lines, style, confidence)
    return figure


def _plot_groups(part: SubFigure, here: RegionTables, style: FigureStyle, confidence: float) -> None:
    """Plot the adjusted volumes of both groups, one panel per side."""
    rows = sorted(here.effects.to_dict("records"), key=lambda row: SIDES.index(row["hemisphere"]))
    _name_part(part, "a", "volume by group", style)
    groups = split_contrast(here.effects)
    panels = part.subplots(1, max(len(rows), LEAST_COLUMNS), squeeze=False)[0]
    for axes, row in zip(panels, rows, strict=False):
        title_panel(axes, row, ("g", "g"), name=_name_side(row, len(rows)))
        if row["status"] != "fitted":
            say_refused(axes, row["reason"], style)
            continue
        points = here.adjusted[here.adjusted["hemisphere"] == row["hemisphere"]]
        draw_both_groups(axes, points, row, groups, style=style, confidence=confidence)
        finish_panel(axes, style, pixels=len(here.adjusted) > style.vector_points)
    for spare in panels[len(rows) :]:
        spare.set_axis_off()
    panels[0].set_ylabel("adjusted volume (mm³)")


def choose_side(associations: pd.DataFrame) -> list[Row]:
    """Choose the side that stands for a region: the mean or whole if there is one, else the left.

    Parameters
    ----------
    associations
        Severity associations of one region.

    Returns
    -------
    Rows of that side, one per scale; none if there is no scale.
    """
    for side in MAIN_SIDES:
        rows = associations[associations["hemisphere"] == side]
        if len(rows):
            return rows.to_dict("records")
    return []


def _plot_scales(part: SubFigure, rows: list[Row], residuals: pd.DataFrame, style: FigureStyle) -> None:
    """Plot volume against each severity scale given the covariates."""
    if not rows:
        _name_part(part, "b", "volume and severity", style)
        _say_nothing(part, "No severity scale was analysed.")
        return
    name = region_name(str(rows[0]["roi"]), str(rows[0]["hemisphere"]))
    _name_part(part, "b", f"volume and severity ({name}, partial regression)", style)
    n_columns = min(style.panel_columns, max(len(rows), 2))
    panels = part.subplots(math.ceil(len(rows) / n_columns), n_columns, squeeze=False)
    for axes, row in zip(panels.flat, rows, strict=False):
        title_panel(axes, row, ("r", "partial_r"), name=str(row["scale"]))
        if row["status"] != "fitted":
            say_refused(axes, row["reason"], style)
            continue
        points = residuals[(residuals["scale"] == row["scale"]) & (residuals["hemisphere"] == row["hemisphere"])]
        slopes = (row["slope_mm3_per_point"], row["slope_ci_low_mm3"], row["slope_ci_high_mm3"])
        draw_partial_regression(axes, points, slopes, style)
        axes.set_xlabel("residual (points)")
        finish_panel(axes, style, pixels=len(residuals) > style.vector_points)
    for spare in panels.flat[len(rows) :]:
        spare.set_axis_off()
    for first in panels[:, 0]:
        first.set_ylabel("volume, residual (mm³)")


def _plot_variants(
    part: SubFigure,
    rows: pd.DataFrame | None,
    lines: Mapping[tuple[str, str], str],
    style: FigureStyle,
    confidence: float,
) -> None:
    """Plot the effect in every variant of the analysis, one panel per side."""
    words = "group difference in every variant of the analysis"
    if rows is None:
        _name_part(part, "c", words, style)
        _say_nothing(part, "The region could not be analysed in any variant.")
        return
    name = next((text_or(size) for size in rows["effect_size"] if text_or(size)), "g")
    _name_part(part, "c", f"{words} ({effect_name(name)}, {percent_of(confidence)} confidence interval)", style)
    sides = sorted(set(rows["hemisphere"]), key=SIDES.index)
    panels = part.subplots(1, max(len(sides), LEAST_COLUMNS), squeeze=False, sharex=True, sharey=True)[0]
    for axes, side in zip(panels, sides, strict=False):
        here = rows[rows["hemisphere"] == side]
        draw_variants(axes, here, lines, style)
        axes.set_title(_name_side(here.iloc[0].to_dict(), len(sides)))
    for spare in panels[len(sides) :]:
        spare.set_axis_off()


def _name_side(row: Row, n_sides: int) -> str:
    """Name of a region above its panel; the mean of both sides is called so where a side stands beside it."""
    name = region_name(str(row["roi"]), str(row["hemisphere"]))
    return f"mean {name}" if row["hemisphere"] == "mean" and n_sides > 1 else name


def _name_part(part: SubFigure, letter: str, words: str, style: FigureStyle) -> None:
    """Write letter and name of a part above its left border."""
    part.suptitle(f"{letter}  {words}", x=0.005, ha="left", fontweight="bold", fontsize=style.font_size_pt)


def _say_nothing(part: SubFigure, reason: str) -> None:
    """Say why a part has no content."""
    part.text(0.5, 0.35, reason, ha="center", va="center", style="italic", color="#555555")


def gather_region(tables: RegionTables, *, roi: str) -> pd.DataFrame:
    """Gather what `plot_region` draws in one table.

    Parameters
    ----------
    tables
        Tables of all regions.
    roi
        Name of the region.

    Returns
    -------
    Column ``part`` (volume_by_group, severity, variants), then the columns of adjusted volumes, partial residuals and
    variants; those that a part lacks are missing.
    """
    here = tables.of_region(roi)
    parts = {"volume_by_group": here.adjusted, "severity": here.residuals, "variants": here.sensitivity}
    filled = [table.assign(part=name) for name, table in parts.items() if len(table)]
    columns = list(dict.fromkeys(column for table in parts.values() for column in table))
    if not filled:
        return pd.DataFrame(columns=["part", *columns])
    return pd.concat([table.astype(object) for table in filled], ignore_index=True).reindex(columns=["part", *columns])
