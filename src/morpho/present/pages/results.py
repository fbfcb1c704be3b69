"""The first page, the claims, the overview of regions, and the page of each region."""

from __future__ import annotations

from typing import Any

import pandas as pd

from morpho.present.association_views import view_associations, view_region_associations
from morpho.present.claim_views import EVIDENCE, view_claims, view_deciding, view_untested
from morpho.present.flow_views import FlowTables, view_flow
from morpho.present.headline import describe_effect, write_headline
from morpho.present.model_views import view_effects, view_region_effects
from morpho.present.notes import explain_claims, explain_groups, explain_precision, explain_regions, explain_severity
from morpho.present.pages.frame import of_region, region_pages, scan_page
from morpho.present.pictures import Picture
from morpho.present.quality_groups import explain_quality, view_comparison
from morpho.present.quality_words import worst_scans
from morpho.present.region_views import view_deviations, view_region_sensitivity, view_region_tests
from morpho.present.report_content import ReportContent
from morpho.present.sample_views import view_regions, view_sensitivity
from morpho.present.set_views import RowLinks
from morpho.present.views import drop_column
from morpho.present.wording import roi_name

MOST_SENTENCES = 2  # on what the sample can show; all of them are on its page
ELSEWHERE = ("effects_forest", "effects_on_brain", "claims", "specification", "flow", "quality_groups")


def view_index(content: ReportContent) -> dict[str, Any]:
    """Collect what the first page shows: question, answer and estimates, then how they came about.

    Parameters
    ----------
    content
        Content of the report.

    Returns
    -------
    Values for the template.
    """
    tables, confidence = content.tables, content.settings["confidence"]
    metrics = tables.metrics
    pages = region_pages(tables)
    comparison = tables.comparison
    is_estimated = bool((tables.effects["status"] == "fitted").any())  # a figure of refusals shows nothing
    return {
        "headline": write_headline(
            tables.effects, tables.associations, tables.claims, metrics,
            confidence=confidence, smallest=content.smallest,
        ),
        "notes": content.words.notes,
        "forest": content.figures.get("effects_forest") if is_estimated else None,
        "brain": content.figures.get("effects_on_brain") if is_estimated else None,
        "quality_figure": content.figures.get("quality_groups"),
        "flow": view_flow(
            FlowTables(tables.flow, tables.scans, tables.exclusions, tables.effects, metrics), smallest=content.smallest
        ),
        "precision": explain_precision(tables.precision)[:MOST_SENTENCES],
        "claims": drop_column(view_claims(tables.claims, link=content.link("claims")), EVIDENCE),
        "reading": {
            "groups": explain_groups(tables.effects, tables.sensitivity, content.settings),
            "severity": explain_severity(tables.associations, content.settings),
            "quality": explain_quality(tables.effects, comparison),
        },
        "effects": view_effects(
            tables.effects, confidence=confidence,
            links=RowLinks(content.words.sets, pages, content.link("group_comparison")),
        ),
        "associations": view_associations(
            tables.associations, confidence=confidence,
            links=RowLinks(content.words.sets, pages, content.link("severity_association")),
        ),
        "comparison": view_comparison(comparison, confidence=confidence, link=content.link("quality_comparison"))
        if comparison is not None and len(comparison)
        else None,
        "figures": list_figures(content),
    }  # fmt: skip


def list_figures(content: ReportContent) -> list[Picture]:
    """List the figures that stand on no other page."""
    return [
        figure for name, figure in content.figures.items() if name not in ELSEWHERE and not name.startswith("region_")
    ]


def view_claims_page(content: ReportContent) -> dict[str, Any]:
    """Collect what the page of claims shows: verdicts, the tests behind them, and the claims that were not tested."""
    tables = content.tables
    return {
        "claims": view_claims(tables.claims, link=content.link("claims")),
        "reading": explain_claims(tables.claims, content.words.verdicts),
        "figure": content.figures.get("claims"),
        "deciding": view_deciding(tables.claim_tests, link=content.link("claim_tests")),
        "untested": view_untested(tables.claims),
    }


def view_regions_page(content: ReportContent) -> dict[str, Any]:
    """Collect what the overview of regions shows: their pages, what they are, and the variants of the analysis."""
    tables = content.tables
    return {
        "pages": [(roi_name(roi), address) for roi, address in region_pages(tables).items()],
        "regions": None if tables.regions is None else view_regions(tables.regions),
        "reading": explain_regions(tables.regions, set(tables.effects["roi"])),
        "figure": content.figures.get("specification"),
        "sensitivity": view_sensitivity(tables.sensitivity, content.words.variants, link=content.link("sensitivity")),
    }


def view_region(content: ReportContent, roi: str) -> dict[str, Any]:
    """Collect what the page of one region shows: all its rows, its figure, and whose volume is far from expected.

    Parameters
    ----------
    content
        Content of the report.
    roi
        The region.

    Returns
    -------
    Values for the template.
    """
    tables, confidence = content.tables, content.settings["confidence"]
    effects = of_region(tables.effects, roi)
    fitted = effects[effects["status"] == "fitted"] if len(effects) else effects
    shown = () if tables.metrics is None else worst_scans(tables.metrics)["scan"]
    return {
        "described": _describe(tables.regions, roi),
        "estimates": [
            f"{describe_effect(row)} ({row['family']})"
            for row in fitted.drop_duplicates(["roi", "hemisphere"]).to_dict("records")
        ],
        "figure": _region_figure(content, roi),
        "effects": view_region_effects(
            effects, confidence=confidence, links=RowLinks(content.words.sets, table=content.link("group_comparison"))
        ),
        "associations": view_region_associations(
            of_region(tables.associations, roi),
            confidence=confidence,
            links=RowLinks(content.words.sets, table=content.link("severity_association")),
        ),
        "sensitivity": view_region_sensitivity(
            of_region(tables.sensitivity, roi), content.words.variants, link=content.link("sensitivity")
        ),
        "claims": view_region_tests(of_region(tables.claim_tests, roi), link=content.link("claim_tests")),
        "deviations": None
        if tables.deviations is None or content.options.share
        else view_deviations(
            of_region(tables.deviations, roi),
            limit=content.options.region_mads,
            pages={str(scan): scan_page(str(scan)) for scan in shown},
            link=content.link("region_deviations"),
        ),
    }


def _describe(regions: pd.DataFrame | None, roi: str) -> str:
    """Say what a region is; "" if the table of regions does not say."""
    if regions is None:
        return ""
    rows = regions[regions["roi"] == roi].to_dict("records")
    if not rows:
        return ""
    labels = ", ".join([*rows[0]["labels"], *rows[0]["parts"]])
    return f"{rows[0]['description']}. Labels or parts: {labels}." if labels else f"{rows[0]['description']}."


def _region_figure(content: ReportContent, roi: str) -> Picture | None:
    """Figure of a region, titled by its name."""
    figure = content.figures.get(f"region_{roi}")
    return figure and Picture(f"People, groups and severity: {roi_name(roi)}", figure.source, figure.caption)
