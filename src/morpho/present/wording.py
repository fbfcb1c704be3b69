"""Numbers, regions and models in words, the same in figures, captions, tables and methods text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from morpho.errors import ConfigError
from morpho.formulas import split_terms

MINUS = "\N{MINUS SIGN}"
TIE = "\N{NO-BREAK SPACE}"
THOUSANDS = "\N{NARROW NO-BREAK SPACE}"
MISSING = "n/a"
ROI_NAMES = {
    "dlpfc": "dorsolateral PFC",
    "vmpfc": "ventromedial PFC",
    "lateral_orbitofrontal": "lateral orbitofrontal",
    "brain_volume": "brain volume",
    "tiv": "total intracranial volume",
    "affine_tiv": "affine head size",
}
SIDES = {"L": "left ", "R": "right "}
EFFECT_NAMES = {
    "partial_r": "partial r",
    "partial_eta_squared": "partial eta squared",
    "log_odds_ratio": "log odds ratio per SD",
    "log_variance_ratio": "log variance ratio",
    "log_rate_ratio": "log rate ratio",
    "auc": "AUC",
}
NOT_THE_SAME = "not the same quantity"  # in what was published: thickness beside a volume
TERM_NAMES = {"age_years": "age", "C(sex, Sum)": "sex", "C(site)": "site"}


def format_number(value: Any, digits: int) -> str:
    r"""Write a number with `digits` decimals, a true minus and narrow spaces in thousands; "n/a" if it is missing.

    Examples
    --------
    >>> format_number(float("nan"), 2), format_number(12345.6, 0), format_number(-0.001, 1)
    ('n/a', '12\u202f346', '0.0')
    """
    if pd.isna(value):
        return MISSING
    text = f"{float(value):,.{digits}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS).replace(",", THOUSANDS)


def format_interval(value: Any, low: Any, high: Any, digits: int) -> str:
    """Write an estimate with its interval, ``0.42 [0.03, 0.81]``, that no line break parts."""
    if pd.isna(value):
        return MISSING
    limits = f"[{format_number(low, digits)},{TIE}{format_number(high, digits)}]"
    return f"{format_number(value, digits)}{TIE}{limits}"


def format_p(p: Any) -> str:
    """Write a p value with three decimals, or as "< 0.001"; "n/a" if it is missing."""
    if pd.isna(p):
        return MISSING
    return f"<{TIE}0.001" if p < 0.001 else f"{p:.3f}"


def format_factor(value: Any) -> str:
    r"""Write a Bayes factor with about two significant digits.

    Examples
    --------
    >>> [format_factor(value) for value in (0.53648, 0.012, 12.34, 3917.0, 1e-9)]
    ['0.54', '0.012', '12', '>\xa01000', '<\xa00.001']
    """
    if pd.isna(value):
        return MISSING
    if value > 1000:
        return f">{TIE}1000"
    if value < 0.001:
        return f"<{TIE}0.001"
    return format_number(value, 0 if value >= 10 else 1 if value >= 1 else 2 if value >= 0.1 else 3)


def format_range(values: Iterable[Any], digits: int) -> str:
    """Write one number, or the range of several that differ once they are rounded; missing ones are passed over.

    Examples
    --------
    >>> format_range([0.511, 0.514], 2), format_range([0.5, 0.8, float("nan")], 1), format_range([], 1)
    ('0.51', '0.5 to 0.8', 'n/a')
    """
    present = sorted(float(value) for value in values if not pd.isna(value))
    if not present:
        return MISSING
    return " to ".join(dict.fromkeys(format_number(value, digits) for value in (present[0], present[-1])))


def format_counts(counts: Iterable[Any]) -> str:
    """Write one count, or the range of several; missing ones are passed over.

    Examples
    --------
    >>> format_counts([34, 34]), format_counts([33, 34, None]), format_counts([])
    ('34', '33 to 34', '0')
    """
    present = [int(count) for count in counts if not pd.isna(count)]
    if not present:
        return "0"
    return f"{min(present)}" if min(present) == max(present) else f"{min(present)} to {max(present)}"


def count_things(count: int, singular: str, plural: str = "") -> str:
    """Write a count with its noun in the right number: ``1 scan``, ``3 scans``."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def join_words(words: Sequence[str]) -> str:
    """Join words as in a sentence: ``age, sex and site``."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def roi_name(roi: str) -> str:
    """Name of a region as people write it."""
    return ROI_NAMES.get(roi, roi.replace("_", " "))


def region_name(roi: str, hemisphere: str) -> str:
    """Name of a region with its side, if it has one: ``left hippocampus``."""
    return SIDES.get(hemisphere, "") + roi_name(roi)


def effect_name(effect_size: Any) -> str:
    """Name of an effect size as people write it."""
    return EFFECT_NAMES.get(str(effect_size), str(effect_size))


def is_missing(value: Any) -> bool:
    """Tell whether a table cell has no value."""
    return bool(pd.isna(value))


def text_or(value: Any, otherwise: str = "") -> str:
    """Text of a table cell, or `otherwise` if the cell is missing or empty."""
    return otherwise if pd.isna(value) or str(value) == "" else str(value)


def split_contrast(effects: pd.DataFrame) -> tuple[str, str]:
    """Read the names of the comparison and the reference group off column ``contrast`` ("patient - control").

    Raises
    ------
    ConfigError
        If the table has no rows.
    """
    if effects.empty:
        message = (
            "The group comparison has no rows, so there is nothing to show. Name regions in config models.families."
        )
        raise ConfigError(message)
    comparison, _, reference = str(effects["contrast"].iloc[0]).partition(" - ")
    return comparison, reference


def name_adjustments(formula: Any) -> list[str]:
    """Name the covariates of a model in words; the term of interest, which comes first, is left out.

    Examples
    --------
    >>> name_adjustments("volume_mm3 ~ C(group, Treatment('control')) + age_years + C(sex, Sum) + tiv_whole_dm3")
    ['age', 'sex', 'total intracranial volume']
    """
    terms = split_terms(text_or(formula).partition("~")[2])[1:]
    return [_name_term(term) for term in terms]


def _name_term(term: str) -> str:
    """Name one term of a formula."""
    return TERM_NAMES.get(term) or roi_name(re.sub(r"_whole_dm3$|_dm3$", "", term))


def describe_adjustment(formulas: Iterable[Any]) -> str:
    """Say in words what several models adjust for: one phrase if they agree, else all phrases."""
    phrases = dict.fromkeys(join_words(name_adjustments(f)) or "no covariate" for f in formulas if text_or(f))
    return "; or ".join(phrases) or "no covariate"


def percent_of(confidence: float) -> str:
    """Write a confidence as a percentage, ``95 %``, that no line break parts."""
    return f"{100 * confidence:g}{TIE}%"
