"""Table 1: counts, means and standardised differences by hand, and nothing that tells of few people."""

import math

import numpy as np
import pandas as pd
import pytest

from morpho.infer.sharing.sample import (
    SAMPLE,
    describe_sample,
    render_sample,
    standardise_numbers,
    standardise_shares,
)
from morpho.infer.sharing.sharing import check_export


def make_people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": ["control"] * 4 + ["patient"] * 4 + [np.nan],
            "site": ["north", "north", "south", "south"] * 2 + ["north"],
            "age_years": [20.0, 30.0, 40.0, 50.0, 30.0, 40.0, 50.0, np.nan, 99.0],
            "sex": ["F", "F", "M", "M", "F", "F", "F", "M", "M"],
            "medication": [np.nan] * 4 + ["current", "current", "free", np.nan, "free"],
        }
    )


def make_large(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 160
    return pd.DataFrame(
        {
            "group": rng.choice(["control", "patient"], n),
            "site": rng.choice(["a", "b", "c", "d"], n, p=[0.5, 0.3, 0.15, 0.05]),
            "sex": rng.choice(["F", "M"], n, p=[0.7, 0.3]),
            "age_years": np.where(rng.random(n) < 0.05, np.nan, rng.normal(40, 10, n)),
        }
    )


def cell(table: pd.DataFrame, variable: str, group: str, level: str = "", site: str = "all") -> pd.Series:
    chosen = table[
        (table["variable"] == variable)
        & (table["group"] == group)
        & (table["level"] == level)
        & (table["site"] == site)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_every_column_is_described_and_in_order() -> None:
    assert describe_sample(make_people(), ["sex"]).columns.tolist() == list(SAMPLE)


def test_groups_are_counted_and_others_left_out() -> None:
    table = describe_sample(make_people(), [])
    assert [cell(table, "people", group)["n"] for group in ("control", "patient")] == [4, 4]
    assert cell(table, "people", "patient", site="north")["n"] == 2


def test_numbers_have_mean_deviation_range_and_missing() -> None:
    row = cell(describe_sample(make_people(), ["age_years"]), "age_years", "patient")
    assert row[["n", "n_missing", "mean", "sd", "minimum", "maximum"]].tolist() == [3, 1, 40, 10, 30, 50]


def test_difference_of_means_is_over_the_root_mean_of_both_variances() -> None:
    table = describe_sample(make_people(), ["age_years"])
    by_hand = (40 - 35) / math.sqrt((500 / 3 + 100) / 2)  # variances of 20, 30, 40, 50 and of 30, 40, 50
    assert cell(table, "age_years", "patient")["smd"] == pytest.approx(by_hand)
    assert math.isnan(cell(table, "age_years", "control")["smd"])


def test_shares_are_of_those_with_a_value_and_missing_of_the_group() -> None:
    table = describe_sample(make_people(), ["medication"])
    assert cell(table, "medication", "patient", "current")["percent"] == pytest.approx(200 / 3)
    assert cell(table, "medication", "patient", "missing")["percent"] == 25
    assert math.isnan(cell(table, "medication", "control", "free")["percent"])
    assert cell(table, "medication", "control", "missing")["n"] == 4


def test_counts_of_levels_and_missing_add_up_to_the_group_everywhere() -> None:
    table = describe_sample(make_people(), ["sex", "medication"])
    categories = table[table["variable"].isin(["sex", "medication"])]
    sums = categories.groupby(["site", "group", "variable"])
    assert (sums["n"].sum() == sums["n_group"].first()).all()


def test_difference_in_a_category_of_two_is_that_of_its_shares() -> None:
    row = cell(describe_sample(make_people(), ["sex"]), "sex", "patient", "F")
    assert row["smd"] == pytest.approx(0.25 / math.sqrt((0.25 + 0.1875) / 2))  # shares .5 and .75


def test_distance_of_three_levels_ignores_their_order_and_names() -> None:
    a, b = pd.Series(list("xxxyyz")), pd.Series(list("xyyyzz"))
    other = {"x": "z", "y": "x", "z": "y"}
    assert standardise_shares(a, b) == pytest.approx(standardise_shares(a.map(other), b.map(other)))
    assert standardise_shares(a, b) == pytest.approx(standardise_shares(b, a))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["a", "b"], ["a", "b"], 0.0),
        (["a", "a"], ["a"], 0.0),
        (["a", "a"], ["b", "b"], math.inf),
        (["a"], [None], math.nan),
    ],
)
def test_limiting_cases_of_shares(first: list[str], second: list[str | None], expected: float) -> None:
    distance = standardise_shares(pd.Series(first), pd.Series(second, dtype=object))
    assert distance == pytest.approx(expected, nan_ok=True)


def test_numbers_without_spread_have_no_standardised_difference() -> None:
    assert math.isnan(standardise_numbers(pd.Series([1.0, 1.0]), pd.Series([2.0, 2.0])))
    assert math.isnan(standardise_numbers(pd.Series([1.0]), pd.Series([2.0, 3.0])))


def test_scale_and_sign_of_the_standardised_difference(rng: np.random.Generator) -> None:
    a, b = pd.Series(rng.normal(size=30)), pd.Series(rng.normal(0.5, 2, size=20))
    assert standardise_numbers(100 + 7 * a, 100 + 7 * b) == pytest.approx(standardise_numbers(a, b))
    assert standardise_numbers(b, a) == pytest.approx(-standardise_numbers(a, b))


def test_one_site_is_not_described_twice() -> None:
    people = make_people().assign(site="north")
    assert set(describe_sample(people, ["sex"])["site"]) == {"all"}
    assert set(describe_sample(make_people(), ["sex"], by_site=False)["site"]) == {"all"}
    assert set(describe_sample(make_people().drop(columns="site"), ["sex"])["site"]) == {"all"}


def test_variables_that_are_absent_are_left_out() -> None:
    assert set(describe_sample(make_people(), ["sex", "bmi"])["variable"]) == {"people", "sex"}


def test_order_of_people_does_not_matter() -> None:
    variables = ["age_years", "sex", "medication"]
    pd.testing.assert_frame_equal(
        describe_sample(make_people()[::-1], variables), describe_sample(make_people(), variables)
    )


@pytest.mark.parametrize("people", [make_people().assign(group="HC"), make_people().drop(columns="group")])
def test_nobody_in_the_groups_is_an_empty_table(people: pd.DataFrame) -> None:
    sample = describe_sample(people, ["sex"])
    assert sample.empty
    assert list(sample) == list(SAMPLE)


def test_wide_form_reads_like_a_printed_table() -> None:
    wide = render_sample(describe_sample(make_people(), ["age_years", "sex"]), labels={"age_years": "Age, years"})
    assert wide.columns.tolist() == ["variable", "level", "control", "patient", "smd"]
    assert wide.loc[0].tolist() == ["people", "", "4", "4", ""]
    assert wide.loc[1].tolist() == [
        "Age, years",
        "",
        "35.0 (12.9; 20.0 to 50.0)",
        "40.0 (10.0; 30.0 to 50.0), n 3",
        "0.43",
    ]
    assert wide.loc[2].tolist() == ["sex", "F", "2 (50 %)", "3 (75 %)", "0.53"]


def test_wide_form_of_a_site_and_of_values_that_are_absent() -> None:
    table = describe_sample(make_people(), ["age_years", "medication"])
    south = render_sample(table, site="south").set_index(["variable", "level"])
    assert south.loc[("age_years", ""), "patient"] == "50.0 (one value; 50.0 to 50.0), n 1"
    assert south.loc[("medication", "free"), "control"] == "0"
    empty = make_people().assign(age_years=[np.nan] * 4 + [1.0] * 5)
    assert "no value" in render_sample(describe_sample(empty, ["age_years"]))["control"].tolist()


def test_small_cells_and_ranges_are_gone_from_what_is_shared() -> None:
    table = describe_sample(make_large(), ["sex", "age_years"], smallest_cell=10)
    shown = table["n"].dropna()
    assert ((shown == 0) | (shown >= 10)).all()
    assert ((table["n_missing"].dropna() == 0) | (table["n_missing"].dropna() >= 10)).all()
    assert table[["minimum", "maximum"]].isna().all(axis=None)
    assert table.loc[table["suppressed"], ["n", "percent", "mean", "sd", "smd"]].isna().all(axis=None)
    assert not table["suppressed"].all()
    assert "few" in render_sample(table, site="d").to_numpy()
    check_export({"sample": table}, columns=SAMPLE, counts=("n", "n_group", "n_missing"))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_hidden_cannot_be_worked_out_by_subtraction(seed: int) -> None:
    full = describe_sample(make_large(seed), ["sex"])
    shared = describe_sample(make_large(seed), ["sex"], smallest_cell=10)
    hidden = full.assign(hidden=shared["suppressed"], total=full["site"] == "all")
    for keys in (["site", "group", "variable"], ["total", "group", "variable", "level"]):
        for _, cells in hidden.groupby(keys):
            n = cells.loc[cells["hidden"], "n"]
            known_total = len(cells) > 1
            if known_total and n.sum() > 0 and (~cells["hidden"] & (cells["n"] > 0)).any():
                assert len(n) > 1
                assert n.sum() >= 10


def test_a_standardised_difference_does_not_tell_the_hidden_group() -> None:
    people = pd.DataFrame(
        {"group": ["control"] * 30 + ["patient"] * 30, "sex": ["F"] * 27 + ["M"] * 3 + ["F", "M"] * 15}
    )
    table = describe_sample(people, ["sex"], smallest_cell=10)
    assert cell(table, "sex", "patient", "F")["n"] == 15
    assert math.isnan(cell(table, "sex", "patient", "F")["smd"])


def test_a_small_site_is_emptied_altogether_with_another_one() -> None:
    table = describe_sample(make_large(), ["sex", "age_years"], smallest_cell=10)
    assert table.loc[table["site"] == "d", ["n", "n_group", "mean"]].isna().all(axis=None)
    emptied = table[table["variable"] == "people"].groupby("group")["suppressed"].sum()
    assert (emptied >= 2).all()
