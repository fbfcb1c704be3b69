"""Verdicts as sentences: what was found in the deciding regions, with intervals, and what it means for the claim."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from morpho.infer.claims.verdicts import MEANINGS, Verdict

NAMES = {
    "g": "g",
    "partial_r": "partial r",
    "partial_eta_squared": "partial eta squared",
    "log_odds_ratio": "log odds ratio per SD",
    "log_variance_ratio": "log variance ratio",
    "log_rate_ratio": "log rate ratio",
    "auc": "AUC",
    "d_z": "d_z",
}
LISTED = 6
SAME = 1e-9


def say_claim(verdict: Verdict, rows: pd.DataFrame, deciding: pd.DataFrame) -> str:
    """Say what a sample shows about a claim.

    Parameters
    ----------
    verdict
        On the claim.
    rows
        All its rows, with status and reason.
    deciding
        The rows that were judged, with the simultaneous interval and the expected effect.

    Returns
    -------
    Two or three sentences: the verdict, what it means, and the numbers of the deciding regions.
    """
    refused = rows[rows["decides"] & (rows["status"] == "refused")]
    if verdict == "not estimable":
        reasons = list(dict.fromkeys(refused["reason"].dropna()))
        return f"Not estimable: {reasons[0].rstrip('.')}."
    listed = [
        say_row(row) + (f": {row['verdict']}" if row.get("verdict", verdict) != verdict else "")
        for row in deciding.head(LISTED).to_dict("records")
    ]
    more = f"; and {len(deciding) - LISTED} more" if len(deciding) > LISTED else ""
    regions = [roi.replace("_", " ") for roi in dict.fromkeys(refused["roi"]) if roi]
    missing = f" Not estimable in {', '.join(regions)}." if regions else ""
    return f"{verdict.capitalize()}: {MEANINGS[verdict]}. {'; '.join(listed)}{more}.{missing}"


def say_row(row: Mapping[Hashable, Any]) -> str:
    """Say one deciding row: region, effect with simultaneous interval, claimed effect, people."""
    place = " ".join(str(row[name]) for name in ("hemisphere", "roi") if row.get(name) and row[name] != "mean")
    size = NAMES.get(str(row["effect_size"]), str(row["effect_size"]))
    numbers = [
        float(str(row[name])) for name in ("estimate", "simultaneous_ci_low", "simultaneous_ci_high", "expected")
    ]
    estimate, low, high, expected = numbers
    text = f"{place.replace('_', ' ')} {size} {estimate:.2f} [{low:.2f}, {high:.2f}]".strip()
    people = f", n = {int(float(str(row['n'])))}" if pd.notna(row.get("n")) else ""
    is_own = bool(abs(abs(expected) - float(str(row["smallest_effect"]))) > SAME)
    word = "claimed" if is_own else "smallest of interest"
    claimed = f", {word} {expected:.2f}" if row.get("direction") != "either" else ""
    return f"{text}{claimed}{people} ({row.get('contrast', '')})"
