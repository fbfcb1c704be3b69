"""Effects found by moving people equal differences of cell means and coefficients, however factors are coded."""

import numpy as np
import pandas as pd
import patsy
import pytest

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, check_levels, find_contrast, find_joint_columns, find_reference

PATIENT_CONTROL = {"control": -1.0, "patient": 1.0}
WOMEN_MEN = {"F": 1.0, "M": -1.0}
CODINGS = ["group * sex", "C(group, Sum) * C(sex, Sum)", "group:sex - 1", "C(group, Treatment('patient')) * sex"]


@pytest.fixture
def people() -> pd.DataFrame:
    """Cells of unequal size: 3, 5, 4 and 7 people."""
    cells = [("control", "F", 3), ("control", "M", 5), ("patient", "F", 4), ("patient", "M", 7)]
    rows = [(group, sex) for group, sex, n in cells for _ in range(n)]
    rng = np.random.default_rng(3)
    known = pd.DataFrame(rows, columns=["group", "sex"])
    return known.assign(
        age_years=rng.uniform(20, 60, len(rows)),
        volume=rng.normal(100, 10, len(rows)),
        **{"HADS-anx": rng.uniform(size=19)},
    )


def estimate(effect: Effect, people: pd.DataFrame, formula: str) -> float:
    X = patsy.dmatrix(formula, people, return_type="dataframe")
    coefficients = np.linalg.lstsq(X.to_numpy(), people["volume"].to_numpy(), rcond=None)[0]
    return float(find_contrast(effect, people, X.design_info) @ coefficients)


@pytest.mark.parametrize("formula", CODINGS)
def test_effects_do_not_depend_on_coding(people: pd.DataFrame, formula: str) -> None:
    """The saturated model gives cell means; the expected numbers are theirs."""
    mean = people.groupby(["group", "sex"])["volume"].mean()
    in_women, in_men = (mean["patient", sex] - mean["control", sex] for sex in "FM")
    share = (people["sex"] == "F").mean()
    difference = Effect(of="group", weights=PATIENT_CONTROL)
    assert estimate(difference, people, formula) == pytest.approx(share * in_women + (1 - share) * in_men)
    interaction = Effect(of="group", weights=PATIENT_CONTROL, between="sex", between_weights=WOMEN_MEN)
    assert estimate(interaction, people, formula) == pytest.approx(in_women - in_men)
    in_one = Effect(of="group", weights=PATIENT_CONTROL, where={"sex": "F"})
    assert estimate(in_one, people, formula) == pytest.approx(in_women)


def test_a_trend_weights_levels(people: pd.DataFrame) -> None:
    people["course"] = np.where(people["group"] == "control", "none", np.where(people["sex"] == "F", "first", "again"))
    mean = people.groupby("course")["volume"].mean()
    trend = Effect(of="course", weights={"none": -1.0, "first": 0.0, "again": 1.0})
    assert estimate(trend, people, "course") == pytest.approx(mean["again"] - mean["none"])


def test_slopes_are_per_unit_and_their_differences_are_of_slopes(people: pd.DataFrame) -> None:
    slope = {
        group: np.polynomial.polynomial.polyfit(rows["age_years"], rows["volume"], 1)[1]
        for group, rows in people.groupby("group")
    }
    by_group = Effect(of="age_years", between="group", between_weights=PATIENT_CONTROL)
    assert estimate(by_group, people, "age_years * group") == pytest.approx(slope["patient"] - slope["control"])
    decade = Effect(of="group", weights=PATIENT_CONTROL, between="age_years", between_unit=10.0)
    assert estimate(decade, people, "age_years * group") == pytest.approx(10 * (slope["patient"] - slope["control"]))
    ten = Effect(of="age_years", unit=10.0)
    assert estimate(ten, people, "age_years + group") == pytest.approx(
        10 * estimate(Effect("age_years"), people, "age_years + group")
    )


def test_names_with_hyphens_are_moved_as_others(people: pd.DataFrame) -> None:
    renamed = people.rename(columns={"HADS-anx": "anxiety"})
    quoted = estimate(Effect(of="HADS-anx"), people, 'Q("HADS-anx") + group')
    assert quoted == pytest.approx(estimate(Effect(of="anxiety"), renamed, "anxiety + group"))


def test_a_category_keeps_its_levels_when_people_are_moved(people: pd.DataFrame) -> None:
    people["group"] = pd.Categorical(people["group"], categories=["patient", "control"])
    mean = people.groupby("group", observed=True)["volume"].mean()
    found = estimate(Effect(of="group", weights=PATIENT_CONTROL), people, "group")
    assert found == pytest.approx(mean["patient"] - mean["control"])


def test_the_people_are_not_changed(people: pd.DataFrame) -> None:
    before = people.copy()
    estimate(Effect(of="group", weights=PATIENT_CONTROL, where={"sex": "F"}), people, "group * sex")
    pd.testing.assert_frame_equal(people, before)


def test_a_difference_starts_from_its_negative_levels(people: pd.DataFrame) -> None:
    X = patsy.dmatrix("group", people, return_type="dataframe")
    reference = find_reference(Effect(of="group", weights=PATIENT_CONTROL), people, X.design_info)
    assert reference.tolist() == [1.0, 0.0]  # intercept: the controls
    both = find_reference(Effect(of="group", weights={"control": -1.0, "patient": -1.0}), people, X.design_info)
    assert both.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("formula", "joint", "columns"),
    [
        ("group * sex", ("group", "sex"), ["group[T.patient]:sex[T.M]"]),
        ("group * sex", ("sex",), ["sex[T.M]", "group[T.patient]:sex[T.M]"]),
        ("C(group, Sum) * sex", ("group", "sex"), ["C(group, Sum)[S.control]:sex[T.M]"]),
        (
            "group * cr(age_years, df=3, constraints='center')",
            ("group", "age_years"),
            [f"group[T.patient]:cr(age_years, df=3, constraints='center')[{place}]" for place in range(3)],
        ),
        ('group * Q("HADS-anx")', ("HADS-anx", "group"), ['group[T.patient]:Q("HADS-anx")']),
    ],
)
def test_joint_columns_are_those_in_which_all_variables_enter(
    people: pd.DataFrame, formula: str, joint: tuple[str, ...], columns: list[str]
) -> None:
    design = patsy.dmatrix(formula, people, return_type="dataframe").design_info
    rows = find_joint_columns(Effect(joint=joint), design)
    found = [design.column_names[int(place)] for place in rows.argmax(axis=1)]
    assert [name for name in found if name in columns] == found
    assert rows.sum(axis=1).tolist() == [1.0] * len(rows)
    assert len(rows) == sum(all(part in name for part in joint) for name in design.column_names)


def test_a_joint_effect_that_the_formula_lacks_is_refused(people: pd.DataFrame) -> None:
    design = patsy.dmatrix("group + sex", people).design_info
    with pytest.raises(DesignError, match="no term with group and sex: 1 \\+ group \\+ sex"):
        find_joint_columns(Effect(joint=("group", "sex")), design)


def test_a_level_that_nobody_has_is_refused(people: pd.DataFrame) -> None:
    effect = Effect(of="group", weights={"control": -1.0, "remitted": 1.0})
    with pytest.raises(DesignError, match="Nobody has group 'remitted'; seen are control, patient"):
        estimate(effect, people, "group")


@pytest.mark.parametrize(
    ("effect", "fewest", "counts"),
    [
        (Effect(of="group", weights=PATIENT_CONTROL), 9, "8 control, 11 patient"),
        (
            Effect(of="group", weights=PATIENT_CONTROL, between="sex", between_weights=WOMEN_MEN),
            4,
            "3 control F, 5 control M, 4 patient F, 7 patient M",
        ),
        (Effect(of="group", weights=PATIENT_CONTROL, where={"sex": "F"}), 4, "3 control F, 4 patient F"),
        (Effect(of="age_years"), 20, "19 people"),
        (Effect(of="age_years", between="group", between_weights=PATIENT_CONTROL), 9, "8 control, 11 patient"),
    ],
)
def test_small_cells_are_counted(people: pd.DataFrame, effect: Effect, fewest: int, counts: str) -> None:
    with pytest.raises(DesignError, match=f"too few people: {counts} with all values.*asks for {fewest}"):
        check_levels(effect, people, fewest)
    check_levels(effect, people, 3)


def test_an_empty_cell_is_called_one_group_only(people: pd.DataFrame) -> None:
    patients = people[people["group"] == "patient"]
    with pytest.raises(DesignError, match="only one group is present: 0 control, 11 patient"):
        check_levels(Effect(of="group", weights=PATIENT_CONTROL), patients, 3)


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (Effect(of="group", weights=PATIENT_CONTROL), "patient - control"),
        (Effect(of="pss"), "slope on pss"),
        (Effect(of="pss", unit=5.0), "slope on pss per 5"),
        (Effect(of="course", weights={"a": -0.5, "b": -0.5, "c": 1.0}), "-0.5 a -0.5 b +1 c"),
        (
            Effect(of="group", weights=PATIENT_CONTROL, between="age_years", between_unit=10),
            "(patient - control) x (slope on age_years per 10)",
        ),
        (Effect(of="group", weights=PATIENT_CONTROL, where={"sex": "F"}), "patient - control in F"),
        (Effect(joint=("group", "sex")), "joint test of group x sex"),
    ],
)
def test_effects_are_said_in_words(effect: Effect, text: str) -> None:
    assert str(effect) == text
