"""What the report is made from: tables, words, pictures and files of one run, as they come from disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from morpho.present.pictures import Picture


@dataclass(frozen=True)
class ReportTables:
    """Tables as they are on disk; each may have no rows.

    `columns` says what each column of the participants table was read as. `sample` is Table 1 as
    `morpho.infer.sharing.sample.render_sample` lays it out, with small cells removed if the report is to be shared. The
    tables of scans (`metrics`, `deviations`, `comparison`) are None where the volumes come from a table, so that no
    scan was measured here; `regions`, the table of regions, then is None as well.
    """

    flow: pd.DataFrame
    scans: pd.DataFrame
    columns: pd.DataFrame
    exclusions: pd.DataFrame
    sample: pd.DataFrame
    sites: pd.DataFrame
    precision: pd.DataFrame
    claims: pd.DataFrame
    claim_tests: pd.DataFrame
    effects: pd.DataFrame
    sensitivity: pd.DataFrame
    associations: pd.DataFrame
    decisions: pd.DataFrame
    agreement: pd.DataFrame
    run_cost: pd.DataFrame
    metrics: pd.DataFrame | None
    deviations: pd.DataFrame | None
    comparison: pd.DataFrame | None
    regions: pd.DataFrame | None


@dataclass(frozen=True)
class ReportWords:
    """Words from elsewhere: what verdicts, variants and sets of scans are, and sentences.

    `precision` says what each test can find, one text per test. `methods` is plain text with empty lines between
    paragraphs. `notes` are warnings of the caller, shown beside those that the tables give. `config` is the
    configuration as YAML text.
    """

    verdicts: Mapping[str, str]
    variants: Mapping[str, str]
    sets: Mapping[str, str]
    precision: tuple[str, ...]
    methods: str
    config: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportOptions:
    """How the report is written (config ``report``), and the limits it names.

    With `share` it shows no single scan and no person, and no count below `smallest`. With a `salt`, ids are replaced
    by hashes of salt and id. `region_mads` is the robust z from which the volume of a region stands out.
    """

    title: str
    share: bool = False
    salt: str = ""
    smallest: int = 10
    region_mads: float = 4.0


@dataclass(frozen=True)
class ScanFailure:
    """Why a scan has no picture: stage, reason, log (relative to the results) and the last lines of that log."""

    stage: str
    reason: str
    log: str
    log_end: str


@dataclass(frozen=True)
class ReportContent:
    """All that the report shows.

    `settings` is the block ``models`` of the configuration. `figures` are keyed by name. `texts` and `files` go into
    the folder as they are: path in the report -> text (tables, SVG figures, scripts of the viewer), or content or
    source of a file (figures and pictures of pixels, the viewer). The picture of a scan is ``pictures/<scan>.webp``,
    its small one ``thumbnails/<scan>.webp``, its 3D data ``viewer/<scan>.js``.
    """

    tables: ReportTables
    words: ReportWords
    options: ReportOptions
    settings: Mapping[str, Any]
    figures: Mapping[str, Picture]
    provenance: Mapping[str, str]
    failures: Mapping[str, ScanFailure] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path | bytes] = field(default_factory=dict)

    @property
    def smallest(self) -> int:
        """Fewest people of a count that is shown."""
        return self.options.smallest if self.options.share else 0

    def link(self, table: str) -> str:
        """Address of a table in the report; "" if it is not there."""
        path = f"tables/{table}.tsv"
        return path if path in self.texts else ""

    def has(self, path: str) -> bool:
        """Whether a file is in the report."""
        return path in self.texts or path in self.files
