"""Numbers of a fitted model as one row of a table: what was asked, of how many, how large, how sure."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm

from morpho.formulas import quote_name
from morpho.infer.contrasts import Effect, find_joint_columns
from morpho.infer.design import Model, Sample
from morpho.infer.fit import EffectFit, RegionModel
from morpho.infer.plans import build_design
from morpho.infer.study import Settings
from morpho.stats.effects import correlate_partially, standardise_as_enigma, standardise_difference
from morpho.stats.evidence import bound_effect, jzs_bayes_factor
from morpho.stats.spread import overlap, partial_eta_squared

SMALL_CELL = 20  # below it, the permutation p is the one to read

Row = dict[str, object]


def describe_model(region: RegionModel, model: Model, effect: Effect) -> Row:
    """Give what all tables share: the place, what became of the model, and of which people.

    Parameters
    ----------
    region
        The model of one region.
    model, effect
        What was asked.

    Returns
    -------
    Row; status is "fitted" once `describe_difference` and its kin have added their numbers.
    """
    head_size = model.head_size if region.sample is None else region.sample.head_size
    row: Row = {**region.place, "status": "refused", "reason": region.reason, "formula": "", "contrast": str(effect)}
    row |= {"head_size": head_size.column, "head_size_note": head_size.note, "p": np.nan}
    if region.sample is not None:
        row |= {"formula": region.sample.formula}
    if region.sample is not None and region.fit is not None:
        fit, data = region.fit, region.sample.data
        row |= {"status": "fitted", "n": len(data), "n_sites": max(data["site"].nunique(), 1)}
        row |= {
            "t": fit.t,
            "df": fit.df,
            "p": fit.p,
            "p_hc3": fit.p_hc3,
            "vif": fit.vif,
            "n_effective": 1 / fit.unit_variance,
        }
        row |= {"unit_variance": fit.unit_variance, **vars(fit.diagnostics)}
    return row


def describe_difference(sample: Sample, fit: EffectFit, effect: Effect, settings: Settings) -> Row:
    """Give a difference in mm3, per cent and standard deviations, with intervals and what speaks for its absence.

    Parameters
    ----------
    sample, fit
        People and fitted model.
    effect
        A difference, or a difference of differences.
    settings
        Confidence, and the smallest effect of interest for equivalence.

    Returns
    -------
    Columns of `morpho.infer.dictionaries.CONTRASTS`.
    """
    standardised = standardise_difference(fit.t, fit.df, fit.unit_variance, settings.confidence)
    bound = settings.smallest_effects["g"]
    equivalence = bound_effect(fit.t, fit.df, fit.unit_variance, bound)
    row: Row = {
        "effect_size": "g",
        "estimate_mm3": fit.estimate,
        "se_mm3": fit.se,
        "se_hc3_mm3": fit.se_hc3,
        "ci_low_mm3": fit.ci_low,
        "ci_high_mm3": fit.ci_high,
        "d": standardised.d,
        "g": standardised.g,
        "g_ci_low": standardised.g_ci_low,
        "g_ci_high": standardised.g_ci_high,
        "overlap": overlap(standardised.d),
        "bayes_factor_10": jzs_bayes_factor(fit.t, 1 / fit.unit_variance, fit.df),
        "equivalence_bound_g": bound,
        "equivalence_p": equivalence.p,
        "g_ci90_low": equivalence.g_low,
        "g_ci90_high": equivalence.g_high,
    }
    if not effect.between:
        row |= _describe_cells(sample, fit, effect)
    return row


def describe_slope(sample: Sample, fit: EffectFit, effect: Effect, settings: Settings) -> Row:
    """Give a slope and its partial correlation, with intervals, and the rank correlation beside it.

    Parameters
    ----------
    sample, fit
        People and fitted model.
    effect
        A slope, or a difference of slopes (which has no rank correlation).
    settings
        Confidence.

    Returns
    -------
    Columns of `morpho.infer.dictionaries.ASSOCIATIONS`.
    """
    correlation = correlate_partially(fit.t, fit.df, settings.confidence)
    row: Row = {
        "effect_size": "partial_r",
        "slope_mm3_per_unit": fit.estimate,
        "slope_ci_low_mm3": fit.ci_low,
        "slope_ci_high_mm3": fit.ci_high,
        "se_mm3": fit.se,
        "se_hc3_mm3": fit.se_hc3,
        "partial_r": correlation.value,
        "partial_r_ci_low": correlation.ci_low,
        "partial_r_ci_high": correlation.ci_high,
    }
    if not effect.between:
        row |= _correlate_ranks(sample, effect, settings.confidence)
    return row


def describe_joint(sample: Sample, effect: Effect, confidence: float) -> Row:
    """Give the F test of several columns, and the share of variance they explain.

    Parameters
    ----------
    sample
        People and formula.
    effect
        With `joint`.
    confidence
        Coverage of the interval of partial eta squared.

    Returns
    -------
    Columns of `morpho.infer.dictionaries.INTERACTIONS`.
    """
    X = build_design(sample)
    fit = sm.OLS(sample.data["volume_mm3"].to_numpy(dtype=float), X.to_numpy()).fit()
    test = fit.f_test(find_joint_columns(effect, X.design_info))
    df_numerator, df = int(test.df_num), int(test.df_denom)
    share = partial_eta_squared(float(test.fvalue), df_numerator, df, confidence)
    return {
        "status": "fitted",
        "effect_size": "partial_eta_squared",
        "n": len(sample.data),
        "n_sites": max(sample.data["site"].nunique(), 1),
        "f": float(test.fvalue),
        "df_numerator": df_numerator,
        "df": df,
        "p": float(test.pvalue),
        "partial_eta_squared": share.value,
        "partial_eta_squared_ci_low": share.ci_low,
        "partial_eta_squared_ci_high": share.ci_high,
    }


def _describe_cells(sample: Sample, fit: EffectFit, effect: Effect) -> Row:
    """Give size, raw and adjusted mean of the levels compared, and what needs both of them."""
    volume_mm3, of = sample.data["volume_mm3"], sample.data[effect.of].astype(str)
    inside = np.logical_and.reduce(
        [(sample.data[name] == level).to_numpy() for name, level in effect.where.items()] or [True]
    )
    levels: dict[str, list[str]] = {"reference": [], "comparison": []}
    for level, weight in (effect.weights or {}).items():
        levels["reference" if weight < 0 else "comparison"] += [level] if weight else []
    row: Row = {}
    sizes = {}
    for role, names in levels.items():
        cell = volume_mm3[of.isin(names) & inside]
        sizes[role] = len(cell)
        row |= {f"n_{role}": len(cell), f"mean_{role}_mm3": cell.mean(), f"sd_{role}_mm3": cell.std()}
    row["adjusted_mean_reference_mm3"] = fit.reference_mean
    row["adjusted_mean_comparison_mm3"] = fit.reference_mean + fit.estimate
    to_percent = 100 / fit.reference_mean  # ASSUME: the reference mean is known
    row |= {"percent": fit.estimate * to_percent}
    row |= {"percent_ci_low": fit.ci_low * to_percent, "percent_ci_high": fit.ci_high * to_percent}
    enigma = standardise_as_enigma(fit.t, fit.df, sizes["reference"], sizes["comparison"])
    row |= {"d_enigma": enigma.value, "d_enigma_se": enigma.se}
    row |= {"d_enigma_ci_low": enigma.ci_low, "d_enigma_ci_high": enigma.ci_high}
    pooled = _pool_sd(row, sizes)
    row |= {"d_raw": fit.estimate / pooled if pooled else np.nan}
    row["small_cells"] = min(sizes.values()) < SMALL_CELL
    return row


def _pool_sd(row: Row, sizes: dict[str, int]) -> float:
    """Pool the raw standard deviations of both cells."""
    squares = [(n - 1) * float(row[f"sd_{role}_mm3"]) ** 2 for role, n in sizes.items()]  # type: ignore[arg-type]
    return float(np.sqrt(sum(squares) / (sum(sizes.values()) - 2)))


def _correlate_ranks(sample: Sample, effect: Effect, confidence: float) -> Row:
    """Give the partial rank correlation: the same model on ranks of volume, predictor and numeric covariates."""
    numeric = [str(name) for name in sample.data.select_dtypes("number") if name != "volume_mm3"]
    ranked = sample.data.assign(**{name: sample.data[name].rank() for name in ["volume_mm3", *numeric]})
    X = build_design(Sample(**{**vars(sample), "data": ranked}))
    fit = sm.OLS(ranked["volume_mm3"].to_numpy(), X.to_numpy()).fit()
    place = _find_column(effect.of, [str(name) for name in X.columns])
    if place is None:  # transformed in the formula, which ranks do not survive
        return {}
    t = float(fit.tvalues[place])
    correlation = correlate_partially(t, fit.df_resid, confidence)
    return {
        "spearman_r": correlation.value,
        "spearman_r_ci_low": correlation.ci_low,
        "spearman_r_ci_high": correlation.ci_high,
    }


def _find_column(name: str, columns: list[str]) -> int | None:
    """Find the place of a numeric variable in a design; None if it has no column of its own."""
    return next(
        (place for place, column in enumerate(columns) if column in {name, quote_name(name), f"Q({name!r})"}), None
    )
