"""Text as categories: the same designs as patsy makes of the text, in a fraction of the time."""

import numpy as np
import pandas as pd
import patsy
import pytest

from morpho.infer.levels import build_matrix, code_levels

PEOPLE = pd.DataFrame(
    {
        "participant_id": [f"sub-{number}" for number in range(6)],
        "site": ["b", "a", "b", "c", "a", "c"],
        "sex": pd.Series(["M", "F", "F", "M", "M", "F"], dtype="str"),
        "age": [30.0, 41.0, 25.0, 60.0, 33.0, 52.0],
        "is_new": [True, False, True, False, True, False],
        "course": pd.Categorical(["late", "early", "early", "late", "late", "early"], categories=["late", "early"]),
    }
)


@pytest.mark.parametrize(
    "formula",
    ["C(site) + C(sex, Sum) * age", "C(sex, Treatment('M')) + is_new", "site * sex", "course + np.square(age)"],
)
def test_designs_are_those_of_the_text(formula: str) -> None:
    of_text = patsy.dmatrix(formula, PEOPLE, return_type="dataframe")
    coded = build_matrix(formula, PEOPLE)
    pd.testing.assert_frame_equal(coded, of_text, check_exact=True)
    again = patsy.build_design_matrices([coded.design_info], code_levels(PEOPLE.iloc[::-1]))[0]
    np.testing.assert_array_equal(np.asarray(again)[::-1], of_text.to_numpy())


def test_what_is_no_text_stays_as_it_is() -> None:
    coded = code_levels(PEOPLE)
    assert coded["site"].cat.categories.tolist() == ["a", "b", "c"]
    others = ["participant_id", "age", "is_new", "course"]
    pd.testing.assert_frame_equal(coded[others], PEOPLE[others])
    gaps = code_levels(pd.DataFrame({"site": ["b", None, "a"], "nobody": [None, None, None]}))
    assert gaps["site"].cat.codes.tolist() == [1, -1, 0]
    assert np.isnan(code_levels(pd.DataFrame({"mixed": ["a", 1.5, np.nan]}, dtype=object))["mixed"][2])
