"""The report: complete, honest, escaped, and without anything outside its folder."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from morpho.errors import ConfigError
from morpho.present.pages.frame import region_pages
from morpho.present.pages.scans import name_study
from morpho.present.pictures import Picture, check_address, choose_figures
from morpho.present.report import choose_files, find_hashes, render_pages
from morpho.present.report_content import ReportContent

NASTY = "</td><script>alert(1)</script>"
PLACES = (
    "https://example.org/x.png",
    "//host/x.png",
    "javascript:alert(1)",
    "/etc/x.png",
    "data:text/html,x",
    "../x.png",
)


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


def change(content: ReportContent, **tables: object) -> ReportContent:
    """Put other tables into the content of a report."""
    return replace(content, tables=replace(content.tables, **tables))


def render(content: ReportContent, study: ModuleType) -> dict[str, str]:
    return render_pages(content, study.load_templates())


def pages(content: ReportContent, study: ModuleType) -> dict[str, Page]:
    return {path: Page(text) for path, text in render(content, study).items() if path.endswith(".html")}


def shared(content: ReportContent) -> ReportContent:
    return replace(content, options=replace(content.options, share=True, salt="salt"))


def test_every_scan_and_every_region_has_a_page(content: ReportContent, study: ModuleType) -> None:
    made = set(render(content, study))
    top = {"index", "claims", "regions", "figures", "sample", "quality", "methods", "provenance"}
    assert {f"{name}.html" for name in top} <= made
    assert {f"scans/{scan}.html" for scan in study.make_metrics()["scan"]} <= made
    assert {"regions/hippocampus.html", "regions/brain_volume.html"} <= made
    assert {"assets/report.css", "assets/report.js", "assets/rating.js", "assets/viewer.js"} <= made
    assert "figures/effects_forest.svg" in made
    assert not any(path.endswith(".jinja") for path in made)


def test_no_page_reaches_outside_the_folder(content: ReportContent, study: ModuleType) -> None:
    texts = render(content, study)
    there = set(texts) | set(choose_files(content))
    for path, text in texts.items():
        if not path.endswith((".html", ".css", ".js")):
            continue
        assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", text), path
        for tag, attrs in Page(text).tags if path.endswith(".html") else ():
            for name in ("src", "href"):
                target = attrs.get(name)
                if target and not target.startswith(("#", "data:,")):
                    assert tag != "base"
                    joined = (Path(path).parent / target).as_posix()
                    where = re.sub(r"[^/]+/\.\./", "", joined)
                    assert where.split("#")[0] in there, (path, target)


def test_what_users_write_is_escaped_everywhere(content: ReportContent, study: ModuleType) -> None:
    tables = content.tables
    effects = tables.effects.assign(contrast=f"{NASTY} - <b>", reason=NASTY, roi=NASTY, family='"><img src=x>')
    metrics = study.make_metrics().assign(reason=NASTY, flags=NASTY)
    nasty = change(
        content,
        metrics=metrics,
        decisions=study.make_decisions().assign(raters=NASTY, human_reason=NASTY),
        deviations=study.make_deviations().assign(roi=NASTY, adjusted_for=NASTY),
        comparison=study.make_comparison().assign(reason=NASTY),
        agreement=study.make_agreement().assign(rater_1=NASTY),
        run_cost=study.make_run_cost().assign(step=NASTY),
        effects=effects,
        associations=tables.associations.assign(scale=NASTY),
        claims=tables.claims.assign(claim=NASTY, sentence=NASTY, needs=NASTY, evidence=NASTY, source=NASTY),
        claim_tests=tables.claim_tests.assign(contrast=NASTY, test=NASTY, reason=NASTY, roi=NASTY),
        precision=tables.precision.assign(contrast=NASTY, expected_source=NASTY),
        sensitivity=tables.sensitivity.assign(left_out=NASTY, roi=NASTY, family=NASTY),
        sample=tables.sample.assign(variable=NASTY, level=NASTY).rename(columns={"control": NASTY}),
        sites=tables.sites.assign(site=NASTY, flags=NASTY),
        scans=tables.scans.assign(reason=NASTY, path=NASTY),
        exclusions=tables.exclusions.assign(reason=NASTY),
        regions=study.make_regions().assign(description=NASTY),
    )
    words = replace(
        content.words, methods=NASTY, notes=(NASTY,), precision=(NASTY,), verdicts={"consistent": NASTY}, config=NASTY
    )
    failures = {"sub-05": replace(content.failures["sub-05"], stage=NASTY, reason=NASTY, log=NASTY, log_end=NASTY)}
    figures = {"claims": Picture('" onerror="x', "figures/a.png", NASTY)}
    nasty = replace(
        nasty,
        words=words,
        options=replace(content.options, title=NASTY),
        provenance={NASTY: NASTY},
        figures=figures,
        failures=failures,
    )
    for path, page in pages(nasty, study).items():
        own = [attrs.get("src") for tag, attrs in page.tags if tag == "script"]
        assert all(source and source.startswith(("assets/", "../assets/")) for source in own), path
        assert not any("onerror" in attrs for _, attrs in page.tags), path
        assert not any(attrs.get("src") == "x" for _, attrs in page.tags), path


@pytest.mark.parametrize("address", PLACES)
def test_addresses_outside_the_report_are_refused(content: ReportContent, study: ModuleType, address: str) -> None:
    with pytest.raises(ConfigError, match="relative to the report"):
        check_address(address)
    with pytest.raises(ConfigError, match="relative to the report"):
        render(replace(content, figures={"claims": Picture("t", address, "c")}), study)
    with pytest.raises(ConfigError, match="relative to the report"):
        render(replace(content, files={address: Path("x")}), study)


def test_the_pages_are_semantic(content: ReportContent, study: ModuleType) -> None:
    for path, page in pages(content, study).items():
        assert page.count("h1") == page.count("main") == page.count("header") == page.count("footer") == 1, path
        assert page.count("table") == page.count("caption"), path
        assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img"), path
        assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th"), path
        assert all(attrs.get("aria-label") for tag, attrs in page.tags if tag == "nav"), path
        ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
        assert len(ids) == len(set(ids)), path
        assert ("html", {"lang": "en"}) in page.tags, path
    current = [attrs["href"] for _, attrs in pages(content, study)["claims.html"].tags if "aria-current" in attrs]
    assert current == ["claims.html"]


def test_the_first_page_leads_with_the_result(content: ReportContent, study: ModuleType) -> None:
    page = pages(content, study)["index.html"]
    sections = [attrs.get("id") for tag, attrs in page.tags if tag == "section"]
    assert sections == ["result", "cohort", "claims", "groups", "doubt", "severity"]
    for part in (
        "A note of the caller.",
        "Quality index, comparison minus reference group: g",
        "0.7\N{NO-BREAK SPACE}%",
    ):
        assert part in page.text


def test_refused_models_are_visible_with_their_reason(content: ReportContent, study: ModuleType) -> None:
    made = pages(content, study)
    assert f"left amygdala, right amygdala: {study.TOO_FEW}" in made["index.html"].text
    assert f"amygdala: {study.TOO_FEW}" in made["regions/amygdala.html"].text


def test_the_page_of_a_failed_scan_says_why_where_to_look_and_what_to_do(
    content: ReportContent, study: ModuleType
) -> None:
    page = pages(content, study)["scans/sub-05.html"]
    for part in (
        "Stage preprocess broke off: no brain",
        "logs/preprocess_t1w/sub-05.log",
        "last line",
        "is it a T1-weighted image of a head?",
        "What the image shows is not a brain with the contrast of T1w: preprocess failed: <b>no brain</b>",
        "Left out of the statistics, as quality control decides.",
    ):
        assert part in page.text
    assert page.count("img") == 0


def test_the_page_of_a_scan_has_its_numbers_beside_the_cohort(content: ReportContent, study: ModuleType) -> None:
    made = render(content, study)
    page = Page(made["scans/sub-02.html"])
    assert "Left out of the statistics, as people decided (AB: exclude; moved)." in page.text
    lines = made["scans/sub-02.html"].splitlines()
    flagged = [line for line in lines if 'class="flagged"' in line]
    assert Page(flagged[0]).text.startswith("left hippocampus2")
    assert [re.sub(r"[\d.].*", "", Page(line).text) for line in flagged[1:]] == ["contrast to noise", "mask parts"]
    assert sum("--v:" in line for line in lines) == 3 + 6
    assert not any(attrs.get("id") == "viewer" for _, attrs in page.tags)
    assert any(attrs.get("id") == "viewer" for _, attrs in Page(made["scans/sub-04.html"]).tags)


def test_pages_to_rate_do_not_know_groups(content: ReportContent, study: ModuleType) -> None:
    for path, page in pages(content, study).items():
        if path == "quality.html" or path.startswith("scans/"):
            assert not re.search(r"\bpatients?\b|(?<!quality )\bcontrols?\b", page.text, re.IGNORECASE), path


def test_ratings_go_on_while_the_scans_are_the_same(study: ModuleType) -> None:
    metrics = study.make_metrics()
    name = name_study("A study", metrics)
    assert name == name_study("A study", metrics.assign(verdict="flagged").sample(frac=1, random_state=1))
    assert name != name_study("Another", metrics)
    assert name != name_study("A study", metrics.assign(mask_parts=2))


def test_hashed_ids_replace_ids_everywhere(content: ReportContent, study: ModuleType) -> None:
    hashed = replace(content, options=replace(content.options, salt="salt"))
    texts = render(hashed, study)
    for path, text in texts.items():
        assert not re.search(r"sub-\d\d", path + text), path
    assert not any("sub-" in path for path in choose_files(hashed))
    name = find_hashes(hashed)["sub-04"]
    assert f"scans/{name}.html" in texts
    assert f'src="../pictures/{name}.webp"' in texts[f"scans/{name}.html"]
    assert set(choose_files(hashed)) & {f"pictures/{name}.webp", f"thumbnails/{name}.webp"}
    other = replace(content, options=replace(content.options, salt="other"))
    assert find_hashes(other)["sub-04"] != name
    assert "Rating is off" in texts["quality.html"]


def test_the_sample_page_says_what_each_column_was_read_as(content: ReportContent, study: ModuleType) -> None:
    page = Page(render(content, study)["sample.html"]).text
    assert "What the columns of the participants table were read as" in page
    for cell in ("dx", "category", "control (3: HC)", "iq", "not used"):
        assert cell in page
    assert "participants table were read as" not in Page(render(shared(content), study)["sample.html"]).text


def test_a_shared_report_shows_nobody(content: ReportContent, study: ModuleType) -> None:
    texts = render(shared(content), study)
    assert not any(path.startswith(("scans/", "pictures/", "thumbnails/", "viewer/")) for path in texts)
    assert choose_files(shared(content)) == {}
    assert "quality.html" not in texts
    assert "tables/metrics.tsv" not in texts
    assert texts["tables/group_comparison.tsv"] == "roi\tn_reference\ngroup_comparison\t26\n"
    assert "figures/distributions_primary.svg" not in texts
    assert "figures/region_hippocampus.svg" not in texts
    assert "figures/effects_forest.svg" in texts
    for path, text in texts.items():
        assert not re.search(r"sub-\d\d", text), path
        assert find_hashes(shared(content))["sub-04"] not in text, path
        if path.endswith(".html"):
            assert "Scans farthest from expected" not in text
            assert not any((attrs.get("href") or "").endswith("quality.html") for _, attrs in Page(text).tags)


def test_a_shared_report_tells_nothing_of_a_small_group(content: ReportContent, study: ModuleType) -> None:
    effects = content.tables.effects.assign(n_reference=9)
    flow = content.tables.flow.assign(n_participants=[61, 61, 60, 60, 60, 9, 51])
    small = change(content, effects=effects, flow=flow)
    small = replace(small, words=replace(small.words, methods="9 controls were studied."))
    texts = render(shared(small), study)
    index = Page(texts["index.html"]).text
    assert "A group of the study has fewer than 10 people." in index
    assert "Counts are withheld" in index
    assert "figures/effects_forest.svg" not in texts
    assert [path for path in texts if path.startswith("tables/")] == []
    for path, text in texts.items():
        if path.endswith(".html"):
            told = Page(text).text
            assert not re.search(r"\b(9|51) (participants|control|patient)|hippocampus g 0.10", told), path
            assert "9 controls" not in told, path


def test_a_shared_report_hides_the_counts_in_reasons(content: ReportContent, study: ModuleType) -> None:
    told = " ".join(Page(text).text for path, text in render(shared(content), study).items() if path.endswith(".html"))
    assert "amygdala: too few people, where config models.min_group_size asks for 3" in told
    assert "2 patient" not in told
    assert "could not be measured in few of 59 scans" in told


def test_a_study_in_which_everything_was_refused_has_a_report(content: ReportContent, study: ModuleType) -> None:
    tables = content.tables
    names = [c for c in tables.effects.columns if tables.effects[c].dtype == float]
    effects = tables.effects.assign(
        status="refused", reason="only one group", formula=np.nan, **dict.fromkeys(names, np.nan)
    )
    empty = {
        name: getattr(tables, name).iloc[:0]
        for name in ("associations", "exclusions", "metrics", "deviations", "comparison", "decisions", "agreement",
                     "precision", "claims", "claim_tests", "sensitivity", "sample", "sites", "run_cost")
    }  # fmt: skip
    bare = replace(
        change(content, effects=effects, scans=tables.scans.iloc[:1], **empty),
        figures={},
        files={},
        words=replace(content.words, precision=()),
    )
    text = " ".join(page.text for page in pages(bare, study).values())
    for part in (
        "The groups could not be compared: only one group.",
        "None of the 4 models of the family primary",
        "Nobody was left out",
        "No severity scale",
        "There were no claims to judge.",
        "No claim could be tested",
        "this sample shows nothing",
        "There is no Table 1",
        "No step left a record",
    ):
        assert part in text
    none = pages(change(bare, effects=effects.iloc[:0]), study)["index.html"].text
    assert "No group comparison was made." in none


def test_volumes_from_a_table_have_no_pages_of_scans(content: ReportContent, study: ModuleType) -> None:
    table = replace(
        change(content, metrics=None, deviations=None, comparison=None, regions=None), files={}, failures={}
    )
    made = pages(table, study)
    assert "quality.html" not in made
    assert not any(path.startswith("scans/") for path in made)
    assert "62 in the table of volumes (61 participants)" in made["index.html"].text
    assert "T1w scans found" not in made["index.html"].text


def test_regions_with_odd_names_have_pages_of_their_own(content: ReportContent) -> None:
    odd = change(content, effects=content.tables.effects.assign(roi="a/../b c"))
    assert region_pages(odd.tables)["a/../b c"] == "regions/a____b_c.html"


def test_figures_without_caption_and_of_other_formats_are_left_out() -> None:
    paths = ["group/figures/claims.svg", "group/figures/claims.png", "group/figures/severity_BDI.svg"]
    chosen = choose_figures(paths, {"claims": "Words.", "severity_BDI": ""}, file_format="svg")
    picture, path = chosen["claims"]
    assert list(chosen) == ["claims"]
    assert (picture.title, picture.source, path) == (
        "Verdicts on the claims", "figures/claims.svg", Path("group/figures/claims.svg"),
    )  # fmt: skip


def test_a_table_that_is_not_in_the_folder_gets_no_link(content: ReportContent, study: ModuleType) -> None:
    bare = replace(content, texts={})
    hrefs = {attrs.get("href") or "" for page in pages(bare, study).values() for _, attrs in page.tags}
    assert not any("tables/" in href for href in hrefs)


def test_volumes_missing_a_region_do_not_break_the_pages(content: ReportContent, study: ModuleType) -> None:
    assert content.tables.deviations is not None
    sparse = content.tables.deviations.assign(z=np.nan, expected_mm3=np.nan)
    made = pages(change(content, deviations=sparse), study)
    assert "Its volumes against the cohort" in made["scans/sub-02.html"].text
    assert "Scans farthest" not in made["regions/hippocampus.html"].text


def test_a_large_cohort_shows_the_scans_in_most_trouble(
    content: ReportContent, study: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = render(content, study)
    monkeypatch.setattr("morpho.present.quality_words.MOST_SCANS", 3)
    made, files = render(content, study), choose_files(content)
    shown = ["sub-05", "sub-04", "sub-02"]
    assert [path for path in made if path.startswith("scans/")] == [f"scans/{scan}.html" for scan in shown]
    quality = made["quality.html"]
    assert re.findall(r'data-scan="([^"]+)"', quality) == shown
    assert "the 3 of 7 scans in most trouble. The other 4 (4 passed) count in every number" in quality
    assert "7 scans: 4 passed, 1 flagged, 2 failed" in quality  # of all
    assert "in most trouble. The other" not in everything["quality.html"]
    pictures = {Path(path).stem for path in files if path.startswith(("pictures/", "thumbnails/"))}
    assert pictures <= set(shown)
    assert pictures < {Path(path).stem for path in content.files if path.startswith("pictures/")}
    linked = {scan for text in made.values() for scan in re.findall(r'href="(?:\.\./)?scans/([^"]+)\.html"', text)}
    assert linked <= set(shown)
