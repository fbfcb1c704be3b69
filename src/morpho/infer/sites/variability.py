"""Whether patients differ more from each other than controls do, in spread and in extreme deviations.

Takes a study, and the scores of its people (`morpho.infer.sites.individuals`). A mean difference says nothing about
a single patient; these two say how unlike patients are.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from morpho.errors import DesignError
from morpho.infer.design import Sample, select_sample
from morpho.infer.plans import build_design
from morpho.infer.sites.dictionaries import EXTREME_COUNTS, VARIABILITY, tabulate
from morpho.infer.sites.individuals import IndividualResult
from morpho.infer.sites.sites import model_group
from morpho.infer.study import ROLES, Settings, Study, list_places, name_column
from morpho.stats.linear import fit_linear
from morpho.stats.spread import compare_variability

logger = logging.getLogger(__name__)

CONTRAST = "patient / control"
FULL_LEVERAGE = 1 - 1e-9  # a person with a column of their own has no residual
FEWEST_EXTREME = 5  # extreme deviations in each group; below, the normal interval of a log rate ratio is far off

Array = npt.NDArray[np.float64]
Row = dict[str, object]


@dataclass(frozen=True)
class VariabilityResult:
    """`rows` of the common table, and a table with the columns of `VARIABILITY` or `EXTREME_COUNTS`."""

    rows: list[Row]
    table: pd.DataFrame


@dataclass(frozen=True)
class _Part:
    """Residuals of one group, and its share of the residual degrees of freedom (rounded down)."""

    residuals: Array
    df: int


def compare_variability_of_regions(
    study: Study, *, rois: Sequence[str], hemispheres: Sequence[str], family: str
) -> VariabilityResult:
    """Compare the spread of volumes around the primary model between patients and controls.

    Parameters
    ----------
    study
        People and settings.
    rois, hemispheres, family
        Regions and sides, and the family of their tests.

    Returns
    -------
    One row per region and side with ``log_variance_ratio``, above 0 where patients vary more; refused where a group
    has fewer people than settings.min_group_size.

    Notes
    -----
    lnVR (see `compare_variability`) of the residuals of ``volume ~ group + age + sex + head size + site``. Each
    residual is divided by sqrt(1 - leverage), because the model fits the smaller group more closely and would make it
    look less variable; n - 1 is each group's share of the residual degrees of freedom. Brown and Forsythe's test of
    the same residuals stands beside it (Journal of the American Statistical Association 1974;69:364-367). ASSUME:
    scanners add the same spread, or groups are mixed alike at them.
    """
    rows, table = [], []
    for place in list_places({family: {"rois": rois, "hemispheres": hemispheres}}):
        row: Row = {"status": "refused", "contrast": CONTRAST, "effect_size": "log_variance_ratio"}
        detail: Row = {"status": "refused"}
        try:
            row, detail = _compare_place(name_column(place), study, row)
        except DesignError as refusal:
            logger.warning("%s: spread not compared: %s", name_column(place), refusal)
            row["reason"] = detail["reason"] = str(refusal)
        rows.append(place | row)
        table.append(place | detail)
    return VariabilityResult(rows, tabulate(table, VARIABILITY))


def compare_extremes(study: Study, individuals: IndividualResult, *, family: str = "") -> VariabilityResult:
    """Compare the number of extreme deviations per person between patients and controls.

    Parameters
    ----------
    study
        Settings.
    individuals
        Scores of the same people, controls being scored by a norm without themselves.
    family
        Name of the family of tests.

    Returns
    -------
    One row with ``log_rate_ratio``, above 0 where patients have more extreme deviations per volume scored.

    Notes
    -----
    Poisson regression of the count on group, the number of volumes scored being the exposure. As extreme deviations
    come together in one person, counts spread more than Poisson's; hence the sandwich variance (HC1), with the t
    distribution on people - 2 degrees of freedom. Refused with fewer than 5 extreme deviations in either group.
    Source: White H, Econometrica 1982;50:1-25, doi:10.2307/1912526.
    """
    people = individuals.extremes
    people = people[people["group"].isin(ROLES) & (people["n_regions"] > 0)]
    row: Row = {"family": family, "roi": "", "hemisphere": "", "status": "refused", "contrast": CONTRAST}
    row |= {"effect_size": "log_rate_ratio", "formula": "n_extreme ~ group + offset(log(n_regions)), Poisson"}
    groups = {role: people[people["group"] == role] for role in ROLES}
    row |= {"n": len(people), "n_reference": len(groups["control"]), "n_comparison": len(groups["patient"])}
    table = tabulate([_describe_group(role, group) for role, group in groups.items()], EXTREME_COUNTS)
    try:
        _check_counts(groups, individuals.refusal, study.settings.min_group_size)
    except DesignError as refusal:
        logger.warning("Extreme deviations not compared: %s", refusal)
        return VariabilityResult([row | {"reason": str(refusal)}], table)
    return VariabilityResult([row | _fit_counts(people, study.settings.confidence)], table)


def _compare_place(outcome: str, study: Study, row: Row) -> tuple[Row, Row]:
    """Compare the spread of one volume; gives the row of the common table and that of the detailed one."""
    settings = study.settings
    sample = select_sample(study.people, outcome, model_group(settings))
    controls, patients = _split_residuals(sample, settings)
    sizes = {"n_reference": len(controls.residuals), "n_comparison": len(patients.residuals)}
    sd = [float(np.sqrt(np.mean(part.residuals**2))) for part in (patients, controls)]
    wide, narrow = (
        compare_variability(sd[0], patients.df + 1, sd[1], controls.df + 1, level)
        for level in (settings.confidence, 0.90)
    )
    p = 2 * float(stats.norm.sf(abs(wide.value) / wide.se))
    limits = {"se": wide.se, "ci_low": wide.ci_low, "ci_high": wide.ci_high}
    reason = "; ".join(sample.notes)
    row = row | {"status": "fitted", "reason": reason, "formula": sample.formula, **sizes, "n": sum(sizes.values())}
    row |= {"estimate": wide.value, **limits, "ci90_low": narrow.ci_low, "ci90_high": narrow.ci_high, "p": p}
    ratio = [float(np.exp(value)) for value in (wide.value, wide.ci_low, wide.ci_high)]
    row |= {"estimate_raw": ratio[0], "raw_ci_low": ratio[1], "raw_ci_high": ratio[2], "raw_unit": "ratio of SD"}
    detail: Row = {"status": "fitted", "reason": reason, **sizes, "sd_reference_mm3": sd[1], "sd_comparison_mm3": sd[0]}
    detail |= {"log_variance_ratio": wide.value, **limits, "ratio": ratio[0], "p": p}
    return row, detail | {
        "p_brown_forsythe": float(stats.levene(controls.residuals, patients.residuals, center="median").pvalue)
    }


def _split_residuals(sample: Sample, settings: Settings) -> tuple[_Part, _Part]:
    """Give the residuals of controls and patients, each with the variance of the population."""
    group = sample.data["group"].to_numpy()
    sizes = {role: int((group == role).sum()) for role in ROLES}
    if min(sizes.values()) < settings.min_group_size:
        counts = ", ".join(f"{n} {role}s" for role, n in sizes.items())
        msg = (
            f"too few people: {counts} with all values; config models.min_group_size asks for {settings.min_group_size}"
        )
        raise DesignError(msg)
    X = build_design(sample)
    fit = fit_linear(sample.data[["volume_mm3"]].to_numpy(dtype=float), X.to_numpy())
    inside = fit.leverage < FULL_LEVERAGE
    residuals = fit.residuals[:, 0] / np.sqrt(np.where(inside, 1 - fit.leverage, 1.0))
    parts = [inside & (group == role) for role in ROLES]
    controls, patients = (_Part(residuals[part], int((1 - fit.leverage[part]).sum())) for part in parts)
    return controls, patients


def _describe_group(role: str, people: pd.DataFrame) -> Row:
    """Describe the extreme deviations of one group."""
    row: Row = {"group": role, "n": len(people)}
    if people.empty:
        return row
    regions, extreme = (people[name].to_numpy(dtype=float) for name in ("n_regions", "n_extreme"))
    row |= {"n_regions_mean": regions.mean(), "n_extreme_mean": extreme.mean()}
    return row | {"share_any_extreme": (extreme > 0).mean(), "share_extreme": extreme.sum() / regions.sum()}


def _check_counts(groups: dict[str, pd.DataFrame], refusal: str, fewest: int) -> None:
    """Refuse groups in which there is too little to count."""
    sizes = ", ".join(f"{len(group)} {role}s" for role, group in groups.items())
    if min(len(group) for group in groups.values()) < max(fewest, 2):
        msg = f"too few people with a z score: {sizes}, {max(fewest, 2)} of each are the least"
        raise DesignError(f"{msg}; {refusal}" if refusal else msg)
    counts = {role: int(group["n_extreme"].sum()) for role, group in groups.items()}
    if min(counts.values()) < FEWEST_EXTREME:
        seen = ", ".join(f"{n} in {role}s" for role, n in counts.items())
        msg = f"too few extreme deviations to compare rates: {seen}, {FEWEST_EXTREME} in each group are the least"
        raise DesignError(msg)
    if all(len(set(group["n_extreme"] / group["n_regions"])) == 1 for group in groups.values()):
        msg = "everybody of a group has the same number of extreme deviations: no spread to judge their rates by"
        raise DesignError(msg)


def _fit_counts(people: pd.DataFrame, confidence: float) -> Row:
    """Estimate the rate ratio."""
    X = np.column_stack([np.ones(len(people)), people["group"] == "patient"]).astype(float)
    count, exposure = (people[name].to_numpy(dtype=float) for name in ("n_extreme", "n_regions"))
    fit = sm.GLM(count, X, family=sm.families.Poisson(), exposure=exposure).fit(cov_type="HC0")
    df = len(people) - 2
    estimate, se = float(fit.params[1]), float(fit.bse[1] * np.sqrt(len(people) / df))  # HC1, which GLM has not
    wide, narrow = (float(stats.t.ppf(0.5 + level / 2, df)) * se for level in (confidence, 0.90))
    return {
        "status": "fitted",
        "reason": "",
        "estimate": estimate,
        "se": se,
        "ci_low": estimate - wide,
        "ci_high": estimate + wide,
        "ci90_low": estimate - narrow,
        "ci90_high": estimate + narrow,
        "estimate_raw": float(np.exp(estimate)),
        "raw_ci_low": float(np.exp(estimate - wide)),
        "raw_ci_high": float(np.exp(estimate + wide)),
        "raw_unit": "rate ratio",
        "t": estimate / se,
        "df": df,
        "p": 2 * float(stats.t.sf(abs(estimate) / se, df)),
    }
