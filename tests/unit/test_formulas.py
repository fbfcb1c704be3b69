"""A formula is a description of a model and nothing more, and every column can enter one under its own name."""

import contextlib
import keyword

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from morpho.errors import ConfigError
from morpho.formulas import WORDS, check_formula, find_names, quote_name, split_terms

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda name: name not in WORDS
)


@pytest.mark.parametrize(
    "formula",
    [
        "volume ~ group * sex + covariates",
        "volume ~ group * cr(age_years, df=3, constraints='center') + covariates",
        "volume ~ C(group, Treatment('control')) + C(sex, Sum)",
        "volume ~ C(arm, levels=['waiting', 'training']) + np.log(crp)",
        'volume ~ Q("a + b (c)") * group + I(age_years ** 2) + I(0.5 * bmi / 10)',
        "volume ~ 0 + group + (sex + age_years) ** 2",
    ],
)
def test_formulas_of_models_are_taken(formula: str) -> None:
    check_formula(formula)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("volume ~ I(__import__('os').system('x'))", "may not be called"),
        ("volume ~ open('x')", "'open' may not be called"),
        ("volume ~ np.load('x', allow_pickle=True)", "'np.load' may not be called"),
        ("volume ~ np.log.__class__(x)", "may not be called"),
        ("volume ~ ().__class__.__bases__", "cannot be read|is no column"),
        ("volume ~ group.__class__", "'group.__class__' is no column"),
        ("volume ~ [c for c in group]", "ListComp has no place"),
        ("volume ~ I(lambda: 1)", "Lambda has no place"),
        ("volume ~ f'{group}'", "JoinedStr has no place"),
        ("volume ~ C(**group)", "has no place in a call"),
        ("volume ~ C(*group)", "Starred has no place"),
        ("volume ~ group[0]", "Subscript has no place"),
        ("volume ~ np", "'np' is a function and no column"),
        ("volume ~ C", "'C' is a function and no column"),
        ("volume ~ Q('C')", "no column may be called so"),
        ("volume ~ Q(group)", "takes the name of a column in quotes"),
        ("volume ~ C(x, levels=[0] * 999999999)", "no number"),
        ("volume ~ I('x' * 999999999)", "no number"),
        ("volume ~ I(9 ** 9 ** 9)", "a power is of a column"),
        ("volume ~ I(age_years ** 999)", "a number up to"),
        ("volume ~ bs(age_years, df=99999999)", "degrees of freedom at most"),
        ("volume ~ " + " * ".join(f"x{number}" for number in range(40)), "more than 100 terms"),
        ("volume ~ (a + b + c) ** 99999", "more than 100 terms"),
        ("volume ~ " + " + ".join(f"x{number}" for number in range(200)), "500 are the most"),
        ("volume ~ group ~ sex", "cannot be read"),
        ("volume ~ ((", "cannot be read"),
        ("volume ~ `ls`", "cannot be read"),
        ("volume ~ class", "cannot be read"),
    ],
)
def test_anything_else_is_refused_in_words(formula: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        check_formula(formula)


@settings(deadline=None, max_examples=200)
@given(st.text("abnp.,:;~+-*/()[]{}'\"\\01= \tCQI_#@$%", max_size=40))
@example("volume ~ \x00")
def test_any_text_is_taken_or_refused(right: str) -> None:
    with contextlib.suppress(ConfigError):  # anything else that is raised fails the test
        check_formula(f"volume ~ {right}")


@settings(deadline=None, max_examples=200)
@given(NAMES)
@example('x") + I(open("/dev/null")) + Q("y')
@example("a + b (c) ~ d")
@example("it's")
@example("\\")
@example("ﬁeld")
@example("lambda")
@example("NaN")
@example("Infinity")
def test_every_name_of_a_column_enters_a_formula_as_itself(name: str) -> None:
    formula = f"volume ~ {quote_name(name)} + sex"
    check_formula(formula)
    assert split_terms(formula.partition("~")[2]) == [quote_name(name), "sex"]
    factors = [factor.name() for term in patsy.ModelDesc.from_formula(formula).rhs_termlist for factor in term.factors]
    assert [find_names(code) for code in factors] == [[name], ["sex"]]
    matrix = patsy.dmatrix(quote_name(name), pd.DataFrame({name: [1.0, 4.0]}))
    np.testing.assert_array_equal(np.asarray(matrix)[:, 1], [1.0, 4.0])


def test_plain_words_are_not_quoted() -> None:
    assert quote_name("age_years") == "age_years"
    assert all(quote_name(word).startswith("Q(") for word in keyword.kwlist)
