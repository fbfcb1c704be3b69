"""Tables of the group comparison as the report shows them: one view per family or per region, with refused models.

Takes the effect table, gives `TableView` objects. Full numbers stay in the TSV files.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from morpho.present.model_tables import assemble_view, interval_cell, p_cells, p_columns, put_family_first, region_cell
from morpho.present.set_views import RowLinks, present_sets, set_cells, set_columns
from morpho.present.views import UNSORTED, Cell, Column, TableView, number_cell, sort_value
from morpho.present.wording import (
    MISSING,
    NOT_THE_SAME,
    TIE,
    format_factor,
    format_number,
    format_p,
    is_missing,
    percent_of,
    split_contrast,
    text_or,
)

Row = dict[Hashable, Any]


def view_effects(effects: pd.DataFrame, *, confidence: float, links: RowLinks) -> list[TableView]:
    """View the group comparison, one table per family.

    Parameters
    ----------
    effects
        Group comparison; may be empty.
    confidence
        Coverage of its intervals, between 0 and 1.
    links
        Sets of scans, pages of regions and address of the full table.

    Returns
    -------
    One view per family, in the order of the table.
    """
    views = []
    for family, rows in effects.groupby("family", sort=False):
        comparison, reference = split_contrast(rows)
        caption = f"{family}: {comparison} minus {reference}"
        views.append(assemble_view(caption, *_effect_table(rows, confidence, links), rows, links.table))
    return views


def view_region_effects(effects: pd.DataFrame, *, confidence: float, links: RowLinks) -> TableView | None:
    """View all rows of one region in the group comparison: every side in every family.

    Parameters
    ----------
    effects
        Rows of one region; may be empty.
    confidence
        Coverage of the intervals, between 0 and 1.
    links
        Sets of scans and address of the full table.

    Returns
    -------
    One view, its first column the family; None if there are no rows.
    """
    if effects.empty:
        return None
    comparison, reference = split_contrast(effects)
    columns, cells = _effect_table(effects, confidence, links)
    caption = f"Group comparison: {comparison} minus {reference}"
    return put_family_first(assemble_view(caption, columns, cells, effects, links.table), effects)


def _effect_table(rows: pd.DataFrame, confidence: float, links: RowLinks) -> tuple[list[Column], list[list[Cell]]]:
    """Columns and cells of rows of the group comparison."""
    comparison, reference = split_contrast(rows)
    sets = present_sets(rows, links.sets)
    columns = _effect_columns(rows, comparison, reference, confidence)
    extra = set_columns(rows, links.sets, "g")
    has_motion = "motion_equivalent_mm_per_min" in rows and rows["motion_equivalent_mm_per_min"].notna().any()
    if has_motion:
        extra.append(
            Column(
                "as motion, mm/min",
                "more head motion in the comparison group that alone would give this difference, at 0.7 % of grey "
                "matter per mm/min (Reuter et al. 2015)",
                numeric=True,
            )
        )
    cells = []
    for row in rows.to_dict("records"):
        more = set_cells(row, sets)
        more += [number_cell(row["motion_equivalent_mm_per_min"], 1)] if has_motion else []
        cells.append([*_effect_cells(row, links.pages), *more])
    return [*columns, *extra], cells


def _effect_columns(rows: pd.DataFrame, comparison: str, reference: str, confidence: float) -> list[Column]:
    """Heads of the columns of `_effect_cells`."""
    interval = f"[{percent_of(confidence)}{TIE}CI]"
    bounds = rows["equivalence_bound_g"].dropna()
    within = f"within ±{bounds.iloc[0]:g}" if len(bounds) else "equivalent"
    return [
        Column("region", "", numeric=False),
        Column(f"g {interval}", "Hedges' g, in residual standard deviations", numeric=True),
        Column(f"difference, % {interval}", "of the adjusted mean of the reference group", numeric=True),
        *p_columns(rows),
        Column("BF", "Bayes factor of a difference against none; below 1 speaks for none", numeric=True),
        Column(
            within,
            f"whether g lies within the smallest effect of interest: two one-sided tests, 90{TIE}% interval inside it",
            numeric=True,
        ),
        Column(f"published d [95{TIE}%{TIE}CI]", "ENIGMA-MDD; thickness is not the same quantity", numeric=True),
        Column(f"d as ENIGMA [95{TIE}%{TIE}CI]", "as the ENIGMA consortium computes it", numeric=True),
        Column(f"{reference}, mm³", "adjusted mean", numeric=True),
        Column(f"{comparison}, mm³", "adjusted mean", numeric=True),
        Column("n", f"people analysed, {reference} + {comparison}", numeric=True),
    ]


def _effect_cells(row: Row, pages: Mapping[str, str]) -> list[Cell]:
    """Cells of one row of the group comparison."""
    n = f"{format_number(row['n_reference'], 0)} + {format_number(row['n_comparison'], 0)}"
    return [
        region_cell(row, pages),
        interval_cell(row, "g", "g_ci_low", "g_ci_high", digits=2),
        interval_cell(row, "percent", "percent_ci_low", "percent_ci_high", digits=1),
        *p_cells(row),
        Cell(format_factor(row["bayes_factor_10"]), sort_value(row["bayes_factor_10"])),
        _equivalence_cell(row),
        _published_cell(row),
        interval_cell(row, "d_enigma", "d_enigma_ci_low", "d_enigma_ci_high", digits=2),
        number_cell(row["adjusted_mean_reference_mm3"], 0),
        number_cell(row["adjusted_mean_comparison_mm3"], 0),
        Cell(n if row["status"] == "fitted" else MISSING, sort_value(row["n_reference"])),
    ]


def _equivalence_cell(row: Row) -> Cell:
    """Cell that says whether the 90 % interval lies within the smallest effect of interest."""
    low, high, bound = row["g_ci90_low"], row["g_ci90_high"], row["equivalence_bound_g"]
    if row["status"] != "fitted":
        return Cell(MISSING, UNSORTED)
    word = "yes" if -bound < low and high < bound else "not shown"
    return Cell(f"{word}, p{TIE}{format_p(row['equivalence_p'])}", sort_value(row["equivalence_p"]))


def _published_cell(row: Row) -> Cell:
    """Cell of the published effect of the same region, marked where it is not of volume; empty where there is none."""
    if is_missing(row.get("enigma_ref_d")):
        return Cell("", UNSORTED)
    cell = interval_cell(row, "enigma_ref_d", "enigma_ref_ci_low", "enigma_ref_ci_high", digits=2)
    mark = " (thickness)" if NOT_THE_SAME in text_or(row["enigma_measure"]) else ""
    return Cell(cell.text + mark, cell.sort)
