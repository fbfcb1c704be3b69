"""Count the participants and scans that are left at every step from the BIDS folder to the groups."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from morpho.tables import describe_column

MEASURED_COLUMNS = frozenset({"participant_id", "session_id", "scan", "input_kind"})
LEVELS = {
    "found": "T1w images in the BIDS folder",
    "chosen": "one of each participant and session",
    "measured": "with volumes",
    "kept": "left in the statistics by quality control and people",
    "with_participants_row": "of these, with a row in participants.tsv",
    "group": "of these, in a group",
}


def count_flow(
    scans: pd.DataFrame, cohort: pd.DataFrame, exclusions: pd.DataFrame, kept: Collection[str]
) -> pd.DataFrame:
    """Count participants and scans at every step from the BIDS folder to the groups.

    Parameters
    ----------
    scans
        The scans table.
    cohort, exclusions
        From `morpho.infer.cohort.assemble_cohort`.
    kept
        Scans that the statistics take.

    Returns
    -------
    One row per step, columns ``step`` (found, chosen, measured, kept, with_participants_row, then group once per group
    and for people without one), ``group`` ("" but in the last rows; "none" for people without a group),
    ``n_participants`` and ``n_scans``. Steps that need a table which the cohort lacks are absent.
    """
    left = cohort[cohort["scan"].isin(list(kept))]
    steps = [
        ("found", "", scans[scans["path"] != ""]),
        ("chosen", "", scans[scans["chosen"]]),
        ("measured", "", cohort),
        ("kept", "", left),
    ]
    unlisted = exclusions.loc[exclusions["stage"] == "cohort", "scan"]
    known = [name for name in cohort.columns if name not in MEASURED_COLUMNS and not str(name).endswith("_mm3")]
    if known or len(unlisted):
        listed = left[~left["scan"].isin(unlisted)]
        steps.append(("with_participants_row", "", listed))
        if "group" in listed:
            groups = listed["group"].astype("str").fillna("none")
            steps += [("group", str(name), listed[groups == name]) for name in sorted(set(groups))]
    return pd.DataFrame(
        [
            {"step": step, "group": group, "n_participants": rows["participant_id"].nunique(), "n_scans": len(rows)}
            for step, group, rows in steps
        ]
    )


def describe_flow() -> dict[str, dict[str, object]]:
    """Describe the columns of the flow table."""
    return {
        "step": describe_column("Step from the BIDS folder to the groups", levels=LEVELS),
        "group": describe_column("Group, in the last rows; n/a before, none for people without a group"),
        "n_participants": describe_column("Participants left", units="people"),
        "n_scans": describe_column("Scans left", units="scans"),
    }
