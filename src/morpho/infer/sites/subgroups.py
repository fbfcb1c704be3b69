"""Whether the difference between groups depends on sex, age or site: one interaction test each.

A difference that is significant in one subgroup and not in another is no difference between subgroups; the F test of
the interaction is. The differences within subgroups are given beside it, from the same model, and only describe.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from morpho.errors import DesignError
from morpho.infer.contrasts import Effect, find_contrast, find_joint_columns
from morpho.infer.design import Model, Sample, select_sample
from morpho.infer.plans import build_design
from morpho.infer.sites.dictionaries import SUBGROUPS, tabulate
from morpho.infer.study import ROLES, Settings, Study, list_places, name_column
from morpho.stats.effects import standardise_difference
from morpho.stats.linear import LinearFit, compare_nested, estimate_contrast, fit_linear
from morpho.stats.spread import partial_eta_squared

logger = logging.getLogger(__name__)

MODIFIERS = ("sex", "age_band", "site")
AGE_BANDS = ("up to 21", "22 to 59", "60 and over")
AGE_BAND_EDGES_YEARS = (22.0, 60.0)  # adolescents and young adults up to 21, as ENIGMA has them
FEWEST_PER_GROUP = 10
FEWEST_SUBGROUPS = 2

Row = dict[str, object]


@dataclass(frozen=True)
class SubgroupResult:
    """Interaction tests as `rows` of the common table, and a table with the columns of `SUBGROUPS`."""

    rows: list[Row]
    table: pd.DataFrame


def compare_subgroups(
    study: Study,
    *,
    rois: Sequence[str],
    hemispheres: Sequence[str],
    family: str,
    modifiers: Sequence[str] = MODIFIERS,
    min_per_group: int = FEWEST_PER_GROUP,
) -> SubgroupResult:
    """Test whether the difference between groups depends on sex, age band or site.

    Parameters
    ----------
    study
        People and settings.
    rois, hemispheres, family
        Regions and sides, and the family of their tests; the tests of a modifier are a family of their own, called
        ``<family>: group x <modifier>``.
    modifiers
        Of "sex", "age_band" and "site".
    min_per_group
        Subgroups with fewer people in either group, with all values of the model, are left out.

    Returns
    -------
    One row per modifier, region and side, with partial eta squared; refused where fewer than two subgroups remain.

    Notes
    -----
    ``volume ~ group * modifier + age + sex + head size + site``, age staying in as a number beside its bands.
    Covariates have one slope in all subgroups. Partial eta squared has the interval of the noncentral F distribution.
    """
    rows, tables = [], []
    people = study.people.assign(age_band=cut_ages(study.people))
    for modifier in modifiers:
        named = f"{family}: group x {modifier}"
        for place in list_places({named: {"rois": rois, "hemispheres": hemispheres}}):
            row, levels = _compare_place(people, place, modifier, study.settings, min_per_group)
            rows.append(place | row)
            tables += [place | {"modifier": modifier} | level for level in levels]
    return SubgroupResult(rows, tabulate(tables, SUBGROUPS))


def cut_ages(people: pd.DataFrame) -> pd.Series[str]:
    """Sort people into `AGE_BANDS` (missing where the age is); someone is 21 until the 22nd birthday."""
    if "age_years" not in people:
        return pd.Series(np.nan, index=people.index, dtype="object")
    bands = pd.cut(people["age_years"].astype(float), [-np.inf, *AGE_BAND_EDGES_YEARS, np.inf], right=False)
    return bands.cat.rename_categories(list(AGE_BANDS)).astype("object")


def _compare_place(
    people: pd.DataFrame, place: dict[str, str], modifier: str, settings: Settings, fewest: int
) -> tuple[Row, list[Row]]:
    """Test the interaction in one region; gives the row and what is known of each subgroup."""
    term = f"C(group, Treatment('control')) * C({modifier})"
    chosen = (settings.covariates, settings.head_size, settings.age_model, settings.min_residual_df)
    model = Model(term, ("group", modifier), *chosen)
    row: Row = {
        "status": "refused",
        "contrast": f"(patient - control) x {modifier}",
        "effect_size": "partial_eta_squared",
    }
    outcome, levels = name_column(place), list[Row]()
    try:
        levels = _count_levels(select_sample(_name_modifier(people, modifier), outcome, model), modifier, fewest)
        kept = [str(level["subgroup"]) for level in levels if level["status"] == "fitted"]
        _check_kept(kept, modifier, fewest)
        inside = people[modifier].astype(str).isin(kept)
        sample = select_sample(people[inside].astype({modifier: str}), outcome, model)
        numbers = _test_interaction(sample, modifier, levels, settings.confidence)
    except DesignError as refusal:
        logger.warning("%s, group x %s refused: %s", outcome, modifier, refusal)
        refused = {"status": "refused", "reason": f"no test: {refusal}"}
        return row | {"reason": str(refusal)}, [level if level["reason"] else level | refused for level in levels]
    left_out = [f"{level['subgroup']} left out: {level['reason']}" for level in levels if level["reason"]]
    return row | numbers | {"reason": "; ".join([*sample.notes, *left_out])}, levels


def _name_modifier(people: pd.DataFrame, modifier: str) -> pd.DataFrame:
    """Make the levels text, missing ones staying missing; a modifier that is absent stays absent."""
    if modifier not in people:
        return people
    return people.assign(**{modifier: people[modifier].astype(str).where(people[modifier].notna())})


def _count_levels(sample: Sample, modifier: str, fewest: int) -> list[Row]:
    """Count both groups in every subgroup, and say which of them have too few people."""
    levels: list[Row] = []
    for level in sorted(set(sample.data[modifier].astype(str)), key=_order_level):
        groups = sample.data.loc[sample.data[modifier].astype(str) == level, "group"]
        controls, patients = (int((groups == role).sum()) for role in ROLES)
        few = min(controls, patients) < fewest
        reason = f"{controls} controls and {patients} patients, {fewest} of each are the least" if few else ""
        row: Row = {"subgroup": level, "status": "refused" if few else "fitted", "reason": reason}
        levels.append(row | {"n_reference": controls, "n_comparison": patients})
    return levels


def _order_level(level: str) -> tuple[int, str]:
    """Place age bands by age, all else by the alphabet."""
    return (AGE_BANDS.index(level) if level in AGE_BANDS else 0), level


def _check_kept(kept: Sequence[str], modifier: str, fewest: int) -> None:
    """Refuse a comparison of fewer than two subgroups."""
    if len(kept) < FEWEST_SUBGROUPS:
        msg = f"{len(kept)} levels of {modifier} have {fewest} people of each group; {FEWEST_SUBGROUPS} are the least"
        raise DesignError(msg)


def _test_interaction(sample: Sample, modifier: str, levels: list[Row], confidence: float) -> Row:
    """Make the F test, and add the differences within subgroups to `levels`."""
    X = build_design(sample)
    fit = fit_linear(sample.data[["volume_mm3"]].to_numpy(dtype=float), X.to_numpy())
    test = compare_nested(fit, find_joint_columns(Effect(joint=("group", modifier)), X.design_info))
    F, p = float(test.F[0]), float(test.p[0])
    share = partial_eta_squared(F, test.df_numerator, test.df_denominator, confidence)
    share_90 = partial_eta_squared(F, test.df_numerator, test.df_denominator, 0.90)
    for level in levels:
        if level["status"] == "fitted":
            level |= _describe_level(str(level["subgroup"]), modifier, sample, X, fit, confidence)
            level |= {"interaction_f": F, "interaction_df": test.df_numerator}
            level |= {"residual_df": test.df_denominator, "interaction_p": p}
    return {
        "status": "fitted",
        "formula": sample.formula,
        "n": len(sample.data),
        "n_reference": int((sample.data["group"] == "control").sum()),
        "n_comparison": int((sample.data["group"] == "patient").sum()),
        "estimate": share.value,
        "ci_low": share.ci_low,
        "ci_high": share.ci_high,
        "ci90_low": share_90.ci_low,
        "ci90_high": share_90.ci_high,
        "df": test.df_denominator,
        "p": p,
    }


def _describe_level(
    level: str, modifier: str, sample: Sample, X: pd.DataFrame, fit: LinearFit, confidence: float
) -> Row:
    """Give the difference within one subgroup, from the model of all."""
    effect = Effect(of="group", weights={"patient": 1.0, "control": -1.0}, where={modifier: level})
    test = estimate_contrast(fit, find_contrast(effect, sample.data, X.design_info))
    g = standardise_difference(float(test.t[0]), fit.df, test.unit_variance, confidence)
    return {"g": g.g, "ci_low": g.g_ci_low, "ci_high": g.g_ci_high}
