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

from morpho.present.sample_views import name_contrast
from morpho.present.verdicts import is_judged
from morpho.present.wording import (
    count_things,
    describe_adjustment,
    format_counts,
    format_range,
    join_words,
    percent_of,
    roi_name,
    split_contrast,
    text_or,
)

POWER = 0.8  # where nothing was planned; then it is not mentioned either
# What the analyses of claims are, by kind of test.
KIND_WORDS = {
    "linear": "linear models of one volume",
    "specificity": "tests that a difference is the same in several regions (Hotelling's T squared of the residuals)",
    "change": "models of change between visits",
    "outcome": "logistic regressions of a later event on volume (Firth's penalty)",
    "prediction": "a classifier judged on people whom it had not seen",
    "sites": "effects within sites, pooled by random effects (REML, Hartung and Knapp's interval)",
    "subgroups": "F tests of interactions of group with sex, age and site",
    "variability": "comparisons of spread (log variance ratio)",
    "extremes": "comparisons of the rate of extreme deviations from a norm of controls",
}


@dataclass(frozen=True)
class FamilyFacts:
    """One family of tests: its name, the regions as a sentence part, and how many tests it has."""

    name: str
    regions: str
    n_tests: int


@dataclass(frozen=True)
class SeverityFacts:
    """One severity scale that was fitted: its name, the people analysed, and what the models adjust for."""

    scale: str
    n: str
    adjustment: str


@dataclass(frozen=True)
class ClaimFacts:
    """The claims that were tested: file and its digest, counts of claims and fitted tests, and analyses in words."""

    file: str
    sha256: str
    n_claims: int
    n_tested: int
    n_tests: int
    analyses: tuple[str, ...]


@dataclass(frozen=True)
class MethodsFacts:
    """What the methods paragraph is written from; counts are of scans unless they are called participants.

    `volume_table` names the table that the volumes come from, "" if scans were measured. `sizes` holds the people
    analysed per group as text, such as "33 to 34"; `adjustment` and `formulas` are empty if no group model was fitted.
    `detectable` says per question what is found with probability `power`; `exclusions` who was left out, by reason.
    `claims` is None if none was tested. `config` is the configuration of the run, `versions` that of the software.
    """

    n_found: int
    n_participants: int
    n_chosen: int
    n_measured: int
    n_extracted: int
    n_sites: int
    volume_table: str
    reference_group: str
    comparison_group: str
    sizes: Mapping[str, str]
    adjustment: str
    formulas: tuple[str, ...]
    head_size_notes: tuple[str, ...]
    families: tuple[FamilyFacts, ...]
    severity: tuple[SeverityFacts, ...]
    detectable: tuple[str, ...]
    power: float
    exclusions: tuple[str, ...]
    claims: ClaimFacts | None
    config: Mapping[str, Any]
    versions: Mapping[str, str]


def collect_facts(
    *,
    scans: pd.DataFrame,
    cohort: pd.DataFrame,
    effects: pd.DataFrame,
    associations: pd.DataFrame,
    precision: pd.DataFrame,
    exclusions: pd.DataFrame,
    claims: ClaimFacts | None,
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
    effects, associations, precision
        Group comparison, severity association, and what they could find; each may be empty.
    exclusions
        Who was left out, with stage and reason.
    claims
        From `collect_claim_facts`.
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
    scales = associations[associations["status"] == "fitted"].groupby("scale", sort=False)
    is_table = len(cohort) > 0 and (cohort["input_kind"] == "table").all()
    return MethodsFacts(
        n_found=len(found),
        n_participants=int(found["participant_id"].nunique()),
        n_chosen=int(scans["chosen"].sum()),
        n_measured=len(cohort),
        n_extracted=int((cohort["input_kind"] == "extracted").sum()),
        n_sites=int(fitted["n_sites"].max()) if len(fitted) else 0,
        volume_table=str(scans["path"].iloc[0]) if is_table and len(scans) else "",
        reference_group=reference or str(models["reference_group"]),
        comparison_group=comparison or str(models["comparison_group"]),
        sizes={group: format_counts(fitted[column]) for group, column in sizes.items()},
        adjustment=describe_adjustment(fitted["formula"]) if len(fitted) else "",
        formulas=tuple(dict.fromkeys(fitted["formula"])),
        head_size_notes=tuple(dict.fromkeys(notes)),
        families=tuple(
            _describe_family(rows)
            for _, rows in effects.groupby("family", sort=False)
            if (rows["status"] == "fitted").any()
        ),
        severity=tuple(_describe_scale(rows) for _, rows in scales),
        detectable=tuple(_describe_detectable(precision)),
        power=float(precision["power_wanted"].iloc[0]) if len(precision) else POWER,
        exclusions=tuple(_count_exclusions(exclusions)),
        claims=claims,
        config=config,
        versions=versions,
    )


def collect_claim_facts(claims: pd.DataFrame, tests: pd.DataFrame, *, file: str, sha256: str) -> ClaimFacts | None:
    """Read what was tested off the tables of claims; None if nothing was.

    Parameters
    ----------
    claims, tests
        Tables of claims and of their tests; each may be empty.
    file, sha256
        Name of the claims file, and the digest of its content.

    Returns
    -------
    Facts; analyses in the order of `KIND_WORDS`.
    """
    fitted = tests[tests["status"] == "fitted"] if len(tests) else tests
    if fitted.empty:
        return None
    kinds = set(fitted["kind"])
    return ClaimFacts(
        file=file,
        sha256=sha256,
        n_claims=len(claims),
        n_tested=sum(is_judged(row) for row in claims.to_dict("records")),
        n_tests=len(fitted),
        analyses=tuple(words for kind, words in KIND_WORDS.items() if kind in kinds),
    )


def _describe_family(rows: pd.DataFrame) -> FamilyFacts:
    """Describe one family of the group comparison."""
    sides = {("mean",): "mean of left and right", ("L", "R"): "left and right apart", ("whole",): "whole brain"}
    kind = sides.get(tuple(dict.fromkeys(rows["hemisphere"])), "by hemisphere")
    regions = join_words([roi_name(roi) for roi in dict.fromkeys(rows["roi"])])
    return FamilyFacts(str(rows["family"].iloc[0]), f"{regions} ({kind})", len(rows))


def _describe_scale(fitted: pd.DataFrame) -> SeverityFacts:
    """Describe the models of one severity scale."""
    scale = str(fitted["scale"].iloc[0])
    return SeverityFacts(scale, format_counts(fitted["n"]), describe_adjustment(fitted["formula"]))


def _describe_detectable(precision: pd.DataFrame) -> list[str]:
    """Say per question which effect is found, for the first family; nothing where no model was fitted."""
    lines = []
    for contrast, rows in precision[precision["detectable"].notna()].groupby("contrast", sort=False, dropna=False):
        first = rows[rows["family"] == rows["family"].iloc[0]]
        unit = "g" if first["effect_size"].iloc[0] == "g" else "partial r"
        lines.append(f"{unit} = {format_range(first['detectable'], 2)} ({name_contrast(contrast)})")
    return lines


def _count_exclusions(exclusions: pd.DataFrame) -> list[str]:
    """Count who was left out: scans that could not be used, and people missing from models."""
    lines = []
    before = exclusions[exclusions["stage"] != "models"]
    for stage, rows in before.groupby("stage", sort=False):
        lines.append(f"{count_things(len(rows), 'scan or person', 'scans or people')} at the stage {stage}")
    absent = exclusions.loc[exclusions["stage"] == "models", "participant_id"].nunique()
    if absent:
        lines.append(f"{count_things(int(absent), 'person', 'people')} from some or all models")
    return lines


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
