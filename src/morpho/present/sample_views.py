"""The sample as the report shows it: what it can find, who is in it, where it was scanned, how results vary.

Takes the tables of precision, Table 1, sites and variants, gives `TableView` objects.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from morpho.present.specification import LEFT_OUT, list_variants
from morpho.present.views import UNSORTED, Cell, Column, TableView, number_cell, sort_value, text_cell
from morpho.present.wording import (
    MINUS,
    MISSING,
    format_interval,
    format_number,
    format_range,
    percent_of,
    region_name,
    text_or,
)

Row = dict[Hashable, Any]

VARIABLE_NAMES = {
    "age_years": "age, years",
    "tiv_whole_mm3": "total intracranial volume, mm³",
    "affine_tiv_whole_mm3": "head size by alignment (affine TIV), mm³",
    "brain_volume_whole_mm3": "brain volume, mm³",
}


def view_precision(precision: pd.DataFrame, *, link: str) -> list[TableView]:
    """View what the sample can find, one table per question, for the first family of regions.

    Parameters
    ----------
    precision
        Table of precision; may be empty.
    link
        Address of the full table.

    Returns
    -------
    One view per contrast with any model, in the order of the table; columns without any value are left out.
    """
    views = []
    planned = precision[precision["detectable"].notna()]
    for contrast, rows in planned.groupby("contrast", sort=False, dropna=False):
        first = rows[rows["family"] == rows["family"].iloc[0]]
        is_g = (first["effect_size"] == "g").all()
        unit = "g" if is_g else "partial r"
        size = int(first["family_size"].max())
        power = percent_of(first["power_wanted"].iloc[0])
        where = "in each group" if is_g else "in all"
        columns = {
            "found": Column(f"smallest {unit} found", f"true effect found with {power} probability", numeric=True),
            "corrected": Column("corrected", f"the same, corrected for {size} tests (Bonferroni)", numeric=True),
            "half": Column("interval, ±", f"half its width where no {unit} is seen", numeric=True),
            "expected": Column("to expect", "effect that the best published evidence expects", numeric=True),
            "power": Column("found with", "probability that this sample finds the expected effect", numeric=True),
            "needed": Column("people needed", f"{where}, to find it with {power} probability", numeric=True),
            "recovery": Column("shown, %", "share of a planted change of volume that morpho showed", numeric=True),
            "true": Column("smallest true effect", "found, if measuring loses that much of it", numeric=True),
            "source": Column("source", "of the expected effect", numeric=False),
        }
        cells = [_precision_cells(row) for row in first.to_dict("records")]
        kept = [name for name in columns if any(line[name].text not in ("", MISSING) for line in cells)]
        names = [text_cell(region_name(row["roi"], row["hemisphere"])) for row in first.to_dict("records")]
        lines = tuple((name, *(line[column] for column in kept)) for name, line in zip(names, cells, strict=True))
        heads = (Column("region", "", numeric=False), *(columns[name] for name in kept))
        views.append(TableView(f"{first['family'].iloc[0]}: {name_contrast(contrast)}", "", heads, lines, link))
    return views


def name_contrast(contrast: Any) -> str:
    """Name the question of a row of the table of precision: the contrast, or the scale that volume is related to."""
    return text_or(contrast, "effect").replace("severity_", "severity ")


def _precision_cells(row: Row) -> dict[str, Cell]:
    """Cells of one planned test, by column."""
    shares = [100 * row["recovery_low"], 100 * row["recovery_high"]]
    needed = row["people_needed"]
    return {
        "found": number_cell(row["detectable"], 2),
        "corrected": number_cell(row["detectable_family"], 2),
        "half": number_cell(row["half_width_at_zero"], 2),
        "expected": number_cell(row["expected"], 2),
        "power": Cell(
            MISSING if pd.isna(row["power_at_expected"]) else percent_of(round(row["power_at_expected"], 2)),
            sort_value(row["power_at_expected"]),
        ),
        "needed": Cell("too many", "inf") if needed == math.inf else number_cell(needed, 0),
        "recovery": Cell(format_range(shares, 0), sort_value(row["recovery_low"])),
        "true": _true_cell(row),
        "source": text_cell(text_or(row["expected_source"])),
    }


def _true_cell(row: Row) -> Cell:
    """Cell of the smallest true effect that is found; no correlation is larger than 1."""
    low, high = row["detectable_true_low"], row["detectable_true_high"]
    if row["effect_size"] == "partial_r" and high >= 1:
        text = "none" if low >= 1 else f"{format_number(low, 2)} to none"
        return Cell(text, sort_value(high))
    return Cell(format_range([low, high], 2), sort_value(high))


def view_sample(sample: pd.DataFrame, *, link: str) -> TableView:
    """View Table 1, as `render_sample` lays it out: text in columns variable, level, groups, smd.

    Parameters
    ----------
    sample
        The rendered table; may have no rows.
    link
        Address of the full table.

    Returns
    -------
    View without p values.
    """
    details = (
        "Mean (standard deviation; range), or people (per cent of those with a value). The last column is the "
        "standardised difference of the groups; above 0.1 in size they are commonly called unequal. No tests: whether "
        "groups differ in the population is not the question."
    )
    groups = [str(name) for name in sample.columns if name not in ("variable", "level", "smd")]
    heads = [Column(name, "", numeric=False) for name in ("variable", *groups)]
    heads.append(Column("difference, SD", "standardised difference of the groups", numeric=True))
    rows = []
    for row in sample.to_dict("records"):
        level = text_or(row["level"])
        variable = str(row["variable"])
        name = VARIABLE_NAMES.get(variable, variable.replace("_", " ")) + (f": {level}" if level else "")
        smd = text_or(row["smd"])
        cells = [text_cell(text_or(row[group])) for group in groups]
        rows.append((text_cell(name), *cells, Cell(smd.replace("-", MINUS), smd)))
    return TableView("Table 1: who was studied", details, tuple(heads), tuple(rows), link)


def view_sites(sites: pd.DataFrame, *, link: str) -> TableView:
    """View how groups, sexes and ages are spread over sites; sites with a flag stand out.

    Parameters
    ----------
    sites
        Table of sites; may be empty.
    link
        Address of the full table.

    Returns
    -------
    View in the order of the table.
    """
    labels = {
        "n_reference": ("reference group", "people", 0),
        "n_comparison": ("comparison group", "people", 0),
        "effective_n": ("effective n", "n1 n0 / (n1 + n0): what the site adds to a comparison of groups", 1),
        "share_women": ("share of women", "", 2),
        "age_mean_years": ("mean age, years", "", 1),
        "age_sd_years": ("SD of age, years", "", 1),
    }
    heads = [Column("site", "", numeric=False)]
    heads += [Column(label, explanation, numeric=True) for label, explanation, _ in labels.values()]
    rows = []
    for row in sites.to_dict("records"):
        numbers = [number_cell(row[name], digits) for name, (_, _, digits) in labels.items()]
        flags = text_or(row["flags"])
        rows.append((text_cell(text_or(row["site"], "unknown")), *numbers, Cell(flags, flags, flagged=bool(flags))))
    details = "A site with one group only, or few of one, says little about their difference; site is a covariate."
    columns = (*heads, Column("with care", "", numeric=False))
    return TableView("Sites", details if len(rows) > 1 else "", columns, tuple(rows), link)


def view_sensitivity(sensitivity: pd.DataFrame, labels: Mapping[str, str], *, link: str) -> list[TableView]:
    """View the effect in every variant of the analysis, one table per family and one row per region.

    Parameters
    ----------
    sensitivity
        Table of variants; may be empty.
    labels
        Variant -> what it is, in words.
    link
        Address of the full table.

    Returns
    -------
    One view per family with any estimate; of the variants that leave out one site, the range of estimates.
    """
    views = []
    for family, rows in sensitivity.groupby("family", sort=False):
        if not (rows["status"] == "fitted").any():
            continue
        variants = list(dict.fromkeys(variant for variant, _ in list_variants(rows, labels)))
        heads = [Column("region", "", numeric=False)]
        for name in variants:
            label = "without one site" if name == LEFT_OUT else name.replace("_", " ")
            heads.append(Column(label, labels.get(name, ""), numeric=True))
        lines = [
            (
                text_cell(region_name(str(roi), str(hemisphere))),
                *(_variant_cell(here[here["variant"] == name], is_range=name == LEFT_OUT) for name in variants),
            )
            for (roi, hemisphere), here in rows.groupby(["roi", "hemisphere"], sort=False)
        ]
        views.append(TableView(f"{family}: variants of the analysis", "", tuple(heads), tuple(lines), link))
    return views


def _variant_cell(rows: pd.DataFrame, *, is_range: bool) -> Cell:
    """Cell of one variant of one region; empty where the variant does not apply."""
    if rows.empty:
        return Cell("", UNSORTED)
    fitted = rows[rows["status"] == "fitted"]
    if fitted.empty:
        return Cell("not estimated", UNSORTED)
    row = fitted.iloc[0]
    if is_range:
        return Cell(format_range(fitted["estimate"], 2), sort_value(fitted["estimate"].min()))
    return Cell(format_interval(row["estimate"], row["ci_low"], row["ci_high"], 2), sort_value(row["estimate"]))


def view_regions(regions: pd.DataFrame) -> TableView:
    """View what the regions are: the labels of the atlas behind each, as the table of regions says.

    Parameters
    ----------
    regions
        Columns roi, labels and parts (tuples of names) and description, one row per side.

    Returns
    -------
    One row per region.
    """
    columns = tuple(Column(name, "", numeric=False) for name in ("region", "what it is", "labels or parts"))
    rows = [
        (
            text_cell(region_name(str(row["roi"]), "")),
            text_cell(text_or(row["description"])),
            text_cell(", ".join([*row["labels"], *row["parts"]])),
        )
        for row in regions.drop_duplicates("roi").to_dict("records")
    ]
    return TableView("What the regions are", "", columns, tuple(rows), "")
