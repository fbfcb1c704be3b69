"""Tables of one region: variants by side, tests of claims, and the scans farthest from expected."""

from __future__ import annotations

from types import ModuleType

import pandas as pd

from morpho.present.region_views import side_name, view_deviations, view_region_sensitivity, view_region_tests


def test_variants_are_rows_and_places_columns(study: ModuleType, effects: pd.DataFrame) -> None:
    rows = study.make_sensitivity(effects)
    view = view_region_sensitivity(rows[rows["roi"] == "amygdala"], study.VARIANTS, link="x")
    assert view is not None
    assert [column.label for column in view.columns] == ["variant", "primary: mean of both sides"]
    texts = {row[0].text: row[1].text for row in view.rows}
    assert texts["without head size"] == "not estimated"
    assert set(texts) >= {"without site south", "without site north", "the analysis as configured"}
    assert texts["the analysis as configured"].endswith("n 59")
    assert view_region_sensitivity(rows.iloc[:0], {}, link="") is None


def test_tests_of_claims_tell_which_decide(study: ModuleType) -> None:
    tests = study.make_claim_tests()
    view = view_region_tests(tests[tests["roi"] == "dlpfc"], link="")
    labels = [column.label for column in view.columns]
    row = dict(zip(labels, view.rows[0], strict=True))
    assert row["decides"].text == "yes"
    assert row["verdict"].text == study.TOO_FEW
    other = view_region_tests(tests[tests["roi"] == "amygdala"], link="")
    assert "no" in [cell.text for cell in other.rows[0]]
    assert any(
        cell.text.replace("\N{MINUS SIGN}", "-").startswith("-0.30\N{NO-BREAK SPACE}[-0.80,") for cell in other.rows[0]
    )


def test_the_scans_farthest_from_expected_come_first(study: ModuleType) -> None:
    rows = study.make_deviations()
    here = rows[rows["roi"] == "hippocampus"]
    view = view_deviations(here, limit=4.0, pages={"sub-02": "scans/sub-02.html"}, link="")
    assert view is not None
    assert (view.rows[0][0].text, view.rows[0][0].link, view.rows[0][1].text) == ("sub-02", "scans/sub-02.html", "left")
    assert [cell.flagged for cell in view.rows[0]] == [False, False, False, False, True]
    assert "Of 12 volumes, 1 are 4 or more" in view.details
    assert view_deviations(here.assign(z=float("nan")), limit=4.0, pages={}, link="") is None


def test_sides_are_named() -> None:
    assert [side_name(side) for side in ("L", "R", "mean", "whole", None)] == [
        "left", "right", "mean of both sides", "both sides", "",
    ]  # fmt: skip
