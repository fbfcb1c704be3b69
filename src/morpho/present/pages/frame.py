"""What all pages of the report share: the templates, the navigation, and the addresses of pages.

Takes the content, gives rendered pages. Whatever comes from users is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined

from morpho.present.report_content import ReportContent, ReportTables

PAGES = {
    "index.html": "Results",
    "claims.html": "Claims",
    "regions.html": "Regions",
    "figures.html": "Figures",
    "sample.html": "Sample",
    "quality.html": "Quality",
    "methods.html": "Methods",
    "provenance.html": "Provenance",
}
TEMPLATE = ".jinja"


@dataclass(frozen=True)
class Site:
    """What the frame of a page shows: title of the study, pages to go to, version, and what was done to share it."""

    title: str
    pages: tuple[tuple[str, str], ...]
    version: str
    shared: bool
    hashed: bool
    smallest: int


class PageWriter:
    """Writes pages of one report."""

    def __init__(self, content: ReportContent, templates: Mapping[str, str]) -> None:
        self._environment = Environment(
            loader=DictLoader({name: text for name, text in templates.items() if name.endswith(TEMPLATE)}),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        options = content.options
        self._site = Site(
            title=options.title,
            pages=tuple((name, label) for name, label in PAGES.items() if name != "quality.html" or has_scans(content)),
            version=content.provenance.get("morpho", ""),
            shared=options.share,
            hashed=bool(options.salt),
            smallest=options.smallest,
        )

    def write(self, path: str, template: str, heading: str, values: Mapping[str, Any]) -> str:
        """Write one page.

        Parameters
        ----------
        path
            Path of the page in the report; pages one folder down reach the others by "../".
        template
            Name of the template, without ".html.jinja".
        heading
            Heading and title of the page.
        values
            What the template shows.

        Returns
        -------
        The page as HTML.
        """
        source = self._environment.get_template(f"{template}.html{TEMPLATE}")
        root = "../" * path.count("/")
        return source.render(site=self._site, root=root, active=path, heading=heading, **values)


def has_scans(content: ReportContent) -> bool:
    """Whether the report has pages of scans: some were measured here, and single scans may be shown."""
    return content.tables.metrics is not None and not content.options.share


def region_pages(tables: ReportTables) -> dict[str, str]:
    """Name the page of every region that has a row in any table of results: region -> address.

    Parameters
    ----------
    tables
        Tables of the report.

    Returns
    -------
    Regions in the order in which the tables name them.
    """
    named = [tables.effects, tables.associations, tables.sensitivity, tables.claim_tests]
    found: dict[str, str] = {}
    for table in named:
        for roi in table["roi"].dropna() if len(table) else ():
            found.setdefault(str(roi), f"regions/{_file_name(str(roi))}.html")
    return found


def scan_page(scan: str) -> str:
    """Address of the page of a scan."""
    return f"scans/{quote(scan)}.html"


def _file_name(name: str) -> str:
    """Name of a file without anything that an address must not have."""
    return re.sub(r"[^0-9A-Za-z_-]", "_", name)


def of_region(table: pd.DataFrame, roi: str) -> pd.DataFrame:
    """Rows of a table that are about one region."""
    return table[table["roi"].astype(str) == roi] if len(table) else table
