"""Whether the difference between groups is the same at every site, and which sites can say anything about it.

Takes a study and gives, for every region, the difference within each site, pooled by random-effects meta-analysis. The
model of all people with site columns remains the primary analysis (`morpho.infer.fit`); this is its test for
heterogeneity. Whether the difference depends on sex, age or site is asked in `morpho.infer.sites.subgroups`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from morpho.errors import DesignError
from morpho.infer.design import Model, select_sample
from morpho.infer.plans import build_design
from morpho.infer.sites.dictionaries import POOLED_EFFECTS, SITE_EFFECTS, SITES, tabulate
from morpho.infer.study import ROLES, Settings, Study, list_places, name_column
from morpho.stats.effects import StandardisedDifference, standardise_difference
from morpho.stats.linear import estimate_contrast, fit_linear
from morpho.stats.meta_analysis import FEWEST_SITES_TO_PREDICT, PooledEffect, leave_one_out, pool_effects

logger = logging.getLogger(__name__)

GROUP_TERM = "C(group, Treatment('control'))"
GROUP_COLUMN = f"{GROUP_TERM}[T.patient]"  # of the design matrix; its coefficient is patient - control
CONTRAST = "patient - control"
FEWEST_PER_GROUP = 10
FEWEST_SITES = 2

Row = dict[str, object]


@dataclass(frozen=True)
class SiteDescription:
    """Who was scanned where: tables with the columns of `SITE_COUNTS` and `SITES`, and how far site tells the group.

    `cramers_v` is 0 where groups are mixed alike at all sites and 1 where site gives the group away (NaN with one site
    or group); `effective_n` the sum of n1 n0 / (n1 + n0) over sites; `n_without_site` people of unknown site.
    """

    counts: pd.DataFrame
    sites: pd.DataFrame
    cramers_v: float
    effective_n: float
    n_without_site: int


@dataclass(frozen=True)
class SiteResult:
    """Pooled effects as `rows` of the common table, and tables with the columns of `SITE_EFFECTS`, `POOLED_EFFECTS`."""

    rows: list[Row]
    table: pd.DataFrame
    pooled: pd.DataFrame


@dataclass(frozen=True)
class _SiteFit:
    """The difference at one site; `g` is None where it was refused, for `reason`."""

    site: str
    n_reference: int
    n_comparison: int
    formula: str = ""
    reason: str = ""
    g: StandardisedDifference | None = None
    variance: float = field(default=np.nan)


def describe_sites(people: pd.DataFrame, *, min_per_group: int = FEWEST_PER_GROUP) -> SiteDescription:
    """Describe how groups, sexes and ages are spread over sites, before anything is compared or harmonised.

    Parameters
    ----------
    people
        One row per participant, ``group`` being "control", "patient" or missing; ``site``, ``sex`` and ``age_years``
        may be absent.
    min_per_group
        Fewer people of a group at a site are flagged.

    Returns
    -------
    Counts and descriptions; a cohort without sites is one site of missing name.

    Notes
    -----
    Cramer's V is sqrt(chi2 / (n (min(sites, groups) - 1))): Cramer H, Mathematical methods of statistics, 1946.
    """
    known = pd.DataFrame({name: people.get(name) for name in ("site", "group", "sex", "age_years")}, index=people.index)
    known = known.astype({"site": "object", "group": "object", "sex": "object", "age_years": "float64"})
    known["group"] = known["group"].where(known["group"].isin(ROLES))
    counts = known.groupby(["site", "group", "sex"], dropna=False).size().rename("n").reset_index()
    compared = known[known["group"].notna()]
    sites = [
        _describe_site(site, rows, min_per_group) for site, rows in compared.groupby("site", dropna=False, sort=True)
    ]
    table = tabulate(sites, SITES)
    cells = pd.crosstab(compared["site"], compared["group"]).to_numpy()
    effective_n, n_without_site = float(table["effective_n"].sum()), int(known["site"].isna().sum())
    return SiteDescription(counts, table, _measure_overlap(cells), effective_n, n_without_site)


def compare_sites(
    study: Study, *, rois: Sequence[str], hemispheres: Sequence[str], family: str, min_per_group: int = FEWEST_PER_GROUP
) -> SiteResult:
    """Estimate the difference between groups within each site, and pool the sites by random-effects meta-analysis.

    Parameters
    ----------
    study
        People and settings.
    rois, hemispheres
        Regions and sides; every combination is a test of `family`.
    family
        Name of the family of tests.
    min_per_group
        Sites with fewer people in either group, with all values of the model, are left out.

    Returns
    -------
    One row per region and side; refused where fewer than two sites remain. Sites left out are named with the reason.

    Notes
    -----
    Within a site the model is the primary one without site: ``volume ~ group + age + sex + head size``. Each g enters
    with variance v + g^2 / (2 df), v = c'(X'X)^-1 c. REML with Hartung and Knapp's interval, never shorter than the
    normal one, as few sites may agree by chance (see `pool_effects`). The prediction interval needs three sites.
    """
    families = {family: {"rois": rois, "hemispheres": hemispheres}}
    rows, tables, pooled = [], [], []
    for place in list_places(families):
        fits, reason = _fit_sites(study, name_column(place), min_per_group)
        used = [fit for fit in fits if fit.g is not None]
        summary, detail = _pool_sites(used, study.settings.confidence, reason)
        summary["reason"] = "; ".join([*([str(summary["reason"])] if summary["reason"] else []), *_say_left_out(fits)])
        logger.info("%s: %d sites pooled; %s", name_column(place), len(used), summary["reason"] or "none left out")
        tables += [place | _describe_fit(fit) | detail.get(fit.site, {}) for fit in fits]
        pooled.append(place | summary)
        rows.append(place | _write_row(summary, used))
    table, means = tabulate(tables, SITE_EFFECTS), tabulate(pooled, POOLED_EFFECTS)
    return SiteResult(rows, table, means)


def model_group(settings: Settings) -> Model:
    """Set volumes against group, with the covariates of the study (site joins where there is more than one)."""
    return Model(GROUP_TERM, ("group",), settings.covariates, settings.head_size, settings.age_model)


def _describe_site(site: object, rows: pd.DataFrame, fewest: int) -> Row:
    """Describe the people of one site."""
    sizes = {role: int((rows["group"] == role).sum()) for role in ROLES}
    controls, patients = (sizes[role] for role in ROLES)
    flags = [f"{role}s only" for role in ROLES if sizes[role] == len(rows)]
    flags += [f"fewer than {fewest} {role}s ({n})" for role, n in sizes.items() if 0 < n < fewest]
    sexes = rows["sex"].dropna()
    flags += [f"sex {sex} only" for sex in set(sexes)] if len(set(sexes)) == 1 else []
    flags += ["site unknown"] if rows["site"].isna().all() else []
    return {
        "site": site,
        "n": len(rows),
        "n_reference": controls,
        "n_comparison": patients,
        "effective_n": controls * patients / len(rows),
        "share_women": (sexes == "F").mean(),
        "age_mean_years": rows["age_years"].mean(),
        "age_sd_years": rows["age_years"].std(),
        "flags": "; ".join(flags),
    }


def _measure_overlap(cells: npt.NDArray[np.int64]) -> float:
    """Compute Cramer's V of a table (sites, groups) of counts."""
    if min(cells.shape, default=0) < 2:
        return float("nan")
    expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
    chi2 = ((cells - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / (cells.sum() * (min(cells.shape) - 1))))


def _fit_sites(study: Study, outcome: str, fewest: int) -> tuple[list[_SiteFit], str]:
    """Fit the model within every site; the reason says why there is no site at all."""
    people = study.people
    if "site" not in people or people["site"].isna().all():
        return [], "participants.tsv has no site column (config participants.columns.site), or nobody has a site"
    people = people[people["site"].notna()]
    labels = people["site"].astype(str)
    return [
        _fit_site(people[labels == site], site, outcome, study.settings, fewest) for site in sorted(set(labels))
    ], ""


def _fit_site(people: pd.DataFrame, site: str, outcome: str, settings: Settings, fewest: int) -> _SiteFit:
    """Estimate the difference at one site."""
    controls = patients = 0
    try:
        sample = select_sample(people, outcome, model_group(settings))
        controls, patients = (int((sample.data["group"] == role).sum()) for role in ROLES)
        _check_groups(controls, patients, fewest)
        X = build_design(sample)
        fit = fit_linear(sample.data[["volume_mm3"]].to_numpy(dtype=float), X.to_numpy())
        test = estimate_contrast(fit, (X.columns == GROUP_COLUMN).astype(float))
        g = standardise_difference(float(test.t[0]), fit.df, test.unit_variance, settings.confidence)
    except DesignError as refusal:
        return _SiteFit(site, controls, patients, reason=str(refusal))
    variance = test.unit_variance + g.g**2 / (2 * fit.df)
    return _SiteFit(site, controls, patients, sample.formula, g=g, variance=variance)


def _check_groups(controls: int, patients: int, fewest: int) -> None:
    """Refuse a site with too few people."""
    if min(controls, patients) < fewest:
        msg = f"{controls} controls and {patients} patients with all values, {fewest} of each are the least"
        raise DesignError(msg)


def _describe_fit(fit: _SiteFit) -> Row:
    """Put one site into a row."""
    row: Row = {"site": fit.site, "status": "refused", "reason": fit.reason}
    row |= {"n_reference": fit.n_reference, "n_comparison": fit.n_comparison}
    if fit.g is None:
        return row
    limits = {"ci_low": fit.g.g_ci_low, "ci_high": fit.g.g_ci_high}
    return row | {"status": "fitted", "g": fit.g.g, "se": float(np.sqrt(fit.variance)), **limits}


def _say_left_out(fits: Sequence[_SiteFit]) -> list[str]:
    """Name the sites left out, those with the same reason together."""
    reasons = dict.fromkeys(fit.reason for fit in fits if fit.g is None)
    return [f"site {', '.join(fit.site for fit in fits if fit.reason == why)} left out: {why}" for why in reasons]


def _pool_sites(used: Sequence[_SiteFit], confidence: float, reason: str) -> tuple[Row, dict[str, Row]]:
    """Pool the sites; the second part is what each site brings to the pooled effect."""
    summary: Row = {"status": "refused", "reason": reason, "n_sites": len(used)}
    summary |= {f"n_{role}": sum(getattr(fit, f"n_{role}") for fit in used) for role in ("reference", "comparison")}
    if len(used) < FEWEST_SITES:
        few = f"{len(used)} sites with enough people of both groups; {FEWEST_SITES} are the least that can be pooled"
        return summary | {"reason": reason or few}, {}
    g = [fit.g.g for fit in used if fit.g is not None]
    variance = np.array([fit.variance for fit in used])
    pooled = pool_effects(g, variance, confidence, truncate_hk=True)
    weight = 1 / (variance + pooled.tau2)
    detail: dict[str, Row] = {
        fit.site: {"weight_percent": float(share)} for fit, share in zip(used, 100 * weight / weight.sum(), strict=True)
    }
    summary |= {"status": "fitted", **_describe_pooled(pooled)}
    if len(used) >= FEWEST_SITES_TO_PREDICT:
        without = leave_one_out(g, variance)
        summary |= {"lowest_without_one": without.lowest, "highest_without_one": without.highest}
        for fit, mean in zip(used, without.means, strict=True):
            detail[fit.site]["pooled_without_g"] = float(mean)
    return summary, detail


def _describe_pooled(pooled: PooledEffect) -> Row:
    """Name the numbers of a pooled effect as the table does."""
    same = ("tau2", "tau2_ci_low", "tau2_ci_high", "i2", "h2", "q", "q_p")
    return {
        "g": pooled.mean,
        "se": pooled.se_hk,
        "ci_low": pooled.ci_low_hk,
        "ci_high": pooled.ci_high_hk,
        "p": pooled.p_hk,
        **{name: getattr(pooled, name) for name in same},
        "prediction_low": pooled.prediction_low_hk,
        "prediction_high": pooled.prediction_high_hk,
    }


def _write_row(summary: Row, used: Sequence[_SiteFit]) -> Row:
    """Write a pooled effect as a row of the common table."""
    formula = max((fit.formula for fit in used), key=len, default="")
    row: Row = {name: summary[name] for name in ("status", "reason", "n_reference", "n_comparison")}
    row |= {"n": sum(fit.n_reference + fit.n_comparison for fit in used), "contrast": CONTRAST, "effect_size": "g"}
    if summary["status"] == "refused":
        return row | {"formula": formula}
    g, se, df = float(str(summary["g"])), float(str(summary["se"])), len(used) - 1
    half = float(stats.t.ppf(0.95, df)) * se
    return row | {
        "formula": f"within each site: {formula}; then random effects over sites (REML, Hartung-Knapp)",
        "estimate": g,
        "se": se,
        **{name: summary[name] for name in ("ci_low", "ci_high", "p")},
        "ci90_low": g - half,
        "ci90_high": g + half,
        "t": g / se,
        "df": df,
    }
