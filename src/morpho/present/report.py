"""The report: one HTML page that holds everything, needs no network and can be passed on.

Takes the tables, texts and pictures of a run, gives the text of the page. Opens and writes no file: the template and
the pictures come in as text. Whatever comes from users is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, StrictUndefined

from morpho.present.claim_views import view_claims, view_deciding, view_untested
from morpho.present.headline import write_headline
from morpho.present.model_views import view_associations, view_effects
from morpho.present.notes import (
    explain_claims,
    explain_groups,
    explain_precision,
    explain_regions,
    explain_severity,
)
from morpho.present.pictures import Picture, check_address
from morpho.present.sample_views import view_precision, view_regions, view_sample, view_sensitivity, view_sites
from morpho.present.views import sort_by_flags, view_flow, view_plain, view_quality
from morpho.present.wording import text_or

EXCLUSION_LABELS = {
    "participant_id": "participant", "session_id": "session", "scan": "scan", "stage": "stage", "reason": "reason",
}  # fmt: skip
SCAN_LABELS = {"participant_id": "participant", "session_id": "session", "path": "file", "reason": "reason"}


@dataclass(frozen=True)
class ReportTables:
    """Tables as they are on disk; each may have no rows.

    `sample` is Table 1 as `morpho.infer.sharing.sample.render_sample` lays it out. `quality` is None where the
    volumes come from a table, so that no scan was measured here; `regions`, the table of regions, then is None as well.
    """

    flow: pd.DataFrame
    scans: pd.DataFrame
    exclusions: pd.DataFrame
    sample: pd.DataFrame
    sites: pd.DataFrame
    precision: pd.DataFrame
    claims: pd.DataFrame
    claim_tests: pd.DataFrame
    effects: pd.DataFrame
    sensitivity: pd.DataFrame
    associations: pd.DataFrame
    quality: pd.DataFrame | None
    regions: pd.DataFrame | None


@dataclass(frozen=True)
class ReportWords:
    """Words from elsewhere: what verdicts mean, what variants are, columns of the quality table, and sentences.

    `precision` says what each test can find, one text per test. `methods` is plain text with empty lines between
    paragraphs. `notes` are warnings of the caller, shown beside those that the tables give.
    """

    verdicts: Mapping[str, str]
    variants: Mapping[str, str]
    quality: Mapping[str, Mapping[str, object]]
    precision: tuple[str, ...]
    methods: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportContent:
    """All that the report shows.

    `settings` is the block ``models`` of the configuration. `figures` are shown in their order; `overlays` has one
    picture per scan, keyed by scan. `links` maps names of tables (group_comparison, claims, precision and so on) to
    paths relative to the report; absent ones get no link.
    """

    title: str
    tables: ReportTables
    words: ReportWords
    settings: Mapping[str, Any]
    figures: tuple[Picture, ...]
    overlays: Mapping[str, Picture]
    provenance: Mapping[str, str]
    links: Mapping[str, str]


def render_report(content: ReportContent, *, template: str) -> str:
    """Render the report.

    Parameters
    ----------
    content
        What to show.
    template
        Source of ``report.html.jinja``.

    Returns
    -------
    One HTML page.

    Notes
    -----
    A picture or link that is neither embedded nor a relative path is refused (ConfigError): the page would reach out of
    its folder.
    """
    for picture in (*content.figures, *content.overlays.values()):
        check_address(picture.source, embedded=True)
    for link in content.links.values():
        check_address(link, embedded=False)
    links = {name: quote(link) for name, link in content.links.items()}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    tables, words = content.tables, content.words
    return environment.from_string(template).render(
        title=content.title,
        headline=write_headline(
            tables.effects,
            tables.associations,
            tables.claims,
            tables.quality,
            confidence=content.settings["confidence"],
        ),
        notes=words.notes,
        reading=_explain(content),
        precision_sentences=[sentence for sentence in words.precision if sentence],
        figures=content.figures,
        overlays=_order_overlays(content),
        methods=[paragraph for paragraph in words.methods.split("\n\n") if paragraph.strip()],
        provenance=content.provenance,
        is_table=tables.quality is None,
        **_view_results(content, links),
        **_view_sample(tables, words, links),
    )


def _explain(content: ReportContent) -> dict[str, tuple[str, ...]]:
    """Say how to read each section."""
    tables = content.tables
    return {
        "precision": explain_precision(tables.precision),
        "claims": explain_claims(tables.claims, content.words.verdicts),
        "groups": (
            *explain_groups(tables.effects, tables.sensitivity, content.settings),
            *explain_regions(tables.regions, set(tables.effects["roi"])),
        ),
        "severity": explain_severity(tables.associations, content.settings),
    }


def _view_results(content: ReportContent, links: Mapping[str, str]) -> dict[str, Any]:
    """View the tables of results."""
    tables, confidence = content.tables, content.settings["confidence"]
    return {
        "precision": view_precision(tables.precision, link=links.get("precision", "")),
        "claims": view_claims(tables.claims, link=links.get("claims", "")),
        "untested": view_untested(tables.claims),
        "deciding": view_deciding(tables.claim_tests, link=links.get("claim_tests", "")),
        "effects": view_effects(tables.effects, confidence=confidence, link=links.get("group_comparison", "")),
        "sensitivity": view_sensitivity(tables.sensitivity, content.words.variants, link=links.get("sensitivity", "")),
        "associations": view_associations(
            tables.associations, confidence=confidence, link=links.get("severity_association", "")
        ),
    }


def _view_sample(tables: ReportTables, words: ReportWords, links: Mapping[str, str]) -> dict[str, Any]:
    """View the tables of people, sites and scans."""
    quality, regions = tables.quality, tables.regions
    return {
        "flow": view_flow(tables.flow, tables.effects, is_table=quality is None),
        "sample": view_sample(tables.sample, link=links.get("sample", "")),
        "sites": view_sites(tables.sites, link=links.get("sites", "")),
        "exclusions": view_plain(
            tables.exclusions,
            EXCLUSION_LABELS,
            caption="Who was left out, where and why",
            link=links.get("exclusions", ""),
        ),
        "not_chosen": view_plain(
            _not_chosen(tables.scans),
            SCAN_LABELS,
            caption="Scans that were found but not chosen",
            link=links.get("scans", ""),
        ),
        "regions": None if regions is None else view_regions(regions),
        "quality": None if quality is None else view_quality(quality, words.quality, link=links.get("quality", "")),
    }


def _not_chosen(scans: pd.DataFrame) -> pd.DataFrame:
    """Select the scans that exist but were not chosen."""
    left: pd.DataFrame = scans[~scans["chosen"].astype(bool) & (scans["path"].map(text_or) != "")]
    return left


def _order_overlays(content: ReportContent) -> list[tuple[str, Picture, str]]:
    """Name, picture and flags of every scan that has an overlay, troubled scans first, others behind."""
    quality = content.tables.quality
    if quality is None:
        return []
    ordered = sort_by_flags(quality)
    flags = {
        str(row["scan"]): ", ".join(
            word.replace("_", " ")
            for column in ("hard_flags", "cohort_flags")
            for word in text_or(row[column]).split(",")
            if word
        )
        for row in ordered.to_dict("records")
    }
    names = [*(name for name in flags if name in content.overlays), *(n for n in content.overlays if n not in flags)]
    return [(name, content.overlays[name], flags.get(name, "")) for name in names]
