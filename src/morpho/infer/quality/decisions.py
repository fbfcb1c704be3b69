"""Which scans the statistics take: what quality control says, and what people say, who have the last word.

Takes the verdicts on the chosen scans and the table of human decisions; gives one row per chosen scan, how far two
raters agree, and the exclusions that follow.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection

import numpy as np
import pandas as pd
from statsmodels.stats.inter_rater import cohens_kappa

from morpho.infer.quality.dictionaries import RATER_AGREEMENT, SCAN_DECISIONS
from morpho.qc_decisions import DECISIONS

logger = logging.getLogger(__name__)

KEYS = ["participant_id", "session_id", "scan"]
SCAN_FACTS = ("quality_index", "voxel_volume_mm3")  # of metrics.tsv, for analyses that need to know
STAGE = "quality"


def decide_scans(
    scans: pd.DataFrame, measured: Collection[str], metrics: pd.DataFrame | None, human: pd.DataFrame | None
) -> pd.DataFrame:
    """Decide about every chosen scan.

    Parameters
    ----------
    scans
        The scans table.
    measured
        Scans with volumes.
    metrics
        Verdicts (``metrics.tsv``); None where volumes come from a table, and nothing is known of scans.
    human
        From `morpho.qc_decisions.read_decisions`; None if there is no such table.

    Returns
    -------
    Columns of `morpho.infer.quality.dictionaries.SCAN_DECISIONS`. The latest decision of each rater counts; more for
    keeping than for excluding is "keep", the other way round "exclude", else "unsure", which leaves the automatic
    decision. A scan that was not measured cannot be kept.
    """
    table = scans.loc[scans["chosen"], KEYS].reset_index(drop=True)
    table["automatic_decision"] = ""
    table[list(SCAN_FACTS)] = np.nan
    table["flagged"] = pd.Series(np.nan, index=table.index, dtype=object)
    if metrics is not None:
        verdicts = table["scan"].map(metrics.set_index("scan")["verdict"])
        table["automatic_decision"] = np.where(verdicts == "failed", "exclude", "keep")
        table["flagged"] = (verdicts != "passed").astype(bool)
        for fact in (name for name in SCAN_FACTS if name in metrics):
            table[fact] = table["scan"].map(metrics.set_index("scan")[fact]).astype(float)
    voted = _count_votes(human, table["scan"]) if human is not None else pd.DataFrame()
    for column in ("human_decision", "raters", "human_reason"):
        table[column] = table["scan"].map(voted[column]).fillna("") if len(voted) else ""
    is_measured = table["scan"].isin(list(measured))
    is_human = table["human_decision"].isin(["keep", "exclude"]) & is_measured
    decided = table["human_decision"].where(is_human, table["automatic_decision"].replace("", "keep"))
    table["decision"] = decided.where(is_measured, "exclude")
    table["basis"] = np.where(is_human, "human", "automatic")
    _log_decisions(table, is_measured)
    return table[list(SCAN_DECISIONS)]


def list_excluded(decisions: pd.DataFrame, measured: Collection[str], metrics: pd.DataFrame | None) -> pd.DataFrame:
    """List the measured scans that the statistics leave out, with the reason.

    Parameters
    ----------
    decisions
        From `decide_scans`.
    measured, metrics
        As for `decide_scans`.

    Returns
    -------
    Columns participant_id, session_id, scan, stage ("quality"), reason.
    """
    out = decisions[(decisions["decision"] == "exclude") & decisions["scan"].isin(list(measured))]
    reasons = {} if metrics is None else dict(zip(metrics["scan"], metrics["reason"].fillna(""), strict=True))
    said = [
        _say_exclusion(row["basis"], row["raters"], row["human_reason"], reasons.get(row["scan"], ""))
        for row in out.to_dict("records")
    ]
    return out[KEYS].assign(stage=STAGE, reason=said).reset_index(drop=True).astype("str")


def agree_raters(human: pd.DataFrame | None) -> pd.DataFrame:
    """Measure how far each two raters agree on the scans that both rated.

    Parameters
    ----------
    human
        From `morpho.qc_decisions.read_decisions`, or None.

    Returns
    -------
    Columns of `morpho.infer.quality.dictionaries.RATER_AGREEMENT`, one row per pair of raters with scans in common.

    Notes
    -----
    Kappa and its standard error: Fleiss JL, Cohen J, Everitt BS, Psychological Bulletin 1969;72:323-327,
    doi:10.1037/h0028106.
    """
    rows = []
    latest = _take_latest(human) if human is not None else pd.DataFrame(columns=["rater", "scan", "decision"])
    said = {rater: part.set_index("scan")["decision"] for rater, part in latest.groupby("rater", sort=True)}
    for one, other in itertools.combinations(said, 2):
        both = pd.concat([said[one], said[other]], axis="columns", join="inner", keys=["one", "other"])
        if both.empty:
            continue
        n_same = int((both["one"] == both["other"]).sum())
        logger.info("%s and %s agree on %d of %d scans", one, other, n_same, len(both))
        shares = {"n_scans": len(both), "agreement": n_same / len(both)}
        rows.append({"rater_1": one, "rater_2": other, **shares, **_measure_kappa(both)})
    table = pd.DataFrame(rows, columns=list(RATER_AGREEMENT))
    kinds = dict.fromkeys(("agreement", "kappa", "kappa_ci_low", "kappa_ci_high"), "float64")
    return table.astype(kinds | {"n_scans": "Int64"})


def _take_latest(human: pd.DataFrame) -> pd.DataFrame:
    """Take the latest row of each rater about each scan."""
    ordered = human.sort_values(["scan", "rater", "date"], kind="stable")
    return ordered.drop_duplicates(["scan", "rater"], keep="last")


def _count_votes(human: pd.DataFrame, scans: pd.Series[str]) -> pd.DataFrame:
    """Count what raters said of each scan: decision, raters and reasons, index scan."""
    latest = _take_latest(human[human["scan"].isin(scans)])
    rows = {}
    for scan, part in latest.groupby("scan", sort=True):
        n_keep, n_exclude = ((part["decision"] == name).sum() for name in ("keep", "exclude"))
        rows[scan] = {
            "human_decision": "keep" if n_keep > n_exclude else "exclude" if n_exclude > n_keep else "unsure",
            "raters": ", ".join(part["rater"] + ": " + part["decision"]),
            "human_reason": "; ".join(dict.fromkeys(reason for reason in part["reason"] if reason)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _measure_kappa(both: pd.DataFrame) -> dict[str, object]:
    """Measure the agreement of two raters, whose decisions are the columns."""
    if len(set(both.to_numpy().ravel())) < 2:
        return {"reason": f"both say '{both['one'].iloc[0]}' of all scans, so that kappa is not defined"}
    counts = pd.crosstab(both["one"], both["other"]).reindex(index=DECISIONS, columns=DECISIONS, fill_value=0)
    kappa = cohens_kappa(counts.to_numpy())
    limits = {"kappa_ci_low": float(kappa.kappa_low), "kappa_ci_high": min(float(kappa.kappa_upp), 1.0)}
    return {"kappa": float(kappa.kappa), **limits, "reason": ""}


def _say_exclusion(basis: str, raters: str, human_reason: str, reason: str) -> str:
    """Say why a measured scan is left out."""
    if basis == "human":
        because = f": {human_reason}" if human_reason else ""
        return f"excluded by people ({raters}){because}"
    return f"quality control: {reason}"


def _log_decisions(table: pd.DataFrame, is_measured: pd.Series[bool]) -> None:
    """Log how many scans are kept, and where people overrule quality control, or could not."""
    logger.info("%d of %d measured scans kept", (table["decision"] == "keep").sum(), is_measured.sum())
    overruled = table[(table["basis"] == "human") & (table["decision"] != table["automatic_decision"])]
    for row in overruled[overruled["automatic_decision"] != ""].to_dict("records"):
        logger.info("%s: people %s it (%s), against quality control", row["scan"], row["decision"], row["raters"])
    lost = table.loc[~is_measured & (table["human_decision"] == "keep"), "scan"]
    for scan in lost:
        logger.warning("%s: people keep it, but it could not be measured", scan)
