"""The pages of the report in a browser: they open from disk, sort, filter, save, rate and draw, and reach nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

Open = Callable[..., Any]

DESKTOP, PHONE = 1280, 390
RATING = "scan\tdecision\trater\treason\tdate\n"


def pages_of(report: Path) -> list[Path]:
    return sorted(report.rglob("*.html"))


def first_cells(page: Any, caption: str) -> list[str]:
    """First cells of the rows that a table shows."""
    return page.locator(f"table:has(caption:text-is('{caption}')) tbody tr:visible th").all_inner_texts()


def saved(page: Any, button: str, place: Path) -> str:
    """Text of the file that a button saves."""
    with page.expect_download() as download:
        page.click(button)
    path = place / "saved.tsv"
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_no_page_complains_reaches_out_or_scrolls_sideways(open_page: Open, report: Path, width: int) -> None:
    paths = [path for path in pages_of(report) if not re.search(r"sub-[123]\d", path.name)]
    assert len(paths) > 15
    page = open_page(report / "index.html", width=width)
    wide = []
    for path in paths:
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path.name)
    assert wide == []


def test_every_link_and_picture_leads_to_a_file_of_the_folder(open_page: Open, report: Path) -> None:
    page = open_page(report / "index.html")
    broken = []
    for path in pages_of(report):
        page.goto(path.as_uri())
        targets = page.evaluate("[...document.querySelectorAll('[src], [href]')].map(e => e.src || e.href)")
        broken += [
            target
            for target in targets
            if not target.startswith("data:")
            and not Path(page.evaluate("decodeURIComponent", target.split("#")[0]).removeprefix("file://")).is_file()
        ]
        here = page.evaluate(
            "[...document.querySelectorAll('a[href^=\"#\"]')].map(e => e.hash.slice(1))"
            ".filter(id => !document.getElementById(id))"
        )
        broken += here
    assert broken == []


def test_a_table_sorts_by_number_both_ways_with_missing_values_last(open_page: Open, report: Path) -> None:
    page = open_page(report / "quality.html")
    caption = "All scans and their metrics"
    head = page.locator(f"table:has(caption:text-is('{caption}')) thead button", has_text="registration correlation")
    head.click()
    rising = first_cells(page, caption)
    assert rising[0] == "sub-04"
    assert rising[-1] == "sub-05"
    cell = page.locator("th[aria-sort]")
    assert cell.get_attribute("aria-sort") == "ascending"
    head.press("Enter")
    assert first_cells(page, caption)[0] == "sub-06_ses-2"
    assert first_cells(page, caption)[-1] == "sub-05"
    assert cell.get_attribute("aria-sort") == "descending"


def test_negative_numbers_with_a_typographic_minus_sort_as_numbers(open_page: Open, report: Path) -> None:
    page = open_page(report / "scans" / "sub-02.html")
    page.locator("table:has(caption:text-is('Its volumes against the cohort')) thead button", has_text="z").last.click()
    assert first_cells(page, "Its volumes against the cohort")[0] == "left hippocampus"


def test_a_filter_shows_the_rows_with_all_words_and_the_file_has_them_only(
    open_page: Open, report: Path, tmp_path: Path
) -> None:
    page = open_page(report / "quality.html")
    page.get_by_label("Filter the rows of All scans and their metrics").fill("FLAGGED contrast")
    assert first_cells(page, "All scans and their metrics") == ["sub-02"]
    tools = page.locator(".tools:has(input)").last
    assert tools.get_by_role("status").inner_text() == "1 of 30 rows"
    with page.expect_download() as download:
        tools.get_by_role("button", name="Download TSV").click()
    download.value.save_as(tmp_path / "x.tsv")
    lines = (tmp_path / "x.tsv").read_text(encoding="utf-8").splitlines()
    assert download.value.suggested_filename == "all_scans_and_their_metrics.tsv"
    assert [line.split("\t")[0] for line in lines] == ["scan", "sub-02"]
    assert len({line.count("\t") for line in lines}) == 1


def test_a_table_is_copied_with_plain_numbers(open_page: Open, report: Path) -> None:
    page = open_page(report / "index.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("section#groups").get_by_role("button", name="Copy as TSV").first.click()
    page.locator("section#groups .tools [role=status]", has_text="copied").first.wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.splitlines()[0].startswith("region\tg [95 % CI]\t")
    assert re.search(r"\t-\d", text)
    assert not re.search("[\u2212\u00a0\u202f]", text)


def test_tables_are_there_without_scripts(open_page: Open, report: Path) -> None:
    page = open_page(report / "quality.html", script=False)
    assert page.locator("article.card").count() == 30
    assert page.locator("table tbody tr:visible").count() > 30


def test_rating_by_keyboard_is_kept_and_saved(open_page: Open, report: Path, tmp_path: Path) -> None:
    page = open_page(report / "quality.html")
    page.get_by_role("button", name="Save qc_decisions.tsv").click()
    assert "name or initials first" in page.locator("#progress").inner_text()
    page.fill("#rater", "AB")
    page.locator("h1").click()
    for key in ("j", "e", "k"):  # the worst, sub-05, is rated first; then sub-04
        page.keyboard.press(key)
    page.keyboard.press("n")  # of sub-02
    page.keyboard.type("moved,\tperhaps")
    page.keyboard.press("Enter")
    page.keyboard.press("u")
    assert page.locator("#progress").inner_text().startswith("3 of 30 scans rated.")
    page.reload()
    assert page.locator("#progress").inner_text().startswith("3 of 30 scans rated.")
    text = saved(page, "#save", tmp_path)
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0] == RATING.strip().split("\t")
    assert [row[:4] for row in rows[1:]] == [
        ["sub-05", "exclude", "AB", "n/a"],
        ["sub-04", "keep", "AB", "n/a"],
        ["sub-02", "unsure", "AB", "moved, perhaps"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[4]) for row in rows[1:])


def test_the_same_key_takes_a_rating_back_and_buttons_show_it(open_page: Open, report: Path) -> None:
    page = open_page(report / "quality.html")
    page.uncheck("#advance")
    page.locator("h1").click()
    page.keyboard.press("j")
    keep = page.locator("article[aria-current] button", has_text="keep")
    page.keyboard.press("k")
    assert keep.get_attribute("aria-pressed") == "true"
    page.keyboard.press("k")
    assert keep.get_attribute("aria-pressed") == "false"
    keep.click()
    assert keep.get_attribute("aria-pressed") == "true"


def test_an_earlier_file_goes_on_and_rows_of_others_stay_in_it(open_page: Open, report: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "qc_decisions.tsv"
    other = "sub-00\texclude\tCD\tghosts\t2026-01-02T00:00:00Z\n"
    mine = "sub-01\tkeep\tAB\tn/a\t2026-01-01T00:00:00Z\n"
    earlier.write_text(RATING + other + mine + "sub-02\tperhaps\tAB\tn/a\tn/a\n", encoding="utf-8")
    page = open_page(report / "quality.html")
    page.set_input_files("#load", earlier)
    page.locator("#progress", has_text="write your name").wait_for()
    page.fill("#rater", "AB")
    page.set_input_files("#load", earlier)
    page.locator("#progress", has_text="1 ratings taken").wait_for()
    said = page.locator("#progress").inner_text()
    assert "1 rows of other raters" in said
    assert "1 rows have no known decision" in said
    assert page.locator("article[data-scan=sub-00] button[aria-pressed=true]").count() == 0
    assert saved(page, "#save", tmp_path) == RATING + other + mine


def test_scans_are_paged_filtered_and_enlarged(open_page: Open, report: Path) -> None:
    page = open_page(report / "quality.html")
    cards = page.locator("article.card:visible")
    assert cards.count() == 24
    assert page.locator("#page").inner_text() == "page 1 of 2"
    page.get_by_role("button", name="Next page").click()
    assert cards.count() == 6
    page.select_option("#show", "doubt")
    assert page.locator("article.card:visible h3").all_inner_texts() == ["sub-05", "sub-04", "sub-02"]
    page.locator("article.card:visible img").first.click()
    look = page.locator("dialog[open]")
    assert look.locator("strong").inner_text() == "sub-04"
    assert look.locator("img").get_attribute("src") == "pictures/sub-04.webp"
    page.keyboard.press("ArrowRight")
    assert look.locator("strong").inner_text() == "sub-02"
    page.keyboard.press("e")
    assert look.locator("button[aria-pressed=true]").inner_text() == "exclude"
    page.keyboard.press("Escape")
    assert page.locator("article[data-scan=sub-02] button[aria-pressed=true]").inner_text() == "exclude"


def test_the_viewer_draws_the_scan_in_grey_and_its_labels_in_colour(
    open_page: Open, report: Path, tmp_path: Path
) -> None:
    page = open_page(report / "scans" / "sub-04.html")
    page.get_by_role("button", name="Show the scan").click()
    page.wait_for_selector("body[data-viewer=ready]", timeout=30_000)
    page.wait_for_timeout(500)

    def look(name: str) -> Image.Image:
        page.locator("#canvas").screenshot(path=tmp_path / name)
        return Image.open(tmp_path / name).convert("RGB")

    shown = look("with.png")
    assert ImageStat.Stat(shown.convert("L")).stddev[0] > 10
    saturation = ImageStat.Stat(shown.convert("HSV")).mean[1]
    page.locator("#opacity").fill("0")
    page.wait_for_timeout(300)
    assert ImageStat.Stat(look("without.png").convert("HSV")).mean[1] < saturation
    page.select_option("#view", "0")
    page.wait_for_timeout(300)
    assert look("axial.png").tobytes() != shown.tobytes()


def test_a_scan_without_data_and_a_browser_without_webgl_say_so(open_page: Open, report: Path) -> None:
    page = open_page(report / "scans" / "sub-00.html")
    assert page.locator("#viewer").count() == 0
    assert page.get_by_text("this scan is not among them").is_visible()
    page = open_page(report / "scans" / "sub-04.html")
    page.evaluate("HTMLCanvasElement.prototype.getContext = () => null")
    page.get_by_role("button", name="Show the scan").click()
    page.get_by_text("cannot draw in 3D").wait_for()
    assert page.locator("#canvas").is_hidden()


def test_a_report_with_hashed_ids_has_no_rating(open_page: Open, make_report: Callable[..., Path]) -> None:
    folder = make_report(salt="secret")
    assert not list(folder.rglob("*sub-*"))
    page = open_page(folder / "quality.html")
    assert page.get_by_text("Rating is off").is_visible()
    assert page.locator("#save").count() == 0
    page.locator("article.card img").first.click()
    assert page.locator("dialog[open] .marks").count() == 0


def test_a_shared_report_opens_without_complaint(open_page: Open, make_report: Callable[..., Path]) -> None:
    folder = make_report(salt="secret", share=True)
    page = open_page(folder / "index.html")
    for path in pages_of(folder):
        page.goto(path.as_uri())
    assert not (folder / "quality.html").exists()


def test_keyboard_reaches_the_content_first(open_page: Open, report: Path) -> None:
    page = open_page(report / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
