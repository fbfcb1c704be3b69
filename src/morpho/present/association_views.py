"""Tables of the severity associations as the report shows them: one view per scale and family, or per region.

Takes the association table, gives `TableView` objects. Full numbers stay in the TSV files.
"""

from __future__ import annotations

import pandas as pd

from morpho.present.model_tables import assemble_view, interval_cell, p_cells, p_columns, put_family_first, region_cell
from morpho.present.set_views import RowLinks, present_sets, set_cells, set_columns
from morpho.present.views import Cell, Column, TableView, number_cell
from morpho.present.wording import TIE, percent_of


def view_associations(associations: pd.DataFrame, *, confidence: float, links: RowLinks) -> list[TableView]:
    """View the severity associations, one table per scale and family.

    Parameters
    ----------
    associations
        Severity association; may be empty.
    confidence
        Coverage of its intervals, between 0 and 1.
    links
        Sets of scans, pages of regions and address of the full table.

    Returns
    -------
    One view per scale and family, in the order of the table.
    """
    return [
        assemble_view(f"{scale}, {family}", *_association_table(rows, confidence, links), rows, links.table)
        for (scale, family), rows in associations.groupby(["scale", "family"], sort=False)
    ]


def view_region_associations(associations: pd.DataFrame, *, confidence: float, links: RowLinks) -> list[TableView]:
    """View all rows of one region in the severity association, one table per scale.

    Parameters
    ----------
    associations
        Rows of one region; may be empty.
    confidence
        Coverage of the intervals, between 0 and 1.
    links
        Sets of scans and address of the full table.

    Returns
    -------
    One view per scale, its first column the family.
    """
    views = []
    for scale, rows in associations.groupby("scale", sort=False):
        columns, cells = _association_table(rows, confidence, links)
        views.append(put_family_first(assemble_view(f"Severity: {scale}", columns, cells, rows, links.table), rows))
    return views


def _association_table(rows: pd.DataFrame, confidence: float, links: RowLinks) -> tuple[list[Column], list[list[Cell]]]:
    """Columns and cells of rows of the severity association."""
    interval = f"[{percent_of(confidence)}{TIE}CI]"
    sets = present_sets(rows, links.sets)
    columns = [
        Column("region", "", numeric=False),
        Column(f"partial r {interval}", "correlation of volume and score given the covariates", numeric=True),
        Column(f"slope, mm³ per point {interval}", "", numeric=True),
        *p_columns(rows),
        Column(f"Spearman r {interval}", "the same from ranks", numeric=True),
        Column("n", "people analysed", numeric=True),
        *set_columns(rows, links.sets, "partial r"),
    ]
    cells = [
        [
            region_cell(row, links.pages),
            interval_cell(row, "partial_r", "partial_r_ci_low", "partial_r_ci_high", digits=2),
            interval_cell(row, "slope_mm3_per_point", "slope_ci_low_mm3", "slope_ci_high_mm3", digits=1),
            *p_cells(row),
            interval_cell(row, "spearman_r", "spearman_r_ci_low", "spearman_r_ci_high", digits=2),
            number_cell(row["n"], 0),
            *set_cells(row, sets),
        ]
        for row in rows.to_dict("records")
    ]
    return columns, cells
