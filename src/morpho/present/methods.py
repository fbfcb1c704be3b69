"""The methods paragraph: what was done in this run, in words ready for a paper.

Takes the tables and the configuration of a run, gives text. Nothing is said that the tables and the configuration do
not say: counts, formulas and corrections are read off the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from morpho.present.wording import (
    count_things,
    describe_adjustment,
    format_counts,
    join_words,
    percent_of,
    roi_name,
    split_contrast,
    text_or,
)


@dataclass(frozen=True)
class FamilyFacts:
    """One family of tests: its name, the regions as a sentence part, and how many tests it has."""

    name: str
    regions: str
    n_tests: int


@dataclass(frozen=True)
class SeverityFacts:
    """One severity scale: its name, the people analysed, and what the models adjust for; "" if none was fitted."""

    scale: str
    n: str
    adjustment: str


@dataclass(frozen=True)
class MethodsFacts:
    """What the methods paragraph is written from; counts are of scans unless they are called participants.

    `sizes` holds the people analysed per group as text, such as "33 to 34"; `adjustment` and `formulas` are empty if no
    group model was fitted. `config` is the configuration of the run, `versions` that of the software.
    """

    n_found: int
    n_participants: int
    n_chosen: int
    n_measured: int
    n_extracted: int
    n_sites: int
    reference_group: str
    comparison_group: str
    sizes: Mapping[str, str]
    adjustment: str
    formulas: tuple[str, ...]
    head_size_notes: tuple[str, ...]
    families: tuple[FamilyFacts, ...]
    severity: tuple[SeverityFacts, ...]
    config: Mapping[str, Any]
    versions: Mapping[str, str]


def collect_facts(
    *,
    scans: pd.DataFrame,
    cohort: pd.DataFrame,
    effects: pd.DataFrame,
    associations: pd.DataFrame,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
) -> MethodsFacts:
    """Read the facts of a run off its tables.

    Parameters
    ----------
    scans
        One row per T1w found; participants without one have an empty path.
    cohort
        One row per measured scan.
    effects, associations
        Group comparison and severity association; either may be empty.
    config
        Configuration of the run.
    versions
        Software -> version (`morpho.provenance.software_versions`).

    Returns
    -------
    Facts for `write_methods`.
    """
    found = scans[scans["path"].map(text_or) != ""]
    fitted = effects[effects["status"] == "fitted"]
    models = config["models"]
    comparison, reference = split_contrast(effects) if len(effects) else ("", "")
    sizes = {reference: "n_reference", comparison: "n_comparison"} if len(fitted) else {}
    notes = pd.concat([table["head_size_note"].dropna() for table in (effects, associations)])
    return MethodsFacts(
        n_found=len(found),
        n_participants=int(found["participant_id"].nunique()),
        n_chosen=int(scans["chosen"].sum()),
        n_measured=len(cohort),
        n_extracted=int((cohort["input_kind"] == "extracted").sum()),
        n_sites=int(fitted["n_sites"].max()) if len(fitted) else 0,
        reference_group=reference or str(models["reference_group"]),
        comparison_group=comparison or str(models["comparison_group"]),
        sizes={group: format_counts(fitted[column]) for group, column in sizes.items()},
        adjustment=describe_adjustment(fitted["formula"]) if len(fitted) else "",
        formulas=tuple(dict.fromkeys(fitted["formula"])),
        head_size_notes=tuple(dict.fromkeys(notes)),
        families=tuple(_describe_family(rows) for _, rows in effects.groupby("family", sort=False)),
        severity=tuple(_describe_scale(rows) for _, rows in associations.groupby("scale", sort=False)),
        config=config,
        versions=versions,
    )


def _describe_family(rows: pd.DataFrame) -> FamilyFacts:
    """Describe one family of the group comparison."""
    sides = {("mean",): "mean of left and right", ("L", "R"): "left and right apart", ("whole",): "whole brain"}
    kind = sides.get(tuple(dict.fromkeys(rows["hemisphere"])), "by hemisphere")
    regions = join_words([roi_name(roi) for roi in dict.fromkeys(rows["roi"])])
    return FamilyFacts(str(rows["family"].iloc[0]), f"{regions} ({kind})", len(rows))


def _describe_scale(rows: pd.DataFrame) -> SeverityFacts:
    """Describe the models of one severity scale."""
    fitted = rows[rows["status"] == "fitted"]
    adjustment = describe_adjustment(fitted["formula"]) if len(fitted) else ""
    return SeverityFacts(str(rows["scale"].iloc[0]), format_counts(fitted["n"]), adjustment)


def write_methods(facts: MethodsFacts, *, template: str) -> str:
    """Write the methods paragraphs.

    Parameters
    ----------
    facts
        What was done.
    template
        Source of ``methods.jinja``; it sees the fields of `facts` and the functions ``count``, ``join``, ``percent``.

    Returns
    -------
    Plain text; paragraphs are parted by an empty line, and lines inside a paragraph are joined.
    """
    # Plain text, escaped when it enters the report.
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(template).render(
        facts=facts, count=count_things, join=join_words, percent=percent_of, config=facts.config
    )
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
