"""The first lines of the report: the answer rests on verdicts and intervals, and names what calls for care."""

from __future__ import annotations

import re
from types import ModuleType

import numpy as np
import pandas as pd

from morpho.present.headline import Headline, answer_from_claims, write_headline
from morpho.present.report_content import ReportContent


def headline_of(content: ReportContent, **tables: pd.DataFrame | None) -> Headline:
    shown = {name: getattr(content.tables, name) for name in ("effects", "associations", "claims", "metrics")} | tables
    return write_headline(**shown, confidence=0.95)


def test_answer_is_in_the_words_of_the_verdicts(study: ModuleType) -> None:
    claims = study.make_claims()
    assert answer_from_claims(claims) == (
        "Of 8 claims, 4 could be judged: this sample is consistent with 1 (C01), is contrary to 1 (C02), "
        "is inconclusive on 1 (C03) and shows an effect equivalent to none for 1 (C04)."
    )
    several = pd.concat([claims.iloc[[2]], claims.iloc[[2]].assign(claim_id="C09")])
    assert answer_from_claims(several) == (
        "Of 2 claims, 2 could be judged: this sample is inconclusive on 2 (C03, C09)."
    )


def test_answer_without_any_verdict_says_what_stands_in_the_way(study: ModuleType) -> None:
    claims = study.make_claims()
    assert answer_from_claims(claims.iloc[4:]) == (
        "This sample cannot judge any claim (of 4, 1 not estimable, 2 in need of columns that it lacks and 1 out of "
        "reach of T1w scans)."
    )
    assert answer_from_claims(claims.iloc[:0]) == "There were no claims to judge."


def test_answer_and_summary_do_not_change_with_p(content: ReportContent) -> None:
    tables = content.tables
    p_names = [name for name in tables.effects if name.startswith("p") and not name.startswith("percent")]
    without = headline_of(
        content,
        effects=tables.effects.drop(columns=p_names),
        associations=tables.associations.drop(columns=p_names),
    )
    assert without == headline_of(content)
    assert not re.search(r"\bp\b", " ".join([without.answer, *without.estimates, *without.summary]))


def test_headline_gives_estimates_and_what_intervals_exclude(content: ReportContent, study: ModuleType) -> None:
    headline = headline_of(content)
    assert len(headline.estimates) == len(study.PRIMARY)
    row = content.tables.effects.iloc[0]
    word = "smaller" if row["g"] < 0 else "larger"
    assert headline.estimates[0].startswith(f"hippocampus: {abs(row['percent']):.1f} % {word} in patient")
    primary = content.tables.effects.query("family == 'primary'")
    apart = int(((primary["g_ci_low"] > 0) | (primary["g_ci_high"] < 0)).sum())
    assert headline.summary[0] == ("Set before looking at the data: C01 consistent. All other claims are explored.")
    assert f"interval without zero in {apart}; " in headline.summary[1]
    assert f"equivalent to none, in 0; inconclusive in {4 - apart}." in headline.summary[1]
    assert any("does not show that there is no difference" in sentence for sentence in headline.summary)
    assert any(sentence.startswith("BDI (n = 33)") for sentence in headline.summary)
    assert "patient (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}33)" in headline.question


def test_headline_counts_equivalence_by_the_interval(content: ReportContent) -> None:
    effects = content.tables.effects.assign(g_ci90_low=-0.15, g_ci90_high=0.1, g_ci_low=-0.22, g_ci_high=0.18)
    summary = headline_of(content, effects=effects).summary
    assert "interval without zero in 0; " in summary[1]
    assert "within ±0.2, so equivalent to none, in 4; inconclusive in 0." in summary[1]
    assert not any("does not show that there is no difference" in sentence for sentence in summary)


def test_headline_warns_of_head_size_scans_in_trouble_and_mixed_input(
    content: ReportContent, study: ModuleType
) -> None:
    headline = headline_of(content)
    assert headline.warnings[0] == f"Head size: {study.HEAD_SIZE_NOTE}."
    assert any(line.startswith("2 scans (sub-04 and sub-05) failed quality control") for line in headline.warnings)
    assert any(line.startswith("1 scan (sub-02) carries a flag and stays in.") for line in headline.warnings)
    assert any("others extracted brains" in line for line in headline.warnings)
    shared = write_headline(
        content.tables.effects, content.tables.associations, content.tables.claims, content.tables.metrics,
        confidence=0.95, smallest=10,
    )  # fmt: skip
    assert "Few scans failed quality control" in " ".join(shared.warnings)
    assert "sub-0" not in " ".join(shared.warnings)
    quiet = headline_of(
        content,
        effects=content.tables.effects.assign(head_size_note="as config says"),
        associations=content.tables.associations.assign(head_size_note=np.nan),
        metrics=study.make_metrics().assign(verdict="passed", input_kind="whole_head"),
    )
    assert not [line for line in quiet.warnings if "depends on which scans" not in line]
    from_table = headline_of(content, effects=content.tables.effects.assign(head_size_note=""), metrics=None)
    assert from_table.warnings[0] == f"Head size: {study.HEAD_SIZE_NOTE}."
