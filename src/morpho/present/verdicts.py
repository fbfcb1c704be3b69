"""Rows of the table of claims in words: what was judged, what was not, and what that would take."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from morpho.present.wording import join_words, text_or

Row = Mapping[Hashable, Any]

VERDICTS = ("consistent", "contrary", "inconclusive", "equivalent to none", "not estimable")
DESCRIBED = "described only"
NEED_NAMES = {"visit_2": "a second session"}
JUDGED_STATUS = ("tested", "described")


def is_judged(row: Row) -> bool:
    """Tell whether tests of a claim were made."""
    return row["status"] in JUDGED_STATUS


def name_verdict(row: Row) -> str:
    """Name the verdict on a claim; a claim with tests but without a deciding one is described only."""
    return DESCRIBED if row["status"] == "described" else text_or(row["verdict"], "not estimable")


def split_needs(row: Row) -> list[str]:
    """Split what a claim needs, each column or kind of variable once."""
    return list(dict.fromkeys(part.strip() for part in text_or(row["needs"]).split(",") if part.strip()))


def say_needs(row: Row) -> str:
    """Say in few words why a claim was not tested: what it needs, or that T1w scans cannot answer it."""
    if row["status"] == "out_of_reach":
        return "Out of reach of T1w scans."
    needs = [NEED_NAMES.get(name, name.replace("_", " ")) for name in split_needs(row)]
    return f"Needs {join_words(needs)}." if needs else text_or(row["sentence"])


def group_verdicts(claims: pd.DataFrame) -> dict[str, list[str]]:
    """Group the tested claims by verdict: verdict -> identifiers, in the order of `VERDICTS`, described ones last."""
    groups: dict[str, list[str]] = {name: [] for name in (*VERDICTS, DESCRIBED)}
    for row in claims.to_dict("records"):
        if is_judged(row):
            groups.setdefault(name_verdict(row), []).append(str(row["claim_id"]))
    return {name: ids for name, ids in groups.items() if ids}
