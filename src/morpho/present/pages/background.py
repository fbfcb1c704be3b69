"""The pages behind the results: who was studied, how, and with what."""

from __future__ import annotations

from typing import Any

import pandas as pd

from morpho.present.notes import explain_precision
from morpho.present.report_content import ReportContent
from morpho.present.sample_views import view_precision, view_sample, view_sites
from morpho.present.views import Column, TableView, number_cell, text_cell, view_plain
from morpho.present.wording import text_or

EXCLUSION_LABELS = {
    "participant_id": "participant", "session_id": "session", "scan": "scan", "stage": "stage", "reason": "reason",
}  # fmt: skip
COLUMN_LABELS = {
    "column": "column", "used_as": "used as", "kind": "read as", "n_values": "with value", "n_missing": "missing",
    "content": "levels (rows: spellings), or lowest, middle and highest value",
}  # fmt: skip
REPAIR_LABELS = {"participant_id": "participant", "session_id": "session", "path": "file", "repairs": "what was mended"}
SCAN_LABELS = {"participant_id": "participant", "session_id": "session", "path": "file", "reason": "reason"}
COST_COLUMNS = (
    Column("step", "rule of the workflow", numeric=False),
    Column("runs", "", numeric=True),
    Column("mean, s", "seconds of one run", numeric=True),
    Column("longest, s", "", numeric=True),
    Column("CPU, s", "of all runs together, all cores", numeric=True),
    Column("memory, MB", "largest resident memory of a run", numeric=True),
)


def view_sample_page(content: ReportContent) -> dict[str, Any]:
    """Collect what the page of the sample shows: who was studied and who not, where, and what that can show.

    Parameters
    ----------
    content
        Content of the report.

    Returns
    -------
    Values for the template.
    """
    tables = content.tables
    return {
        "sample": view_sample(tables.sample, link=content.link("sample")),
        "sites": view_sites(_sites(content), link=content.link("sites")),
        "reading": explain_precision(tables.precision),
        "precision": view_precision(tables.precision, link=content.link("precision")),
        "sentences": [sentence for sentence in content.words.precision if sentence],
        "exclusions": view_plain(
            tables.exclusions,
            EXCLUSION_LABELS,
            caption="Who was left out, where and why",
            link=content.link("exclusions"),
        ),
        "columns": view_plain(
            tables.columns.astype({"n_values": "str", "n_missing": "str"}),
            COLUMN_LABELS,
            caption="What the columns of the participants table were read as",
            link=content.link("participants_columns"),
        ),
        "mended": view_plain(
            _mended(tables.scans),
            REPAIR_LABELS,
            caption="Scans that were mended before they were measured",
            link=content.link("scans"),
        ),
        "not_chosen": view_plain(
            _not_chosen(tables.scans),
            SCAN_LABELS,
            caption="Scans that were found but not chosen",
            link=content.link("scans"),
        ),
    }


def _sites(content: ReportContent) -> pd.DataFrame:
    """Table of sites; none if it tells of few people where that must not be."""
    sites = content.tables.sites
    counts = sites[["n_reference", "n_comparison"]] if len(sites) else pd.DataFrame()
    is_small = bool(((counts > 0) & (counts < content.smallest)).to_numpy().any())
    return sites.iloc[:0] if is_small else sites


def _mended(scans: pd.DataFrame) -> pd.DataFrame:
    """Select the scans of which something was mended."""
    if "repairs" not in scans:
        return scans.iloc[:0].assign(repairs="")
    mended: pd.DataFrame = scans[scans["repairs"].map(text_or) != ""]
    return mended


def _not_chosen(scans: pd.DataFrame) -> pd.DataFrame:
    """Select the scans that exist but were not chosen."""
    left: pd.DataFrame = scans[~scans["chosen"].astype(bool) & (scans["path"].map(text_or) != "")]
    return left


def view_methods_page(content: ReportContent) -> dict[str, Any]:
    """Collect what the page of methods shows: the text for a paper, by paragraphs."""
    return {"methods": [paragraph for paragraph in content.words.methods.split("\n\n") if paragraph.strip()]}


def view_provenance_page(content: ReportContent) -> dict[str, Any]:
    """Collect what the page of provenance shows: versions and hashes, time and memory, and the configuration.

    Parameters
    ----------
    content
        Content of the report.

    Returns
    -------
    Values for the template.
    """
    columns = (Column("what", "", numeric=False), Column("which", "", numeric=False))
    rows = tuple((text_cell(str(name)), text_cell(str(value))) for name, value in content.provenance.items())
    costs = tuple(
        (
            text_cell(str(row["step"]).replace("_", " ")),
            number_cell(row["n"], 0),
            number_cell(row["mean_s"], 1),
            number_cell(row["max_s"], 1),
            number_cell(row["cpu_s"], 0),
            number_cell(row["max_mb"], 0),
        )
        for row in content.tables.run_cost.to_dict("records")
    )
    return {
        "made_by": TableView("What made this report", "", columns, rows, ""),
        "run_cost": TableView(
            "What the run cost",
            "From the records of Snakemake, the step with most CPU time first.",
            COST_COLUMNS,
            costs,
            "",
        ),
        "config": content.words.config,
    }
