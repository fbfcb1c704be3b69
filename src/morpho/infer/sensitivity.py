"""How an effect changes when the analysis is done in another way that one could have chosen as well.

Takes people and a question (`morpho.infer.linear_tests`) and gives the effect of every variant: head size treated
otherwise, people left out, missing covariates imputed. A variant that cannot be made for a cohort is absent, or a
refused row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, check_levels, find_contrast
from morpho.infer.design import HeadSize, Model, Sample, select_sample
from morpho.infer.diagnostics import studentise
from morpho.infer.imputed import estimate_imputed
from morpho.infer.linear_tests import Question
from morpho.infer.plans import build_design
from morpho.infer.quality.set_names import SETS
from morpho.infer.sensitivity_names import OUTLIER
from morpho.infer.study import Settings, name_column
from morpho.stats.effects import correlate_partially, standardise_difference
from morpho.stats.linear import estimate_contrast, fit_linear

NO_HEAD_SIZE = HeadSize("none", "")
QUALITY = "image_quality"  # as a covariate; the others are those of the configuration
KEYS = ["family", "roi", "hemisphere"]
NUMBERS = ["n", "estimate", "ci_low", "ci_high", "p"]
COLUMNS = [*KEYS, "variant", "left_out", "status", "reason", "effect_size", *NUMBERS]


@dataclass(frozen=True)
class _Case:
    """One variant of the analysis of some regions: people, with volumes as that variant has them, and model."""

    variant: str
    left_out: str
    people: pd.DataFrame
    model: Model
    columns: Sequence[str]


def vary_analysis(people: pd.DataFrame, question: Question, settings: Settings) -> pd.DataFrame:
    """Estimate the effect of a question in every variant of the analysis.

    Parameters
    ----------
    people
        One row per participant; ``medication`` and ``quality_index`` are used where they exist.
    question
        A difference or slope, and the regions.
    settings
        Confidence, smallest group, seed.

    Returns
    -------
    One row per region and variant: family, roi, hemisphere, variant, left_out (a site), status, reason, n, effect_size,
    estimate, ci_low, ci_high, p.
    """
    rows = []
    for places in _group_by_people(people, question.places):
        columns = [name_column(place) for place in places]
        for case in _list_cases(people, columns, question):
            rows += _estimate(case, places, question.effect, settings)
        for place in places:
            rows += _impute(people, place, question, settings)
    order = {tuple(place[key] for key in KEYS): number for number, place in enumerate(question.places)}
    rows.sort(key=lambda row: order[tuple(str(row[key]) for key in KEYS)])
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64"))


def append_sets(variants: pd.DataFrame, sets: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Append the analysis in other sets of scans to its variants.

    Parameters
    ----------
    variants
        From `vary_analysis`, of a difference.
    sets
        Set -> rows of `morpho.infer.linear_tests.run_linear`.

    Returns
    -------
    Rows of both, those of one region together.
    """
    parts = [
        rows.assign(variant=name, left_out="", effect_size="g", estimate=rows["g"], ci_low=rows["g_ci_low"])
        .assign(ci_high=rows["g_ci_high"], n=rows["n"])
        .reindex(columns=COLUMNS)
        for name, rows in sets.items()
        if "g" in rows
    ]
    joined = pd.concat([variants, *(part.astype(dict.fromkeys(NUMBERS, "float64")) for part in parts)])
    order = {tuple(place): number for number, place in enumerate(variants[KEYS].drop_duplicates().to_numpy().tolist())}
    place = [order.get(tuple(key), len(order)) for key in joined[KEYS].to_numpy().tolist()]
    return joined.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def widen_variants(variants: pd.DataFrame) -> pd.DataFrame:
    """Put the estimates of all variants of a region into one row, a column each.

    Parameters
    ----------
    variants
        From `vary_analysis`.

    Returns
    -------
    Keys, ``effect_<variant>`` and, of the leave-one-site-out estimates, ``effect_loso_min`` and ``effect_loso_max``.
    Sets of scans have columns of their own (`morpho.infer.quality.sets.add_effects`).
    """
    single = variants[~variants["variant"].isin(["main", "loso", *SETS])]
    wide = single.pivot_table(index=KEYS, columns="variant", values="estimate", aggfunc="first", sort=False)
    wide.columns = [f"effect_{name}" for name in wide.columns]
    sites = variants[variants["variant"] == "loso"].groupby(KEYS, sort=False)["estimate"].agg(["min", "max"])
    wide = wide.join(sites.add_prefix("effect_loso_"), how="outer")
    return wide.reset_index() if len(wide) else pd.DataFrame(columns=KEYS)


def _group_by_people(people: pd.DataFrame, places: Sequence[Mapping[str, str]]) -> Iterator[list[Mapping[str, str]]]:
    """Put places together that the same people have volumes of, so that they share one design."""
    groups: dict[bytes, list[Mapping[str, str]]] = {}
    for place in places:
        column = name_column(place)
        if column in people:
            pattern = people[column].isna().to_numpy().tobytes() + place["hemisphere"].encode()
            groups.setdefault(pattern, []).append(place)
    yield from groups.values()


def _list_cases(people: pd.DataFrame, columns: Sequence[str], question: Question) -> Iterator[_Case]:
    """List the variants that this cohort allows."""
    model, head_size = question.model, question.model.head_size.column
    yield _Case("main", "", people, model, columns)
    if head_size in people and head_size not in columns:
        yield from _vary_head_size(people, columns, model)
    if "age" in model.covariates and model.age_model == "linear":
        yield _Case("age_quadratic", "", people, replace(model, age_model="quadratic"), columns)
    for column in columns:
        kept = _drop_outliers(people, column, model)
        if kept is not None:
            yield _Case("no_outliers", "", kept, model, [column])
    if "medication" in people and (people["medication"] == "current").any():
        yield _Case("unmedicated", "", people[people["medication"] != "current"], model, columns)
    if "quality_index" in people and people["quality_index"].notna().any():
        yield _Case("image_quality", "", people, replace(model, covariates=(*model.covariates, QUALITY)), columns)
    if "site" in people and len(set(people["site"].dropna())) > 1:
        for site in sorted(people["site"].dropna().unique()):
            yield _Case("loso", str(site), people[people["site"] != site], model, columns)


def _vary_head_size(people: pd.DataFrame, columns: Sequence[str], model: Model) -> Iterator[_Case]:
    """List the other ways to allow for head size."""
    head_size = model.head_size.column
    bare, sizes = replace(model, head_size=NO_HEAD_SIZE), people[head_size]
    yield _Case("no_head_size", "", people, bare, columns)
    logarithms = people.assign(**{name: np.log(people[name]) for name in (*columns, head_size)})
    yield _Case("log_log", "", logarithms, model, columns)
    residuals = people.assign(**{name: _take_residual(people[name], sizes) for name in columns})
    yield _Case("residual", "", residuals, bare, columns)
    shares = people.assign(**{name: people[name] / sizes * sizes.mean() for name in columns})
    yield _Case("proportion", "", shares, bare, columns)


def _estimate(
    case: _Case, places: Sequence[Mapping[str, str]], effect: Effect, settings: Settings
) -> list[dict[str, object]]:
    """Estimate the effect of all regions in one variant, by one design."""
    wanted = [place for place in places if name_column(place) in case.columns]
    base = {"variant": case.variant, "left_out": case.left_out}
    try:
        sample = select_sample(case.people, case.columns[0], case.model)
        check_levels(effect, sample.data, settings.min_group_size)
        X = build_design(sample)
        volumes = case.people.set_index(case.people["participant_id"].astype(str))[list(case.columns)]
        fit = fit_linear(volumes.loc[sample.data["participant_id"]].to_numpy(dtype=float), X.to_numpy())
        test = estimate_contrast(fit, find_contrast(effect, sample.data, X.design_info))
    except DesignError as refusal:
        return [{**place, **base, "status": "refused", "reason": str(refusal)} for place in wanted]
    rows = []
    for place, t, p in zip(wanted, test.t.tolist(), test.p.tolist(), strict=True):
        row = {**place, **base, "n": len(sample.data), "p": p}
        rows.append(row | _express(t, test.df, test.unit_variance, effect, settings.confidence))
    return rows


def _impute(
    people: pd.DataFrame, place: Mapping[str, str], question: Question, settings: Settings
) -> list[dict[str, object]]:
    """Estimate the effect with missing covariates imputed; no row where nobody lacks one."""
    base = {**place, "variant": "imputed", "left_out": ""}
    try:
        row = estimate_imputed(people, name_column(place), question.model, question.effect, settings)
    except DesignError as refusal:
        return [{**base, "status": "refused", "reason": str(refusal)}]
    return [base | row] if row else []


def _express(t: float, df: int, unit_variance: float, effect: Effect, confidence: float) -> dict[str, object]:
    """Express a t value as the effect size of its kind; a region without residuals is refused."""
    if not np.isfinite(t):
        return {"status": "refused", "reason": "the volume does not vary, or the covariates reproduce it exactly"}
    if effect.is_slope:
        correlation = correlate_partially(t, df, confidence)
        name, numbers = "partial_r", (correlation.value, correlation.ci_low, correlation.ci_high)
    else:
        difference = standardise_difference(t, df, unit_variance, confidence)
        name, numbers = "g", (difference.g, difference.g_ci_low, difference.g_ci_high)
    row: dict[str, object] = {"status": "fitted", "reason": "", "effect_size": name}
    return row | dict(zip(("estimate", "ci_low", "ci_high"), numbers, strict=True))


def _take_residual(volume: pd.Series[float], head_size: pd.Series[float]) -> pd.Series[float]:
    """Take from each volume what the pooled slope on head size gives it beyond the mean head size."""
    is_known = volume.notna() & head_size.notna()
    centred = head_size - head_size[is_known].mean()
    spread = float((centred[is_known] ** 2).sum())
    slope = float((centred * volume)[is_known].sum()) / spread if spread > 0 else 0.0
    return volume - slope * centred


def _drop_outliers(people: pd.DataFrame, column: str, model: Model) -> pd.DataFrame | None:
    """Drop the people whose residual in the main model is extreme; None if there are none."""
    try:
        sample: Sample = select_sample(people, column, model)
        fit = fit_linear(sample.data[["volume_mm3"]].to_numpy(dtype=float), build_design(sample).to_numpy())
    except DesignError:
        return None
    if fit.residual_variance[0] == 0:
        return None
    spare = np.maximum(1 - fit.leverage, 1e-9)
    internal = fit.residuals[:, 0] / np.sqrt(fit.residual_variance[0] * spare)
    outliers = sample.data.loc[np.abs(studentise(internal, fit.df)) > OUTLIER, "participant_id"]
    return people[~people["participant_id"].astype(str).isin(outliers)] if len(outliers) else None
