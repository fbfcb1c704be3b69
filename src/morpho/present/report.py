"""The report: a folder of pages that needs no network and no server, and can be zipped and passed on.

Takes the content of a run and the templates, gives the text of every file and the list of files to copy. Opens and
writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from morpho.present.pages.background import view_methods_page, view_provenance_page, view_sample_page
from morpho.present.pages.frame import TEMPLATE, PageWriter, has_scans, region_pages
from morpho.present.pages.results import list_figures, view_claims_page, view_index, view_region, view_regions_page
from morpho.present.pages.scans import view_quality_page, view_scans
from morpho.present.pictures import check_address
from morpho.present.quality_words import worst_scans
from morpho.present.report_content import ReportContent, ReportTables
from morpho.present.sharing import (
    hash_ids,
    hide_counts,
    hide_table_counts,
    replace_ids,
    withhold_small,
    withhold_small_text,
)
from morpho.present.wording import roi_name

# Tables about groups, which may be shared; sample and sites are left to the pages, which remove small cells.
GROUP_TABLES = (
    "group_comparison", "sensitivity", "severity_association", "claims", "claim_tests", "precision",
    "quality_comparison",
)  # fmt: skip
PERSON_FIGURES = ("distributions_", "severity_", "region_", "quality_groups", "flow")  # a mark for each person
SCAN_FOLDERS = ("pictures/", "thumbnails/")
EFFECT_FIGURES = ("effects_", "specification")
TOLD_TABLES = ("group_comparison", "sensitivity", "claims", "claim_tests", "precision", "quality_comparison")
WITHHELD = (
    "A group of the study has fewer than {} people. In this report for sharing, everything that compares the groups or "
    "tells their sizes is withheld, the methods text included."
)


def render_pages(content: ReportContent, templates: Mapping[str, str]) -> dict[str, str]:
    """Render all files of the report that are text.

    Parameters
    ----------
    content
        What to show.
    templates
        Files of ``workflow/report``, name -> text: templates of pages (``.jinja``), and style and scripts, which go
        into the folder ``assets``.

    Returns
    -------
    Path in the report -> text. With ``options.share`` nothing is about a single scan or person; with a salt, ids are
    hashes in texts and paths.

    Notes
    -----
    The address of a picture that leads out of the folder is refused (ConfigError).
    """
    content = prepare_content(content)
    for picture in content.figures.values():
        check_address(picture.source)
    for path in (*content.texts, *content.files):
        check_address(path)
    writer = PageWriter(content, templates)
    pages = {
        "index.html": writer.write("index.html", "index", "Results", view_index(content)),
        "claims.html": writer.write("claims.html", "claims", "Claims", view_claims_page(content)),
        "regions.html": writer.write("regions.html", "regions", "Regions", view_regions_page(content)),
        "figures.html": writer.write("figures.html", "figures", "Figures", {"figures": list_figures(content)}),
        "sample.html": writer.write("sample.html", "sample", "Sample", view_sample_page(content)),
        "methods.html": writer.write("methods.html", "methods", "Methods", view_methods_page(content)),
        "provenance.html": writer.write("provenance.html", "provenance", "Provenance", view_provenance_page(content)),
    }
    for roi, path in region_pages(content.tables).items():
        name = roi_name(roi)
        pages[path] = writer.write(path, "region", name[:1].upper() + name[1:], view_region(content, roi))
    pages |= _render_scans(content, writer)
    assets = {f"assets/{name}": text for name, text in templates.items() if not name.endswith(TEMPLATE)}
    hashes = find_hashes(content)
    shown = {**pages, **content.texts}
    return {replace_ids(path, hashes): replace_ids(text, hashes) for path, text in shown.items()} | assets


def _render_scans(content: ReportContent, writer: PageWriter) -> dict[str, str]:
    """Render the quality page and the pages of scans, if there may be any."""
    metrics = content.tables.metrics
    if metrics is None or not has_scans(content):
        return {}
    pages = {"quality.html": writer.write("quality.html", "quality", "Quality", view_quality_page(content, metrics))}
    for scan, values in view_scans(content, metrics):
        path = f"scans/{scan}.html"
        pages[path] = writer.write(path, "scan", scan, values)
    return pages


def choose_files(content: ReportContent) -> dict[str, Path | bytes]:
    """Choose the files that the report has as they are: path in the report -> content, or source to copy.

    Parameters
    ----------
    content
        What the report shows.

    Returns
    -------
    All of ``content.files``, but pictures of scans that are not shown one by one; without those of single scans in a
    report to share, and with ids replaced.
    """
    content = prepare_content(content)
    hashes, hidden = find_hashes(content), _hide_scans(content.tables.metrics)
    return {
        replace_ids(path, hashes): source
        for path, source in content.files.items()
        if not (path.startswith(SCAN_FOLDERS) and Path(path).stem in hidden)
    }


def _hide_scans(metrics: pd.DataFrame | None) -> frozenset[str]:
    """Name the scans that a report of a large cohort does not show one by one."""
    return frozenset() if metrics is None else frozenset(metrics["scan"]).difference(worst_scans(metrics)["scan"])


def prepare_content(content: ReportContent) -> ReportContent:
    """Take out of the content what a report to share must not have; nothing otherwise.

    Parameters
    ----------
    content
        What the report would show.

    Returns
    -------
    Content without files and failures of scans, without tables of people and figures with marks of people, and without
    rows that describe few people; where a group of the study is small, without everything that compares the groups.
    """
    if not content.options.share:
        return content
    smallest = content.options.smallest
    kept, is_small = _withhold(content.tables, smallest)
    figures = {
        name: figure
        for name, figure in content.figures.items()
        if not name.startswith(PERSON_FIGURES) and not (is_small and name.startswith(EFFECT_FIGURES))
    }
    shown = {figure.source for figure in figures.values()}
    tables = set(GROUP_TABLES) - (set(TOLD_TABLES) if is_small else set())
    texts = {
        path: hide_counts(withhold_small_text(text, smallest), smallest) if path.endswith(".tsv") else text
        for path, text in content.texts.items()
        if path in shown or (path.startswith("tables/") and Path(path).stem in tables)
    }
    files = {path: source for path, source in content.files.items() if path in shown}
    notes = content.words.notes + ((WITHHELD.format(smallest),) if is_small else ())
    methods = "" if is_small else hide_counts(content.words.methods, smallest)
    words = replace(content.words, notes=notes, methods=methods, precision=() if is_small else content.words.precision)
    return replace(content, tables=kept, figures=figures, texts=texts, files=files, failures={}, words=words)


def _withhold(tables: ReportTables, smallest: int) -> tuple[ReportTables, bool]:
    """Leave out the rows that describe few people, and single scans; tell whether a group of the study is small.

    If one is, everything goes that compares the groups: tests of claims and variants do not tell the sizes of groups.
    """
    names = ("effects", "sensitivity", "associations", "claim_tests", "precision")
    kept = {name: hide_table_counts(withhold_small(getattr(tables, name), smallest), smallest) for name in names}
    sizes = tables.flow.loc[tables.flow["step"] == "group", "n_participants"]
    is_small = len(kept["effects"]) < len(tables.effects) or bool(((sizes > 0) & (sizes < smallest)).any())
    if is_small:
        kept |= {name: kept[name].iloc[:0] for name in ("effects", "sensitivity", "claim_tests")}
    lost = tables.claim_tests.drop(index=kept["claim_tests"].index)
    claims = hide_table_counts(tables.claims, smallest)
    hidden = claims["claim_id"].isin(lost["claim_id"]) | ((claims["status"] == "tested") & is_small)
    claims.loc[hidden, "sentence"] = f"Withheld: fewer than {smallest} people."
    comparison = None if tables.comparison is None or is_small else withhold_small(tables.comparison, smallest)
    return replace(tables, **kept, claims=claims, comparison=comparison, deviations=None), is_small


def find_hashes(content: ReportContent) -> dict[str, str]:
    """Make the hash of every participant whom a table names; none without a salt."""
    if not content.options.salt:
        return {}
    tables = content.tables
    named = [table["participant_id"] for table in (tables.scans, tables.exclusions, tables.decisions) if len(table)]
    if tables.metrics is not None:
        named.append(tables.metrics["participant_id"])
    return hash_ids((str(name) for names in named for name in names.dropna()), content.options.salt)
