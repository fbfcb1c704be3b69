"""Count the participants and scans that are left at every step from the BIDS folder to the groups."""

from __future__ import annotations

import pandas as pd

from morpho.tables import describe_column


def count_flow(scans: pd.DataFrame, cohort: pd.DataFrame, participants: pd.DataFrame | None) -> pd.DataFrame:
    """Count participants and scans at every step from the BIDS folder to the groups.

    Parameters
    ----------
    scans, participants
        As in `morpho.infer.cohort.assemble_cohort`.
    cohort
        From `morpho.infer.cohort.assemble_cohort`.

    Returns
    -------
    One row per step, columns ``step`` (found, chosen, measured, with_participants_row, then group once per group and
    for people without one), ``group`` ("" but in the last rows; "none" for people without a group), ``n_participants``
    and ``n_scans``. Steps that need a table which the cohort lacks are absent.
    """
    steps = [
        ("found", "", scans[scans["path"] != ""]),
        ("chosen", "", scans[scans["chosen"]]),
        ("measured", "", cohort),
    ]
    if participants is not None:
        listed = cohort[cohort["participant_id"].isin(participants["participant_id"])]
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
        "step": describe_column("Step from the BIDS folder to the groups"),
        "group": describe_column("Group, in the last rows; n/a before, none for people without a group"),
        "n_participants": describe_column("Participants left", units="people"),
        "n_scans": describe_column("Scans left", units="scans"),
    }
