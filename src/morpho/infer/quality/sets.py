"""The same analysis in other sets of scans: what quality control and human decisions do to an effect.

Takes the decisions about scans and makes one study for each set; an analysis is run in all of them, and their effects
stand beside the main ones. Scans are left out before anybody's first session is chosen, so that a person whose first
scan is bad enters with the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pandas as pd

from morpho.errors import DesignError
from morpho.infer.quality.decisions import SCAN_FACTS
from morpho.infer.quality.set_names import SET_COLUMNS, SET_COUNTS, SETS
from morpho.infer.study import Study, prepare_study
from morpho.user_tables import list_some

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class StudySets:
    """The study that is reported, and those of the other sets by name; sets that are not known are absent.

    A set with the same scans as the main one, or as another, is the same object. `left_out` lists who does not enter
    the cross-section of the main study. Other sets are not permuted.
    """

    main: Study
    others: Mapping[str, Study]
    left_out: pd.DataFrame

    def change(self, change: Callable[[Study], Study]) -> StudySets:
        """Change every study, each distinct one once."""
        main = change(self.main)
        return StudySets(main, run_others(self.main, self.others, main, change), self.left_out)


@dataclass(frozen=True)
class EffectColumns:
    """Where a table has its effects: columns that tell rows apart, effect, limits, and counts that add up to n."""

    keys: tuple[str, ...]
    effect: str
    ci_low: str
    ci_high: str
    n: tuple[str, ...]


_PLACE = ("family", "roi", "hemisphere")
_CLAIM = ("claim_id", "test", *_PLACE)
_SHARED = ("estimate", "ci_low", "ci_high")
_G, _PARTIAL_R = ("g", "g_ci_low", "g_ci_high"), ("partial_r", "partial_r_ci_low", "partial_r_ci_high")
_G_SHORT, _GROUPS = ("g", "ci_low", "ci_high"), ("n_reference", "n_comparison")
_AUC = ("auc", "auc_ci_low", "auc_ci_high")
_PREDICTED = ("claim_id", "test", "scheme")

EFFECT_TABLES: Mapping[str, EffectColumns] = {
    "group_comparison": EffectColumns(_PLACE, *_G, _GROUPS),
    "severity_association": EffectColumns(("scale", *_PLACE), *_PARTIAL_R, ("n",)),
    "claim_tests": EffectColumns((*_CLAIM, "contrast"), *_SHARED, ("n",)),
    "contrasts": EffectColumns(_CLAIM, *_G, ("n",)),
    "associations": EffectColumns(_CLAIM, *_PARTIAL_R, ("n",)),
    "interactions": EffectColumns(_CLAIM, *_SHARED, ("n",)),
    "change": EffectColumns((*_CLAIM, "kind", "contrast", "arm"), *_SHARED, ("n_pairs",)),
    "outcome": EffectColumns(
        (*_CLAIM, "outcome"), "log_odds_ratio", "log_odds_ratio_ci_low", "log_odds_ratio_ci_high", ("n",)
    ),
    "prediction": EffectColumns((*_PREDICTED, "model"), *_AUC, ("n",)),
    "prediction_subgroups": EffectColumns((*_PREDICTED, "subgroup", "level"), *_AUC, ("n",)),
    "site_effects": EffectColumns((*_CLAIM, "site"), *_G_SHORT, _GROUPS),
    "site_pooled": EffectColumns(_CLAIM, *_G_SHORT, _GROUPS),
    "subgroups": EffectColumns((*_CLAIM, "modifier", "subgroup"), *_G_SHORT, _GROUPS),
    "variability": EffectColumns(_CLAIM, "log_variance_ratio", "ci_low", "ci_high", _GROUPS),
}


def prepare_sets(
    cohort: pd.DataFrame, decisions: pd.DataFrame, models: Mapping[str, Any], participants: Mapping[str, Any]
) -> StudySets:
    """Make the studies of the main set and of all others.

    Parameters
    ----------
    cohort
        One row per measured scan (``cohort.tsv``).
    decisions
        One row per chosen scan (``scan_decisions.tsv``).
    models, participants
        Blocks of the configuration, without removed entries.

    Returns
    -------
    Studies. All use the settings of the main one, so that head size is the same measure in all of them.

    Raises
    ------
    DesignError
        If a scan of the cohort has no decision.
    """
    unknown = sorted(set(cohort["scan"]) - set(decisions["scan"]))
    if unknown:
        message = f"scan_decisions.tsv has no row for {list_some(unknown)}. Run the rule decide_scans again."
        raise DesignError(message)
    chosen = _choose_sets(decisions[decisions["scan"].isin(cohort["scan"])])
    known = [name for name in SCAN_FACTS if name in decisions and decisions[name].notna().any()]
    cohort = cohort.join(decisions.set_index("scan")[known], on="scan") if known else cohort
    main, left_out = prepare_study(cohort[cohort["scan"].isin(chosen["main"])], models, participants)
    settings = replace(main.settings, n_permutations=0)
    studies, others = {chosen["main"]: main}, {}
    for name in (name for name in SETS if name in chosen):
        scans = chosen[name]
        if scans not in studies:
            study, _ = prepare_study(cohort[cohort["scan"].isin(scans)], models, participants)
            studies[scans] = replace(study, settings=settings)
        others[name] = studies[scans]
    counts = ", ".join(f"{name} {len(scans)}" for name, scans in chosen.items())
    logger.info("scans of %d in each set: %s", len(cohort), counts)
    return StudySets(main, others, left_out)


def _choose_sets(decisions: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Choose the scans of each set, given the decisions about measured scans."""
    judged, rated = (decisions[name].fillna("") != "" for name in ("automatic_decision", "raters"))
    main = decisions["decision"] == "keep"
    chosen = {"main": main}
    if judged.any() or rated.any():
        chosen["all_scans"] = pd.Series(data=True, index=decisions.index)
    if judged.any():
        chosen["unflagged"] = main & ~decisions["flagged"].astype(bool)
    if rated.any():
        chosen["human"] = decisions["human_decision"] != "exclude"
    return {name: frozenset(decisions.loc[inside, "scan"]) for name, inside in chosen.items()}


def run_others(
    main: Study, others: Mapping[str, Study], result: Result, run: Callable[[Study], Result]
) -> dict[str, Result]:
    """Run an analysis in every other set, but only once for sets with the same scans.

    Parameters
    ----------
    main, others
        Studies of `StudySets`.
    result
        What the analysis gave for the main study.
    run
        The analysis.

    Returns
    -------
    Set -> what the analysis gave; the result of the main study itself where the scans are the same.
    """
    known = {id(main): result}
    for name, study in others.items():
        if id(study) not in known:
            logger.info("once more %s", SETS[name])
            known[id(study)] = run(study)
    return {name: known[id(study)] for name, study in others.items()}


def add_effects(table: pd.DataFrame, others: Mapping[str, pd.DataFrame], where: EffectColumns) -> pd.DataFrame:
    """Put the effects of the other sets beside the main ones.

    Parameters
    ----------
    table
        Rows of the main analysis.
    others
        Set -> the rows of the same analysis there.
    where
        Which columns hold keys, effect, limits and counts.

    Returns
    -------
    `table` with the columns of `morpho.infer.quality.set_names.SET_COLUMNS`; missing where a set is not known, or has
    no such row.
    """
    keys = [name for name in where.keys if name in table]
    joined = table.reset_index(drop=True)
    for name, other in others.items():
        numbers = other.reindex(columns=[where.effect, where.ci_low, where.ci_high]).astype("float64")
        numbers.columns = pd.Index([f"{column}_{name}" for column in ("effect", "ci_low", "ci_high")])
        counts = other.reindex(columns=list(where.n)).astype("float64")
        numbers.insert(0, f"n_{name}", counts.sum(axis=1, skipna=False))
        rows = other.reindex(columns=keys).astype(object).join(numbers).drop_duplicates(keys)
        place = joined[keys].astype(object).merge(rows, on=keys, how="left").drop(columns=keys)
        joined = joined.join(place.set_index(joined.index))
    joined = joined.reindex(columns=[*table.columns, *SET_COLUMNS])
    return joined.astype({name: "Int64" if name in SET_COUNTS else "float64" for name in SET_COLUMNS})
