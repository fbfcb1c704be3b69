"""The sample in the report: precision, Table 1, sites and variants, rounded only there."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from morpho.present.sample_views import view_precision, view_regions, view_sample, view_sensitivity, view_sites
from morpho.present.views import TableView

MINUS = "\N{MINUS SIGN}"


def column(view: TableView, label: str) -> list[str]:
    """Texts of the column with a label."""
    place = [head.label for head in view.columns].index(label)
    return [row[place].text for row in view.rows]


def test_precision_has_one_table_per_question(study: ModuleType) -> None:
    group, severity = view_precision(study.make_precision(), link="x.tsv")
    assert (group.caption, severity.caption) == ("primary: patient - control", "primary: severity BDI")
    assert column(group, "smallest g found") == ["0.74", "0.74"]
    assert column(group, "to expect") == [f"{MINUS}0.14", f"{MINUS}0.30"]
    assert column(group, "found with")[0].split() == ["8", "%"]
    assert column(group, "people needed") == ["758", "758"]
    assert column(group, "shown, %") == ["63 to 73", "63 to 73"]
    assert column(group, "smallest true effect") == ["1.01 to 1.17", "1.01 to 1.17"]
    assert float(group.rows[0][1].sort) == 0.74


def test_columns_without_any_value_are_left_out_and_no_correlation_passes_one(study: ModuleType) -> None:
    severity = view_precision(study.make_precision(), link="")[1]
    assert "to expect" not in [head.label for head in severity.columns]
    assert column(severity, "smallest true effect") == ["none"]
    beside = study.make_precision().assign(detectable_true_low=0.9)
    assert column(view_precision(beside, link="")[1], "smallest true effect") == ["0.90 to none"]


def test_only_the_first_family_is_shown_and_refused_questions_are_not(study: ModuleType) -> None:
    precision = study.make_precision()
    both = pd.concat([precision, precision.assign(family="hemispheres")])
    assert [len(view.rows) for view in view_precision(both, link="")] == [2, 1]
    assert view_precision(precision.assign(detectable=np.nan), link="") == []
    assert view_precision(precision.iloc[:0], link="") == []
    endless = precision.assign(people_needed=np.inf)
    assert column(view_precision(endless, link="")[0], "people needed") == ["too many", "too many"]


def test_table_one_has_standardised_differences_and_no_p(study: ModuleType) -> None:
    view = view_sample(study.make_sample(), link="")
    assert [head.label for head in view.columns] == ["variable", "control", "patient", "difference, SD"]
    assert [row[0].text for row in view.rows] == ["people", "age, years", "sex: F"]
    assert [row[-1].text for row in view.rows] == ["", "0.40", "0.22"]
    assert view_sample(study.make_sample().iloc[:0], link="").rows == ()
    fewer = view_sample(study.make_sample().assign(smd="-0.40"), link="")
    assert {row[-1].text for row in fewer.rows} == {"\u22120.40"}


def test_sites_with_a_flag_stand_out(study: ModuleType) -> None:
    view = view_sites(study.make_sites(), link="")
    assert column(view, "with care") == ["", "patients only"]
    assert [row[-1].flagged for row in view.rows] == [False, True]
    assert view.details
    unknown = study.make_sites().iloc[:1].assign(site=np.nan)
    assert column(view_sites(unknown, link=""), "site") == ["unknown"]
    assert view_sites(unknown, link="").details == ""


def test_variants_are_columns_and_sites_left_out_a_range(study: ModuleType, effects: pd.DataFrame) -> None:
    (view,) = view_sensitivity(study.make_sensitivity(effects), study.VARIANTS, link="")
    assert [head.label for head in view.columns] == [
        "region", "main", "no head size", "no outliers", "without one site",
    ]  # fmt: skip
    hippocampus, amygdala = view.rows[:2]
    g = effects["g"].iloc[0]
    assert hippocampus[4].text.replace(MINUS, "-") == f"{g - 0.1:.2f} to {g + 0.2:.2f}"
    assert float(hippocampus[1].sort) == pytest.approx(g, rel=1e-6)
    assert amygdala[2].text == "not estimated"
    assert amygdala[3].text == ""
    assert view_sensitivity(study.make_sensitivity(effects).iloc[:0], study.VARIANTS, link="") == []


def test_regions_are_listed_once_with_their_labels(study: ModuleType) -> None:
    view = view_regions(study.make_regions())
    assert [[cell.text for cell in row] for row in view.rows] == [
        ["hippocampus", "Drawing of hippocampus", "hippocampus"],
        ["dorsolateral PFC", "Drawing of dlpfc", "rostralmiddlefrontal"],
    ]
