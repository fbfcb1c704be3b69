"""Tables of the models as the report shows them: one view per family, with the reasons of refused models.

Takes the effect and association tables, gives `TableView` objects. Full numbers stay in the TSV files.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from morpho.present.views import UNSORTED, Cell, Column, TableView, number_cell, sort_value, text_cell
from morpho.present.wording import (
    MISSING,
    NOT_THE_SAME,
    TIE,
    count_things,
    describe_adjustment,
    format_factor,
    format_interval,
    format_number,
    format_p,
    is_missing,
    percent_of,
    region_name,
    split_contrast,
    text_or,
)

Row = dict[Hashable, Any]

P_COLUMNS = ("p", "p_permutation", "p_fdr", "p_familywise")


def view_effects(effects: pd.DataFrame, *, confidence: float, link: str) -> list[TableView]:
    """View the group comparison, one table per family.

    Parameters
    ----------
    effects
        Group comparison; may be empty.
    confidence
        Coverage of its intervals, between 0 and 1.
    link
        Address of the full table.

    Returns
    -------
    One view per family, in the order of the table.
    """
    views = []
    for family, rows in effects.groupby("family", sort=False):
        comparison, reference = split_contrast(rows)
        cells = [_effect_cells(row) for row in rows.to_dict("records")]
        columns = _effect_columns(rows, comparison, reference, confidence)
        caption = f"{family}: {comparison} minus {reference}"
        views.append(_assemble(caption, columns, cells, rows, link))
    return views


def _effect_columns(rows: pd.DataFrame, comparison: str, reference: str, confidence: float) -> list[Column]:
    """Heads of the columns of `_effect_cells`."""
    interval = f"[{percent_of(confidence)}{TIE}CI]"
    bounds = rows["equivalence_bound_g"].dropna()
    within = f"within ±{bounds.iloc[0]:g}" if len(bounds) else "equivalent"
    return [
        Column("region", "", numeric=False),
        Column(f"g {interval}", "Hedges' g, in residual standard deviations", numeric=True),
        Column(f"difference, % {interval}", "of the adjusted mean of the reference group", numeric=True),
        *_p_columns(rows),
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


def _effect_cells(row: Row) -> list[Cell]:
    """Cells of one row of the group comparison."""
    n = f"{format_number(row['n_reference'], 0)} + {format_number(row['n_comparison'], 0)}"
    return [
        text_cell(region_name(row["roi"], row["hemisphere"])),
        _interval_cell(row, "g", "g_ci_low", "g_ci_high", digits=2),
        _interval_cell(row, "percent", "percent_ci_low", "percent_ci_high", digits=1),
        *_p_cells(row),
        Cell(format_factor(row["bayes_factor_10"]), sort_value(row["bayes_factor_10"])),
        _equivalence_cell(row),
        _published_cell(row),
        _interval_cell(row, "d_enigma", "d_enigma_ci_low", "d_enigma_ci_high", digits=2),
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
    cell = _interval_cell(row, "enigma_ref_d", "enigma_ref_ci_low", "enigma_ref_ci_high", digits=2)
    mark = " (thickness)" if NOT_THE_SAME in text_or(row["enigma_measure"]) else ""
    return Cell(cell.text + mark, cell.sort)


def view_associations(associations: pd.DataFrame, *, confidence: float, link: str) -> list[TableView]:
    """View the severity associations, one table per scale and family.

    Parameters
    ----------
    associations
        Severity association; may be empty.
    confidence
        Coverage of its intervals, between 0 and 1.
    link
        Address of the full table.

    Returns
    -------
    One view per scale and family, in the order of the table.
    """
    interval = f"[{percent_of(confidence)}{TIE}CI]"
    views = []
    for (scale, family), rows in associations.groupby(["scale", "family"], sort=False):
        columns = [
            Column("region", "", numeric=False),
            Column(f"partial r {interval}", "correlation of volume and score given the covariates", numeric=True),
            Column(f"slope, mm³ per point {interval}", "", numeric=True),
            *_p_columns(rows),
            Column(f"Spearman r {interval}", "the same from ranks", numeric=True),
            Column("n", "people analysed", numeric=True),
        ]
        cells = [
            [
                text_cell(region_name(row["roi"], row["hemisphere"])),
                _interval_cell(row, "partial_r", "partial_r_ci_low", "partial_r_ci_high", digits=2),
                _interval_cell(row, "slope_mm3_per_point", "slope_ci_low_mm3", "slope_ci_high_mm3", digits=1),
                *_p_cells(row),
                _interval_cell(row, "spearman_r", "spearman_r_ci_low", "spearman_r_ci_high", digits=2),
                number_cell(row["n"], 0),
            ]
            for row in rows.to_dict("records")
        ]
        views.append(_assemble(f"{scale}, {family}", columns, cells, rows, link))
    return views


def _assemble(caption: str, columns: list[Column], cells: list[list[Cell]], rows: pd.DataFrame, link: str) -> TableView:
    """Make a view of one family; a column of notes is added if any fitted model has one."""
    refused = (rows["status"] != "fitted").tolist()
    # Why a model was refused is said above the table; the first number of its row says that it was.
    cells = [
        [line[0], Cell("not estimated", UNSORTED, flagged=True), *line[2:]] if out else line
        for line, out in zip(cells, refused, strict=True)
    ]
    notes = [text_cell("" if out else text_or(reason)) for reason, out in zip(rows["reason"], refused, strict=True)]
    if any(note.text for note in notes):
        columns = [*columns, Column("note", "", numeric=False)]
        cells = [[*line, note] for line, note in zip(cells, notes, strict=True)]
    return TableView(
        caption, _describe_models(rows), tuple(columns), tuple(map(tuple, cells)), link, _list_refusals(rows)
    )


def _p_columns(rows: pd.DataFrame) -> list[Column]:
    """Heads of the columns of `_p_cells`; they name the family and its size."""
    tests = f"{int(rows['family_size'].max())} tests of the family {rows['family'].iloc[0]}"
    return [
        Column("p", "two-sided, of this region alone", numeric=True),
        Column("p permuted", "of this region alone, by permutation; to be read where cells are small", numeric=True),
        Column("p FDR", f"corrected for the {tests}: false discovery rate", numeric=True),
        Column("p FWER", f"corrected for the {tests}: family-wise error, by permutation", numeric=True),
    ]


def _p_cells(row: Row) -> list[Cell]:
    """Cells of p and corrected p; a refused model has none, although it counts in the correction."""
    if row["status"] != "fitted":
        return [Cell(MISSING, UNSORTED)] * len(P_COLUMNS)
    return [Cell(format_p(row[name]), sort_value(row[name])) for name in P_COLUMNS]


def _describe_models(rows: pd.DataFrame) -> str:
    """Say what the models of a family adjust for, and which head size they use and why."""
    fitted = rows[rows["status"] == "fitted"]
    if fitted.empty:
        return "Nothing could be estimated."
    notes = "; ".join(dict.fromkeys(text_or(note) for note in fitted["head_size_note"] if text_or(note)))
    size = int(rows["family_size"].max())
    corrected = f" Corrected p values are for the {count_things(size, 'test')} of the family {rows['family'].iloc[0]}."
    adjusted = f"Adjusted for {describe_adjustment(fitted['formula'])}."
    return adjusted + (f" Head size: {notes}." if notes else "") + corrected


def _list_refusals(rows: pd.DataFrame) -> tuple[str, ...]:
    """List the regions that were refused, one line per reason."""
    refused = rows[rows["status"] == "refused"]
    reasons = refused["reason"].map(lambda reason: text_or(reason, "no reason given"))
    lines = []
    for reason in dict.fromkeys(reasons):
        names = [region_name(row["roi"], row["hemisphere"]) for row in refused[reasons == reason].to_dict("records")]
        lines.append(f"{', '.join(names)}: {reason}")
    return tuple(lines)


def _interval_cell(row: Row, value: str, low: str, high: str, *, digits: int) -> Cell:
    """Cell of an estimate with its interval, sorted by the estimate."""
    return Cell(format_interval(row[value], row[low], row[high], digits), sort_value(row[value]))
