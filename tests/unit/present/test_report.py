"""The report: complete, honest, escaped, and without a network."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from morpho.errors import ConfigError
from morpho.present.headline import Headline, answer_from_claims, write_headline
from morpho.present.methods import MethodsFacts, collect_claim_facts, collect_facts, write_methods
from morpho.present.model_views import view_associations, view_effects
from morpho.present.pictures import Picture, embed_image, embed_pictures
from morpho.present.report import ReportContent, ReportTables, ReportWords, render_report
from morpho.present.views import view_flow, view_quality

PIXEL = embed_image(b"\x89PNG", "png")
NASTY = "</td><script>alert(1)</script>"


class Page(HTMLParser):
    """Collects tags with their attributes and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture
def content(study: ModuleType, effects: pd.DataFrame, associations: pd.DataFrame) -> ReportContent:
    tables = ReportTables(
        flow=study.make_flow(),
        scans=study.make_scans(),
        exclusions=study.make_exclusions(),
        sample=study.make_sample(),
        sites=study.make_sites(),
        precision=study.make_precision(),
        claims=study.make_claims(),
        claim_tests=study.make_claim_tests(),
        effects=effects,
        sensitivity=study.make_sensitivity(effects),
        associations=associations,
        quality=study.make_quality(),
        regions=study.make_regions(),
    )
    return ReportContent(
        title="A study",
        tables=tables,
        words=ReportWords(
            verdicts=study.MEANINGS,
            variants=study.VARIANTS,
            quality=study.QUALITY_DICTIONARY,
            precision=("One region in words.", ""),
            methods="First paragraph.\n\nSecond paragraph.",
            notes=("A note of the caller.",),
        ),
        settings=study.load_config()["models"],
        figures=(Picture("Effect sizes", embed_image(b"<svg/>", "svg"), "All effects."),),
        overlays={f"sub-{i:02d}": Picture(f"sub-{i:02d}", PIXEL, "") for i in range(6)},
        provenance={"morpho": "0.1.0"},
        links={"group_comparison": "group/group comparison.tsv"},
    )


@pytest.fixture
def facts(study: ModuleType, effects: pd.DataFrame, associations: pd.DataFrame) -> MethodsFacts:
    return collect_facts(
        scans=study.make_scans(),
        cohort=study.make_cohort(),
        effects=effects,
        associations=associations,
        precision=study.make_precision(),
        exclusions=study.make_exclusions(),
        claims=collect_claim_facts(study.make_claims(), study.make_claim_tests(), file="claims.yaml", sha256="abc123"),
        config=study.load_config(),
        versions=study.VERSIONS,
    )


def change(content: ReportContent, **tables: object) -> ReportContent:
    """Put other tables into the content of a report."""
    return replace(content, tables=replace(content.tables, **tables))


def render(content: ReportContent, study: ModuleType) -> str:
    return render_report(content, template=study.load_template("report.html.jinja"))


def test_the_page_reaches_nowhere(content: ReportContent, study: ModuleType) -> None:
    html = render(content, study)
    page = Page(html)
    sources = [value or "" for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "srcset")]
    assert len(sources) == 7
    assert all(source.startswith("data:image/") for source in sources)
    links = {attrs["href"] or "" for tag, attrs in page.tags if tag == "a"}
    assert all(link.startswith("#") or link == "group/group%20comparison.tsv" for link in links)
    assert page.count("link") == 0
    assert not re.search(r"https?://|url\(|@import|fetch\(", html)
    targets = {attrs.get("id") for tag, attrs in page.tags if tag == "section"}
    assert {link[1:] for link in links if link.startswith("#")} == targets


def test_what_users_write_is_escaped_everywhere(content: ReportContent, study: ModuleType) -> None:
    tables = content.tables
    effects = tables.effects.assign(contrast=f"{NASTY} - <b>", reason=NASTY, roi=NASTY, family='"><img src=x>')
    nasty = change(
        content,
        quality=study.make_quality().assign(scan=[f"{NASTY}{i}" for i in range(6)], hard_flags=NASTY),
        effects=effects,
        associations=tables.associations.assign(scale=NASTY),
        claims=tables.claims.assign(claim=NASTY, sentence=NASTY, needs=NASTY, evidence=NASTY, source=NASTY),
        claim_tests=tables.claim_tests.assign(contrast=NASTY, test=NASTY, reason=NASTY),
        precision=tables.precision.assign(contrast=NASTY, expected_source=NASTY),
        sensitivity=tables.sensitivity.assign(left_out=NASTY, roi=NASTY, family=NASTY),
        sample=tables.sample.assign(variable=NASTY, level=NASTY).rename(columns={"control": NASTY}),
        sites=tables.sites.assign(site=NASTY, flags=NASTY),
        regions=study.make_regions().assign(description=NASTY),
    )
    words = replace(content.words, methods=NASTY, notes=(NASTY,), precision=(NASTY,), verdicts={"consistent": NASTY})
    nasty = replace(
        nasty,
        title=NASTY,
        words=words,
        provenance={NASTY: NASTY},
        figures=(Picture('" onerror="x', PIXEL, NASTY),),
        overlays={NASTY: Picture(NASTY, PIXEL, NASTY)},
    )
    page = Page(render(nasty, study))
    assert page.count("script") == 1
    assert page.count("img") == 2
    assert not any("onerror" in attrs for _, attrs in page.tags)


def test_sources_outside_the_report_are_refused(content: ReportContent, study: ModuleType) -> None:
    for address in (
        "https://example.org/x.png",
        "//host/x.png",
        "javascript:alert(1)",
        "/etc/x.png",
        "data:text/html,x",
    ):
        with pytest.raises(ConfigError, match="relative to the report"):
            render(replace(content, figures=(Picture("t", address, "c"),)), study)
        with pytest.raises(ConfigError, match="relative to the report"):
            render(replace(content, links={"scans": address}), study)
    html = render(replace(content, figures=(Picture("t", "figures/forest.png", "c"),)), study)
    assert 'src="figures/forest.png"' in html


def test_refused_models_are_visible_with_their_reason(content: ReportContent, study: ModuleType) -> None:
    text = Page(render(content, study)).text
    assert f"left amygdala, right amygdala: {study.TOO_FEW}" in text
    assert f"amygdala: {study.TOO_FEW}" in text
    assert text.count("not estimated") >= 3


def test_the_page_is_semantic(content: ReportContent, study: ModuleType) -> None:
    page = Page(render(content, study))
    assert page.count("h1") == page.count("main") == 1
    assert page.count("table") == page.count("caption")
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")
    assert [attrs.get("loading") for tag, attrs in page.tags if tag == "img"][1:] == ["lazy"] * 6
    assert ("html", {"lang": "en"}) in page.tags


def test_sections_begin_with_result_precision_and_claims(content: ReportContent, study: ModuleType) -> None:
    page = Page(render(content, study))
    sections = [attrs.get("id") for tag, attrs in page.tags if tag == "section"]
    assert sections == [
        "result", "precision", "claims", "groups", "severity", "sample", "figures", "quality", "overlays", "methods",
        "provenance",
    ]  # fmt: skip
    for part in ("Region by region, in words", "One region in words.", "Not testable in this cohort (1)"):
        assert part in page.text
    # What explains is open; what only few readers want is folded: words, tests, untested (2), variants, regions.
    assert page.count("details") == 6 + len(content.overlays)


def headline_of(content: ReportContent, **tables: pd.DataFrame | None) -> Headline:
    shown = {name: getattr(content.tables, name) for name in ("effects", "associations", "claims", "quality")} | tables
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


def test_headline_warns_of_head_size_flags_and_mixed_input(content: ReportContent, study: ModuleType) -> None:
    headline = headline_of(content)
    assert headline.warnings[0] == f"Head size: {study.HEAD_SIZE_NOTE}."
    assert any("1 scan carries a quality flag: sub-04" in warning for warning in headline.warnings)
    assert any("others extracted brains" in warning for warning in headline.warnings)
    quiet = headline_of(
        content,
        effects=content.tables.effects.assign(head_size_note="as config says"),
        associations=content.tables.associations.assign(head_size_note=np.nan),
        quality=study.make_quality().assign(hard_flags=np.nan, input_kind="whole_head"),
    )
    assert quiet.warnings == ()
    from_table = headline_of(content, effects=content.tables.effects.assign(head_size_note=""), quality=None)
    assert from_table.warnings == (f"Head size: {study.HEAD_SIZE_NOTE}.",)


def test_a_study_in_which_everything_was_refused_has_a_report(content: ReportContent, study: ModuleType) -> None:
    tables = content.tables
    names = [c for c in tables.effects.columns if tables.effects[c].dtype == float]
    effects = tables.effects.assign(
        status="refused", reason="only one group", formula=np.nan, **dict.fromkeys(names, np.nan)
    )
    empty = {
        name: getattr(tables, name).iloc[:0]
        for name in ("associations", "exclusions", "quality", "precision", "claims", "claim_tests", "sensitivity",
                     "sample", "sites")
    }  # fmt: skip
    bare = replace(
        change(content, effects=effects, scans=tables.scans.iloc[:1], **empty),
        figures=(),
        overlays={},
        words=replace(content.words, precision=()),
    )
    text = Page(render(bare, study)).text
    for part in (
        "None of the 4 models of the family primary",
        "only one group",
        "Nobody was left out",
        "No severity scale",
        "There were no claims to judge.",
        "No claim could be tested",
        "this sample shows nothing",
        "There is no Table 1",
        "No figure was drawn",
    ):
        assert part in text
    none = Page(render(change(bare, effects=effects.iloc[:0]), study)).text
    assert "No group comparison was made." in none


def test_volumes_from_a_table_have_no_sections_on_scans(content: ReportContent, study: ModuleType) -> None:
    table = replace(change(content, quality=None, regions=None), overlays={})
    page = Page(render(table, study))
    sections = {attrs.get("id") for tag, attrs in page.tags if tag == "section"}
    links = {(attrs["href"] or "")[1:] for tag, attrs in page.tags if tag == "a" and (attrs["href"] or "")[0] == "#"}
    assert sections == links
    assert sections.isdisjoint({"quality", "overlays"})
    assert "in the table of volumes (61 participants)" in page.text
    assert "T1w scans found" not in page.text
    assert "as in the table of volumes, which does not say how" in page.text


def test_effect_view_rounds_what_is_shown_and_sorts_by_full_numbers(effects: pd.DataFrame) -> None:
    primary, hemispheres, _ = view_effects(effects, confidence=0.95, link="x.tsv")
    labels = [column.label for column in primary.columns]
    g = primary.rows[0][1]
    assert labels[1] == "g [95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}CI]"
    assert float(g.sort) == effects["g"].iloc[0]
    assert g.text.replace("\N{MINUS SIGN}", "-").startswith(f"{effects['g'].iloc[0]:.2f}")
    refused = [row for row in hemispheres.rows if row[1].flagged]
    assert [row[0].text for row in refused] == ["left amygdala", "right amygdala"]
    assert [cell.text for cell in refused[0][1:3]] == ["not estimated", "n/a"]
    assert primary.refusals == ()
    noted = view_effects(effects.assign(reason="sex left out"), confidence=0.95, link="")[0]
    assert noted.rows[0][-1].text == "sex left out"


def test_effect_view_sets_correction_equivalence_and_published_effects_beside_g(effects: pd.DataFrame) -> None:
    primary = view_effects(effects, confidence=0.95, link="")[0]
    labels = [column.label for column in primary.columns]
    cells = dict(zip(labels, primary.rows[0], strict=True))
    for label, name in (("p", "p"), ("p permuted", "p_permutation"), ("p FDR", "p_fdr"), ("p FWER", "p_familywise")):
        assert float(cells[label].sort) == effects[name].iloc[0]
    assert cells["BF"].text == "0.50"
    assert cells["within ±0.2"].text == "not shown, p\N{NO-BREAK SPACE}0.600"
    published = labels.index("published d [95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}CI]")
    texts = [row[published].text for row in primary.rows]
    assert not texts[0].endswith("(thickness)")
    assert texts[1:3] == ["", ""]
    assert texts[3].endswith("(thickness)")
    assert "the 4 tests of the family primary" in primary.details
    small = view_effects(effects.assign(g_ci90_low=-0.1, g_ci90_high=0.1), confidence=0.95, link="")[0]
    assert small.rows[0][labels.index("within ±0.2")].text.startswith("yes, p")
    unpublished = effects.drop(columns=[name for name in effects if name.startswith("enigma_")])
    assert view_effects(unpublished, confidence=0.95, link="")[0].rows[0][published].text == ""


def test_association_views_are_by_scale_and_family(associations: pd.DataFrame) -> None:
    views = view_associations(associations, confidence=0.95, link="")
    assert [view.caption for view in views] == ["BDI, primary", "BDI, hemispheres", "BDI, totals"]
    assert "Adjusted for age, sex and affine head size" in views[0].details


def test_quality_view_puts_troubled_scans_first_and_marks_their_metrics(study: ModuleType) -> None:
    view = view_quality(study.make_quality(), study.QUALITY_DICTIONARY, link="")
    assert [row[0].text for row in view.rows[:3]] == ["sub-04", "sub-02", "sub-00"]
    labels = [column.label for column in view.columns]
    assert "brain mask volume, mL" in labels
    flagged = [label for label, cell in zip(labels, view.rows[1], strict=True) if cell.flagged]
    assert flagged == ["contrast to noise, ratio", "mask parts"]
    unflagged = study.make_quality().assign(hard_flags=np.nan, cohort_flags=np.nan)
    assert not any(cell.flagged for row in view_quality(unflagged, {}, link="").rows for cell in row)


def test_flow_goes_from_found_to_analysed(study: ModuleType, effects: pd.DataFrame) -> None:
    steps = view_flow(study.make_flow(), effects)
    assert steps[0] == ("62", "T1w scans found (61 participants)")
    assert [count for count, _ in steps] == ["62", "61", "60", "60", "26", "34", "59"]
    steps = view_flow(study.make_flow(), effects, is_table=True)
    assert [count for count, _ in steps] == ["62", "60", "26", "34", "59"]


def test_methods_name_counts_models_and_families(facts: MethodsFacts, study: ModuleType) -> None:
    text = write_methods(facts, template=study.load_template("methods.jinja"))
    for part in (
        "62 T1-weighted scans of 61 participants were found; 61 were chosen",
        "and 60 were measured with morpho 1.2.3. In 3 of them the brain had been extracted before",
        "between 33 patient and 26 control participants",
        "adjusted for age, sex, affine head size and site (2 sites)",
        f"Model: {study.FORMULA}.",
        "Group was coded 0 (control) and 1 (patient), sex -1 and 1; numeric covariates were centred.",
        "with HC3 standard errors beside them",
        "The smallest effect of interest was g = 0.2",
        "5000 permutations of residuals within sites (Freedman and Lane 1983; seed 2016)",
        "Left out: 1 scan or person at the stage measure and 1 person from some or all models.",
        "with 80 % probability was g = 0.74 (patient - control) and partial r = 0.49 (severity BDI).",
        "6 of the 8 claims of claims.yaml (SHA-256 abc123) were tested by 3 tests: linear models of one volume; a",
        f"Head size: {study.HEAD_SIZE_NOTE}.",
        "primary, 4 tests: hippocampus, amygdala, rostral anterior cingulate and dorsolateral PFC (mean of left",
        "totals, 1 test: brain volume (whole brain).",
        "BDI (n = 33, adjusted for age, sex and affine head size) was related",
    ):
        assert part in text
    assert "  " not in text
    assert "{" not in text


def test_methods_say_nothing_of_what_was_not_done(facts: MethodsFacts, study: ModuleType) -> None:
    single = replace(
        facts, n_found=1, n_participants=1, n_chosen=1, n_measured=1, n_extracted=1, formulas=(), sizes={}, families=(),
        severity=(), head_size_notes=(), detectable=(), exclusions=(), claims=None,
    )  # fmt: skip
    text = write_methods(single, template=study.load_template("methods.jinja"))
    assert "1 T1-weighted scan of 1 participant was found; 1 was chosen" in text
    assert "The brains had been extracted before they came to morpho" in text
    heads = [paragraph.partition(". ")[0] for paragraph in text.split("\n\n")]
    assert heads == ["Images", "Measurement", "Software"]


def test_methods_of_a_table_of_volumes_do_not_speak_of_scans(
    study: ModuleType, effects: pd.DataFrame, facts: MethodsFacts
) -> None:
    listed = study.make_cohort().assign(input_kind="table")
    scans = study.make_scans().iloc[:60].assign(path="my volumes.tsv")
    from_table = collect_facts(
        scans=scans, cohort=listed, effects=effects, associations=study.make_associations(study.make_residuals()),
        precision=study.make_precision().iloc[:0], exclusions=study.make_exclusions().iloc[:0], claims=facts.claims,
        config=study.load_config(), versions=study.VERSIONS,
    )  # fmt: skip
    text = write_methods(from_table, template=study.load_template("methods.jinja"))
    assert text.startswith("Volumes. Regional volumes of 60 participants were taken from the table my volumes.tsv")
    for word in ("T1-weighted", "U-Net", "Precision.", "Left out"):
        assert word not in text


def test_claims_without_any_fitted_test_are_not_in_the_methods(study: ModuleType) -> None:
    tests = study.make_claim_tests()
    what = {"file": "claims.yaml", "sha256": "abc"}
    assert collect_claim_facts(study.make_claims(), tests.assign(status="refused"), **what) is None
    assert collect_claim_facts(study.make_claims(), tests.iloc[:0], **what) is None


def test_facts_of_an_empty_comparison_take_the_groups_from_the_configuration(
    study: ModuleType, effects: pd.DataFrame, associations: pd.DataFrame
) -> None:
    empty = collect_facts(
        scans=study.make_scans(), cohort=study.make_cohort(), effects=effects.iloc[:0],
        associations=associations.iloc[:0], precision=study.make_precision().iloc[:0],
        exclusions=study.make_exclusions().iloc[:0], claims=None, config=study.load_config(), versions=study.VERSIONS,
    )  # fmt: skip
    assert (empty.reference_group, empty.comparison_group, empty.sizes) == ("control", "patient", {})


def test_pictures_of_other_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match="'pdf' picture"):
        embed_image(b"", "pdf")


def test_pictures_without_caption_are_left_out() -> None:
    shown = embed_pictures(
        {"claims": b"a", "severity_BDI": b"b"}, {"claims": "Words.", "severity_BDI": ""}, file_format="png"
    )
    assert list(shown) == ["claims"]
