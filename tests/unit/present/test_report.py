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
from morpho.present.headline import DetectableEffect, analysed_sizes, write_headline
from morpho.present.methods import MethodsFacts, collect_facts, write_methods
from morpho.present.model_views import view_associations, view_effects
from morpho.present.report import Picture, ReportContent, embed_image, render_report
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
    return ReportContent(
        title="A study",
        effects=effects,
        associations=associations,
        flow=study.make_flow(),
        scans=study.make_scans(),
        exclusions=study.make_exclusions(),
        quality=study.make_quality(),
        quality_dictionary=study.QUALITY_DICTIONARY,
        figures=(Picture("Effect sizes", embed_image(b"<svg/>", "svg"), "All effects."),),
        overlays={f"sub-{i:02d}": Picture(f"sub-{i:02d}", PIXEL, "") for i in range(6)},
        methods="First paragraph.\n\nSecond paragraph.",
        notes=("A note of the caller.",),
        detectable=DetectableEffect(0.74, 0.8, 0.05, 26, 33),
        confidence=0.95,
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
        config=study.load_config(),
        versions=study.VERSIONS,
    )


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
    quality = content.quality.assign(scan=[f"{NASTY}{i}" for i in range(6)], hard_flags=NASTY)
    effects = content.effects.assign(contrast=f"{NASTY} - <b>", reason=NASTY, roi=NASTY, family='"><img src=x>')
    nasty = replace(
        content,
        title=NASTY,
        quality=quality,
        effects=effects,
        methods=NASTY,
        notes=(NASTY,),
        provenance={NASTY: NASTY},
        figures=(Picture('" onerror="x', PIXEL, NASTY),),
        overlays={NASTY: Picture(NASTY, PIXEL, NASTY)},
        associations=content.associations.assign(scale=NASTY),
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


def test_headline_leads_with_estimates_and_names_what_could_be_seen(content: ReportContent, study: ModuleType) -> None:
    effects = content.effects
    headline = write_headline(
        effects, content.associations, content.quality, detectable=content.detectable, confidence=0.95
    )
    assert len(headline.estimates) == len(study.PRIMARY)
    row = effects.iloc[0]
    word = "smaller" if row["g"] < 0 else "larger"
    assert headline.estimates[0].startswith(f"hippocampus: {abs(row['percent']):.1f} % {word} in patient")
    primary = effects[effects["family"] == "primary"]
    apart = int(((primary["g_ci_low"] > 0) | (primary["g_ci_high"] < 0)).sum())
    assert f"interval without zero in {apart} of 4 estimated regions" in headline.summary[0]
    assert any("g = 0.74 with 80" in sentence for sentence in headline.summary)
    assert any("does not show that there is no difference" in sentence for sentence in headline.summary)
    assert any(sentence.startswith("BDI (n = 33)") for sentence in headline.summary)
    assert "patient (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}33)" in headline.question
    assert analysed_sizes(effects) == (26, 33)


def test_headline_warns_of_head_size_flags_and_mixed_input(content: ReportContent, study: ModuleType) -> None:
    headline = write_headline(content.effects, content.associations, content.quality, detectable=None, confidence=0.95)
    assert headline.warnings[0] == f"Head size: {study.HEAD_SIZE_NOTE}."
    assert any("1 scan carries a quality flag: sub-04" in warning for warning in headline.warnings)
    assert any("others extracted brains" in warning for warning in headline.warnings)
    quiet = write_headline(
        content.effects.assign(head_size_note="as config says"),
        content.associations.assign(head_size_note=np.nan),
        content.quality.assign(hard_flags=np.nan, input_kind="whole_head"),
        detectable=None,
        confidence=0.95,
    )
    assert quiet.warnings == ()


def test_a_study_in_which_everything_was_refused_has_a_report(content: ReportContent, study: ModuleType) -> None:
    names = [c for c in content.effects.columns if content.effects[c].dtype == float]
    effects = content.effects.assign(
        status="refused", reason="only one group", formula=np.nan, **dict.fromkeys(names, np.nan)
    )
    bare = replace(
        content,
        effects=effects,
        associations=content.associations.iloc[:0],
        exclusions=content.exclusions.iloc[:0],
        scans=content.scans.iloc[:1],
        quality=content.quality.iloc[:0],
        figures=(),
        overlays={},
        detectable=None,
    )
    text = Page(render(bare, study)).text
    for part in (
        "None of the 4 models of the family primary",
        "only one group",
        "Nobody was left out",
        "No severity scale",
    ):
        assert part in text
    none = Page(render(replace(bare, effects=effects.iloc[:0]), study)).text
    assert "No group comparison was made." in none
    assert analysed_sizes(effects) == (0, 0)


def test_effect_view_rounds_what_is_shown_and_sorts_by_full_numbers(effects: pd.DataFrame) -> None:
    primary, hemispheres, _ = view_effects(effects, confidence=0.95, link="x.tsv")
    labels = [column.label for column in primary.columns]
    g = primary.rows[0][2]
    assert labels[2] == "g [95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}CI]"
    assert float(g.sort) == effects["g"].iloc[0]
    assert g.text.replace("\N{MINUS SIGN}", "-").startswith(f"{effects['g'].iloc[0]:.2f}")
    refused = [row for row in hemispheres.rows if row[1].flagged]
    assert [row[0].text for row in refused] == ["left amygdala", "right amygdala"]
    assert [cell.text for cell in refused[0][1:3]] == ["not estimated", "n/a"]
    assert primary.refusals == ()
    noted = view_effects(effects.assign(reason="sex left out"), confidence=0.95, link="")[0]
    assert noted.rows[0][-1].text == "sex left out"


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


def test_methods_name_counts_models_and_families(facts: MethodsFacts, study: ModuleType) -> None:
    text = write_methods(facts, template=study.load_template("methods.jinja"))
    for part in (
        "62 T1-weighted scans of 61 participants were found; 61 were chosen",
        "and 60 were measured with morpho 1.2.3. In 3 of them the brain had been extracted before",
        "between 33 patient and 26 control participants",
        "adjusted for age, sex, affine head size and site (2 sites)",
        f"Model: {study.FORMULA}.",
        f"Head size: {study.HEAD_SIZE_NOTE}.",
        "primary, 4 tests: hippocampus, amygdala, rostral anterior cingulate and dorsolateral PFC (mean of left",
        "totals, 1 test: brain volume (whole brain).",
        "BDI (n = 33, adjusted for age, sex and affine head size) was related",
    ):
        assert part in text
    assert "  " not in text
    assert "{" not in text


def test_methods_of_one_scan_without_models(facts: MethodsFacts, study: ModuleType) -> None:
    single = replace(
        facts, n_found=1, n_participants=1, n_chosen=1, n_measured=1, n_extracted=1, formulas=(), sizes={}, families=(),
        severity=(), head_size_notes=(),
    )  # fmt: skip
    text = write_methods(single, template=study.load_template("methods.jinja"))
    assert "1 T1-weighted scan of 1 participant was found; 1 was chosen" in text
    assert "The brains had been extracted before they came to morpho" in text
    assert "inside of the skull" not in text
    assert "No group model could be estimated" in text
    assert "No severity scale was analysed" in text
    assert "Multiplicity" not in text


def test_facts_of_an_empty_comparison_take_the_groups_from_the_configuration(
    study: ModuleType, effects: pd.DataFrame, associations: pd.DataFrame
) -> None:
    empty = collect_facts(
        scans=study.make_scans(), cohort=study.make_cohort(), effects=effects.iloc[:0],
        associations=associations.iloc[:0], config=study.load_config(), versions=study.VERSIONS,
    )  # fmt: skip
    assert (empty.reference_group, empty.comparison_group, empty.sizes) == ("control", "patient", {})


def test_pictures_of_other_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match="'pdf' picture"):
        embed_image(b"", "pdf")
