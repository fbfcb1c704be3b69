"""The report: one HTML page that holds everything, needs no network and can be passed on.

Takes the tables, texts and pictures of a run, gives the text of the page. Opens and writes no file: the template and
the pictures come in as text. Whatever comes from users is escaped.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, StrictUndefined

from morpho.errors import ConfigError
from morpho.present.headline import DetectableEffect, write_headline
from morpho.present.model_views import view_associations, view_effects
from morpho.present.views import sort_by_flags, view_flow, view_plain, view_quality
from morpho.present.wording import text_or

MIME_TYPES = {"svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg"}
EMBEDDED = re.compile(r"data:image/(svg\+xml|png|jpeg);base64,[A-Za-z0-9+/=]+")
RELATIVE = re.compile(r"(?!/)[^:?#\\]+")  # no scheme, no host, no root

EXCLUSION_LABELS = {
    "participant_id": "participant", "session_id": "session", "scan": "scan", "stage": "stage", "reason": "reason",
}  # fmt: skip
SCAN_LABELS = {"participant_id": "participant", "session_id": "session", "path": "file", "reason": "reason"}


@dataclass(frozen=True)
class Picture:
    """A picture with its words. `source` is a data URI (`embed_image`) or a path relative to the report."""

    title: str
    source: str
    caption: str


@dataclass(frozen=True)
class ReportContent:
    """All that the report shows.

    Tables are those on disk (`flow`, `scans`, `exclusions`, `quality`, `effects`, `associations`; each may have no
    rows). `figures` are shown in their order; `overlays` has one picture per scan, keyed by scan. `methods` is plain
    text with empty lines between paragraphs. `links` maps table names (group_comparison, severity_association, quality,
    exclusions, scans) to paths relative to the report; absent ones get no link. `notes` are warnings of the caller,
    shown beside those that the tables give.
    """

    title: str
    effects: pd.DataFrame
    associations: pd.DataFrame
    flow: pd.DataFrame
    scans: pd.DataFrame
    exclusions: pd.DataFrame
    quality: pd.DataFrame
    quality_dictionary: Mapping[str, Mapping[str, object]]
    figures: tuple[Picture, ...]
    overlays: Mapping[str, Picture]
    methods: str
    notes: tuple[str, ...]
    detectable: DetectableEffect | None
    confidence: float
    provenance: Mapping[str, str]
    links: Mapping[str, str]


def embed_image(content: bytes, file_format: str) -> str:
    """Encode a picture as a data URI.

    Parameters
    ----------
    content
        Content of the picture file.
    file_format
        "svg", "png" or "jpg".

    Returns
    -------
    Text for the ``src`` of an image; inside it, an SVG can neither run scripts nor clash with another one.

    Raises
    ------
    ConfigError
        If the format is none of the three.

    Examples
    --------
    >>> embed_image(b"<svg/>", "svg")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    if file_format not in MIME_TYPES:
        message = f"A '{file_format}' picture cannot be shown in the report. Use {', '.join(MIME_TYPES)}."
        raise ConfigError(message)
    return f"data:{MIME_TYPES[file_format]};base64,{base64.b64encode(content).decode('ascii')}"


def embed_pictures(
    contents: Mapping[str, bytes], captions: Mapping[str, str], *, file_format: str
) -> dict[str, Picture]:
    """Embed pictures of one format, in their order.

    Parameters
    ----------
    contents
        Name -> content of the picture file.
    captions
        Name -> sentences under the picture.
    file_format
        "svg", "png" or "jpg".

    Returns
    -------
    Name -> picture; figures are titled by their name in words, scans by their name as it is.
    """
    return {
        name: Picture(
            title=name if name.startswith("sub-") else name.replace("_", " ").capitalize(),
            source=embed_image(content, file_format),
            caption=captions[name],
        )
        for name, content in contents.items()
    }


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

    Raises
    ------
    ConfigError
        If a picture or link is neither embedded nor a relative path, so that the page would reach out of its folder.
    """
    for picture in (*content.figures, *content.overlays.values()):
        _check_address(picture.source, embedded=True)
    for link in content.links.values():
        _check_address(link, embedded=False)
    links = {name: quote(link) for name, link in content.links.items()}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        title=content.title,
        headline=write_headline(
            content.effects,
            content.associations,
            content.quality,
            detectable=content.detectable,
            confidence=content.confidence,
        ),
        notes=content.notes,
        flow=view_flow(content.flow, content.effects),
        exclusions=view_plain(
            content.exclusions,
            EXCLUSION_LABELS,
            caption="Who was left out, where and why",
            link=links.get("exclusions", ""),
        ),
        not_chosen=view_plain(
            _not_chosen(content.scans),
            SCAN_LABELS,
            caption="Scans that were found but not chosen",
            link=links.get("scans", ""),
        ),
        effects=view_effects(content.effects, confidence=content.confidence, link=links.get("group_comparison", "")),
        associations=view_associations(
            content.associations, confidence=content.confidence, link=links.get("severity_association", "")
        ),
        figures=content.figures,
        quality=view_quality(content.quality, content.quality_dictionary, link=links.get("quality", "")),
        overlays=_order_overlays(content),
        methods=[paragraph for paragraph in content.methods.split("\n\n") if paragraph.strip()],
        provenance=content.provenance,
    )


def _check_address(address: str, *, embedded: bool) -> None:
    """Refuse an address that leads out of the report's folder or onto the network."""
    if (embedded and EMBEDDED.fullmatch(address)) or (RELATIVE.fullmatch(address) and not address.startswith("data")):
        return
    message = f"The report cannot use '{address[:80]}'. Give a path relative to the report, or embed the picture."
    raise ConfigError(message)


def _not_chosen(scans: pd.DataFrame) -> pd.DataFrame:
    """Select the scans that exist but were not chosen."""
    left: pd.DataFrame = scans[~scans["chosen"].astype(bool) & (scans["path"].map(text_or) != "")]
    return left


def _order_overlays(content: ReportContent) -> list[tuple[str, Picture, str]]:
    """Name, picture and flags of every scan that has an overlay, troubled scans first, others behind."""
    ordered = sort_by_flags(content.quality)
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
