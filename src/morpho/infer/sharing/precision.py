"""What a study of this size can say: the effects it would find, how wide its intervals are, how many people it takes.

Takes rows of fitted models (people, residual degrees of freedom) and what is expected from published work; gives the
smallest detectable effects, interval widths and power, and says them in sentences. Looks at no result of the study
itself, so it tells nothing about whether an effect is there.
"""

import logging
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from morpho.errors import DesignError
from morpho.stats.effects import correct_small_sample, correlate_partially, standardise_difference
from morpho.stats.power import (
    MOST_PEOPLE,
    detect_correlation,
    detect_difference,
    people_for_correlation,
    people_for_difference,
    power_of_correlation,
    power_of_difference,
)
from morpho.tables import describe_column

logger = logging.getLogger(__name__)


_SIZE = "as effect_size"
_FAMILY = "The same with the level divided by family_size (Bonferroni)"
PRECISION = {
    "family": describe_column("Family of tests that are corrected together"),
    "roi": describe_column("Region, as in the region table"),
    "hemisphere": describe_column("Side of the volume"),
    "contrast": describe_column("Direction of the effect, or the predictor"),
    "effect_size": describe_column("g: Hedges' g of two groups; partial_r: partial correlation"),
    "n_reference": describe_column("People in the reference group", units="people"),
    "n_comparison": describe_column("People in the comparison group", units="people"),
    "n": describe_column("All people", units="people"),
    "df": describe_column("Residual degrees of freedom: people minus columns of the design", units="1"),
    "family_size": describe_column("Tests in the family, refused ones included", units="tests"),
    "power_wanted": describe_column("Probability of finding the effect, in its direction", units="1"),
    "detectable": describe_column("Smallest true effect that is found with power_wanted", units=_SIZE),
    "detectable_family": describe_column(_FAMILY, units=_SIZE),
    "half_width_at_zero": describe_column(
        "Half the width of the interval (at the configured confidence) where no effect is seen", units=_SIZE
    ),
    "expected": describe_column("Effect to expect from published work", units=_SIZE),
    "expected_source": describe_column("Where the expected effect comes from"),
    "half_width_at_expected": describe_column("Half the width where the expected effect is seen", units=_SIZE),
    "power_at_expected": describe_column("Probability of finding the expected effect", units="1"),
    "power_at_expected_family": describe_column(_FAMILY, units="1"),
    "people_needed": describe_column(
        "People for power_wanted at the expected effect: in each group for g, in all for partial_r", units="people"
    ),
    "people_needed_family": describe_column(_FAMILY, units="people"),
    "recovery_low": describe_column(
        "Lowest share of a planted change of volume that morpho showed (morpho/reference/recovery.tsv)", units="1"
    ),
    "recovery_high": describe_column("Highest such share", units="1"),
    "detectable_true_low": describe_column("detectable / recovery_high", units=_SIZE),
    "detectable_true_high": describe_column(
        "detectable / recovery_low: the true effect that shows as detectable, if the effect is shrunk and the "
        "differences between people of one group are not",
        units=_SIZE,
    ),
}
TEXTS = {"family", "roi", "hemisphere", "contrast", "effect_size", "expected_source"}
COUNTS = {"n_reference", "n_comparison", "n", "df", "family_size"}
GIVEN = ("status", "n_reference", "n_comparison", "n", "df", "family", "contrast", "expected", "expected_source")


@dataclass(frozen=True)
class _Test:
    """What is planned: power of (effect, level), smallest effect of (level), people of (effect, level), half width."""

    power: Callable[[float, float], float]
    detect: Callable[[float], float]
    people: Callable[[float, float], float]
    half_width: Callable[[float], float]


def plan_tests(effects: pd.DataFrame, associations: pd.DataFrame) -> pd.DataFrame:
    """Put the tests of both questions of a study together, as `describe_precision` takes them.

    Parameters
    ----------
    effects
        ``group_comparison.tsv``, with the published effects in ``enigma_ref_d``.
    associations
        ``severity_association.tsv``; of a correlation no effect is expected.

    Returns
    -------
    One row per test, with ``effect_size``, ``expected`` and ``expected_source``.
    """
    groups = effects.assign(effect_size="g", expected=effects["enigma_ref_d"])
    groups["expected_source"] = ("ENIGMA-MDD, " + effects["enigma_measure"].astype("str")).where(
        groups["expected"].notna()
    )
    slopes = associations.assign(effect_size="partial_r", contrast="severity " + associations["scale"].astype("str"))
    return pd.concat([part for part in (groups, slopes) if len(part)], ignore_index=True)


def describe_precision(
    rows: pd.DataFrame,
    recovery: pd.DataFrame | None = None,
    *,
    alpha: float = 0.05,
    power: float = 0.80,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Describe what each planned test can find, how wide its interval is, and how many people it would take.

    Parameters
    ----------
    rows
        One row per test: roi, hemisphere, contrast, df, and n_reference with n_comparison for two groups or n for a
        predictor; optionally family, family_size, vif, effect_size, status, and expected with expected_source
        (else the columns enigma_ref_d and enigma_measure of `morpho.infer.sharing.references` serve). Tests of other
        effect sizes are left out; refused ones keep missing values.
    recovery
        From `morpho.reference_data.load_recovery`: columns roi, recovery.
    alpha, power
        Level of a single test, and wanted probability of finding an effect.
    confidence
        Coverage of the intervals.

    Returns
    -------
    Columns of `PRECISION`, in the order of `rows`.

    Notes
    -----
    ASSUME: in people_needed the groups are equal and balanced in the covariates. A measurement that shows a share q of
    an effect, but differences between people in full, hides all true effects below detectable / q; one that shrinks
    both alike leaves g as it is. detectable_true_high is the former, cautious case.
    """
    shares = {} if recovery is None else recovery.groupby("roi")["recovery"].agg(["min", "max"]).T.to_dict()
    described = []
    for row in _plan_rows(rows).to_dict("records"):
        cells: dict[Hashable, Any] = {name: row.get(name) for name in PRECISION}
        try:
            cells |= _describe_test(row, _plan_test(row, power, confidence), alpha)
        except DesignError as error:
            logger.info("no precision for %s (%s): %s", row["roi"], row["contrast"], error)
        if row["roi"] in shares:
            low, high = shares[row["roi"]]["min"], shares[row["roi"]]["max"]
            smallest = float(cells["detectable"] or math.nan)
            cells |= {"recovery_low": low, "recovery_high": high}
            reach = math.inf if row["effect_size"] == "g" else 1.0  # no correlation is beyond 1
            true = [size if size < reach else math.nan for size in (smallest / high, smallest / low)]
            cells |= {"detectable_true_low": true[0], "detectable_true_high": true[1]}
        described.append(cells | {"power_wanted": power})
    kinds = {name: "Int64" if name in COUNTS else "float64" for name in PRECISION if name not in TEXTS}
    return pd.DataFrame(described, columns=list(PRECISION)).astype(kinds)


def say_precision(row: Mapping[Hashable, Any]) -> str:
    """Say in sentences what a study of this size can find, for the report.

    Parameters
    ----------
    row
        One row of `describe_precision`, as a dictionary.

    Returns
    -------
    Two to five sentences; empty text for a test that was refused.
    """
    if pd.isna(row["detectable"]):
        return ""
    is_g = row["effect_size"] == "g"
    unit = " standard deviations" if is_g else ""
    people = f"{row['n_reference']} and {row['n_comparison']} people" if is_g else f"{row['n']} people"
    what = "difference" if is_g else "partial correlation"
    side = "mean of left and right" if row["hemisphere"] == "mean" else row["hemisphere"]
    region, size = str(row["roi"]).replace("_", " "), row["family_size"]
    corrected = f", and one of {row['detectable_family']:.2f} when corrected for {size} tests" if size > 1 else ""
    text = (
        f"{region} ({side}; {row['contrast']}): {people} with {row['df']} degrees of freedom find a true {what} of "
        f"{row['detectable']:.2f}{unit} in {100 * row['power_wanted']:.0f} of 100 studies{corrected}. Where none is "
        f"seen, the interval reaches {row['half_width_at_zero']:.2f} to either side."
    )
    return " ".join(part for part in (text, _say_expected(row), _say_recovery(row, unit)) if part)


def _say_expected(row: Mapping[Hashable, Any]) -> str:
    """Say what the study makes of the expected effect."""
    if pd.isna(row["expected"]):
        return ""
    source = f" ({row['expected_source']})" if row["expected_source"] else ""
    where = "in each group" if row["effect_size"] == "g" else "in all"
    needed, wanted = row["people_needed"], 100 * row["power_wanted"]
    people = f"{needed:,.0f}" if math.isfinite(needed) else f"more than {MOST_PEOPLE:,}"
    text = (
        f"Expected is {row['expected']:+.2f}{source}: a study like this finds it {100 * row['power_at_expected']:.0f} "
        f"times in 100; {wanted:.0f} times take {people} people {where}."
    )
    if row["half_width_at_expected"] > abs(row["expected"]):
        text += " The interval is too wide to tell the expected effect from none: not finding it would say nothing."
    return text


def _say_recovery(row: Mapping[Hashable, Any], unit: str) -> str:
    """Say what the measurement takes away from a true effect."""
    if pd.isna(row["recovery_low"]):
        return ""
    low, high = 100 * row["recovery_low"], 100 * row["recovery_high"]
    return (
        f"morpho shows {low:.0f} to {high:.0f} % of a change that was planted in this region or in the one it is part "
        f"of, so the smallest true effect that is found may be as large as {row['detectable_true_high']:.2f}{unit}."
    )


def _plan_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in what a row of tests may leave out."""
    plan = rows.assign(**{name: math.nan for name in GIVEN if name not in rows}).reset_index(drop=True)
    if "effect_size" in plan:
        plan = plan[plan["effect_size"].isin(["g", "partial_r"])].reset_index(drop=True)
    else:
        plan["effect_size"] = "g" if "n_reference" in rows else "partial_r"
    is_g = plan["effect_size"] == "g"
    plan["n"] = plan["n"].where(~is_g, plan["n_reference"] + plan["n_comparison"])
    if "family_size" not in plan:
        plan["family_size"] = plan.groupby(["family", "contrast"], dropna=False)["roi"].transform("size")
    if "expected" not in rows and "enigma_ref_d" in plan:
        plan["expected"] = plan["enigma_ref_d"].where(is_g)
        plan["expected_source"] = ("ENIGMA-MDD, " + plan["enigma_measure"]).where(plan["expected"].notna(), "")
    return plan.astype({"family": object, "expected_source": object}).fillna({"family": "", "expected_source": ""})


def _plan_test(row: Mapping[Hashable, Any], power: float, confidence: float) -> _Test:
    """Bind the formulas to the people of one row."""
    needed = ("n_reference", "n_comparison", "df") if row["effect_size"] == "g" else ("n", "df")
    if row["status"] == "refused" or any(pd.isna(row[name]) for name in needed):
        msg = f"the test was refused or lacks one of {', '.join(needed)}; there is nothing to plan"
        raise DesignError(msg)
    df = int(row["df"])
    if row["effect_size"] == "partial_r":
        k = int(row["n"]) - 2 - df
        return _Test(
            power=lambda r, level: power_of_correlation(r, df=df, alpha=level),
            detect=lambda level: detect_correlation(df=df, alpha=level, power=power),
            people=lambda r, level: people_for_correlation(r, alpha=level, power=power, n_covariates=k),
            half_width=lambda r: _half_width_of_r(r, df, confidence),
        )
    groups = int(row["n_reference"]), int(row["n_comparison"])
    vif = row.get("vif", math.nan)
    vif = 1.0 if pd.isna(vif) else float(vif)
    variance, k = vif * (1 / groups[0] + 1 / groups[1]), sum(groups) - 2 - df
    return _Test(
        power=lambda g, level: power_of_difference(g, *groups, df=df, alpha=level, vif=vif),
        detect=lambda level: detect_difference(*groups, df=df, alpha=level, power=power, vif=vif),
        people=lambda g, level: people_for_difference(g, alpha=level, power=power, n_covariates=k),
        half_width=lambda g: _half_width_of_g(g, df, variance, confidence),
    )


def _describe_test(row: Mapping[Hashable, Any], test: _Test, alpha: float) -> dict[Hashable, Any]:
    """Cells of one test that was planned."""
    corrected = alpha / max(int(row["family_size"]), 1)
    cells: dict[Hashable, Any] = {
        "detectable": test.detect(alpha),
        "detectable_family": test.detect(corrected),
        "half_width_at_zero": test.half_width(0.0),
    }
    expected = row["expected"]
    if not pd.isna(expected):
        cells |= {
            "half_width_at_expected": test.half_width(expected),
            "power_at_expected": test.power(expected, alpha),
            "power_at_expected_family": test.power(expected, corrected),
            "people_needed": test.people(expected, alpha),
            "people_needed_family": test.people(expected, corrected),
        }
    return cells


def _half_width_of_g(g: float, df: int, variance: float, confidence: float) -> float:
    """Half the width of the exact interval around an observed g."""
    t = g / (correct_small_sample(df) * math.sqrt(variance))
    interval = standardise_difference(t, df, variance, confidence)
    return (interval.g_ci_high - interval.g_ci_low) / 2


def _half_width_of_r(r: float, df: int, confidence: float) -> float:
    """Half the width of the Fisher-z interval around an observed partial correlation."""
    interval = correlate_partially(r * math.sqrt(df / (1 - r**2)), df, confidence)
    return (interval.ci_high - interval.ci_low) / 2
