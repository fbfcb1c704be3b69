"""Tables of models: rounded text, full numbers to sort by, other sets of scans beside the main result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morpho.present.association_views import view_associations, view_region_associations
from morpho.present.model_views import view_effects, view_region_effects
from morpho.present.set_views import RowLinks, tell_dependence

SETS = {"all_scans": "with all", "unflagged": "without flagged", "human": "people alone"}


def test_effect_view_rounds_what_is_shown_and_sorts_by_full_numbers(effects: pd.DataFrame) -> None:
    primary, hemispheres, _ = view_effects(effects, confidence=0.95, links=RowLinks(table="x.tsv"))
    labels = [column.label for column in primary.columns]
    g = primary.rows[0][1]
    assert labels[1] == "g [95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}CI]"
    assert float(g.sort) == pytest.approx(effects["g"].iloc[0], rel=1e-6)
    assert g.text.replace("\N{MINUS SIGN}", "-").startswith(f"{effects['g'].iloc[0]:.2f}")
    refused = [row for row in hemispheres.rows if row[1].flagged]
    assert [row[0].text for row in refused] == ["left amygdala", "right amygdala"]
    assert [cell.text for cell in refused[0][1:3]] == ["not estimated", "n/a"]
    assert primary.refusals == ()
    noted = view_effects(effects.assign(reason="sex left out"), confidence=0.95, links=RowLinks())[0]
    assert noted.rows[0][-1].text == "sex left out"


def test_effect_view_sets_correction_equivalence_and_published_effects_beside_g(effects: pd.DataFrame) -> None:
    primary = view_effects(effects, confidence=0.95, links=RowLinks())[0]
    labels = [column.label for column in primary.columns]
    cells = dict(zip(labels, primary.rows[0], strict=True))
    for label, name in (("p", "p"), ("p permuted", "p_permutation"), ("p FDR", "p_fdr"), ("p FWER", "p_familywise")):
        assert float(cells[label].sort) == pytest.approx(effects[name].iloc[0], rel=1e-6)
    assert cells["BF"].text == "0.50"
    assert cells["within ±0.2"].text == "not shown, p\N{NO-BREAK SPACE}0.600"
    published = labels.index("published d [95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}CI]")
    texts = [row[published].text for row in primary.rows]
    assert not texts[0].endswith("(thickness)")
    assert texts[1:3] == ["", ""]
    assert texts[3].endswith("(thickness)")
    assert "the 4 tests of the family primary" in primary.details
    small = view_effects(effects.assign(g_ci90_low=-0.1, g_ci90_high=0.1), confidence=0.95, links=RowLinks())[0]
    assert small.rows[0][labels.index("within ±0.2")].text.startswith("yes, p")
    unpublished = effects.drop(columns=[name for name in effects if name.startswith("enigma_")])
    assert view_effects(unpublished, confidence=0.95, links=RowLinks())[0].rows[0][published].text == ""


def test_association_views_are_by_scale_and_family(associations: pd.DataFrame) -> None:
    views = view_associations(associations, confidence=0.95, links=RowLinks())
    assert [view.caption for view in views] == ["BDI, primary", "BDI, hemispheres", "BDI, totals"]
    assert "Adjusted for age, sex and affine head size" in views[0].details


def test_sets_of_scans_and_motion_stand_behind_the_main_result(effects: pd.DataFrame) -> None:
    view = view_effects(effects, confidence=0.95, links=RowLinks(SETS))[0]
    cells = dict(zip([column.label for column in view.columns], view.rows[0], strict=True))
    g = effects["g"].iloc[0]
    assert float(cells["g, all scans"].sort) == pytest.approx(g - 0.05, abs=1e-6)
    assert cells["g, without flagged scans"].text.endswith("n\N{NO-BREAK SPACE}55")
    assert not any("people alone" in label for label in cells)
    # 0.7 % of grey matter per mm/min: a difference of -1.4 % is as much as 2 mm/min.
    moved = view_effects(effects.assign(motion_equivalent_mm_per_min=2.0), confidence=0.95, links=RowLinks())[0]
    assert moved.rows[0][-1].text == "2.0"


def test_regions_lead_to_their_pages(effects: pd.DataFrame) -> None:
    view = view_effects(effects, confidence=0.95, links=RowLinks(pages={"hippocampus": "regions/hippocampus.html"}))[0]
    assert [row[0].link for row in view.rows[:2]] == ["regions/hippocampus.html", ""]


def test_the_page_of_a_region_has_all_its_rows_by_family(effects: pd.DataFrame, associations: pd.DataFrame) -> None:
    rows = effects[effects["roi"] == "hippocampus"]
    view = view_region_effects(rows, confidence=0.95, links=RowLinks())
    assert view is not None
    assert [(row[0].text, row[1].text) for row in view.rows] == [
        ("primary", "hippocampus"),
        ("hemispheres", "left hippocampus"),
        ("hemispheres", "right hippocampus"),
    ]
    assert len({len(row) for row in view.rows} | {len(view.columns)}) == 1
    assert view_region_effects(rows.iloc[:0], confidence=0.95, links=RowLinks()) is None
    linked = view_region_associations(
        associations[associations["roi"] == "amygdala"], confidence=0.95, links=RowLinks()
    )
    assert [view.caption for view in linked] == ["Severity: BDI"]
    assert linked[0].rows[0][2].text == "not estimated"


def test_a_result_that_hangs_on_scans_in_doubt_is_told() -> None:
    base = {"roi": ["hippocampus", "dlpfc"], "hemisphere": "mean", "g": [-0.5, -0.1]}
    fitted = pd.DataFrame(base | {"g_ci_low": [-0.9, -0.5], "g_ci_high": [-0.1, 0.3]})
    steady = fitted.assign(effect_all_scans=fitted["g"], ci_low_all_scans=[-0.9, -0.5], ci_high_all_scans=[-0.1, 0.3])
    assert tell_dependence(fitted) == []
    assert tell_dependence(steady) == []
    shaken = steady.assign(ci_high_all_scans=[0.02, 0.3])
    assert tell_dependence(shaken)[0].startswith("The answer on hippocampus depends on which scans are in")
    turned = steady.assign(effect_all_scans=[-0.5, 0.05])
    assert "dorsolateral PFC" in tell_dependence(turned)[0]
    assert tell_dependence(steady.assign(effect_all_scans=[np.nan, np.nan])) == []
