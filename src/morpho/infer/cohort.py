"""Stage 1 of inference: join the volumes of all scans with the participants, and record everyone who is lost.

Takes the tables of the scans, gives one row per measured scan, and the exclusions with their reasons. No model is
fitted and no value is filled in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd

from morpho.errors import DesignError
from morpho.failures import Failure
from morpho.infer.join import join_participants
from morpho.rois import VOLUMES
from morpho.tables import describe_column
from morpho.user_tables import list_some

logger = logging.getLogger(__name__)

VOLUME_COLUMNS = ["participant_id", "session_id", "scan", "roi", "hemisphere", "volume_mm3"]
EXCLUSION_COLUMNS = ["participant_id", "session_id", "scan", "stage", "reason"]
KEYS = ["participant_id", "session_id", "scan"]
INPUT_KINDS = {
    "whole_head": "scan of the whole head",
    "extracted": "brain extracted before it came to morpho",
    "table": "no scan: the volumes come from a table that was made elsewhere",
}
NO_SCAN = "no T1w scan found"
NOT_LISTED = "not in participants.tsv: measured, but without group, sex, age, site and severity"


def gather_volumes(tables: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Put the volumes of all measured scans into one long table.

    Parameters
    ----------
    tables
        Rows of their tables: columns scan, roi, hemisphere, volume_mm3 (`morpho.tables.read_tables`).
    scans
        The scans table (`morpho.bids.find_scans`).

    Returns
    -------
    Columns of `VOLUME_COLUMNS`, in the order of `scans`.

    Raises
    ------
    DesignError
        If a table belongs to no chosen scan.
    """
    chosen = scans[scans["chosen"]]
    _check_known(dict.fromkeys(tables["scan"].unique().tolist()), chosen, "volumes")
    if tables.empty:
        return pd.DataFrame(columns=VOLUME_COLUMNS)
    return chosen[KEYS].merge(tables, on="scan", how="inner", sort=False)[VOLUME_COLUMNS]


def assemble_cohort(
    volumes: pd.DataFrame,
    scans: pd.DataFrame,
    participants: pd.DataFrame | None,
    failures: Mapping[str, Failure],
    *,
    input_kinds: Mapping[str, str],
    without_scan: str = NO_SCAN,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join volumes with participants, one row per measured scan, and list who is lost and why.

    Parameters
    ----------
    volumes
        Long table: columns participant_id, session_id, scan, roi, hemisphere, volume_mm3.
    scans
        The scans table: one row per T1w found, columns scan, participant_id, session_id, path, chosen, reason.
    participants
        From `morpho.covariates.standardise_participants`; None if the cohort has no table. See
        `morpho.infer.join.join_participants`.
    failures
        Scan -> why it was not measured.
    input_kinds
        Scan -> one of `INPUT_KINDS`, for every measured scan.
    without_scan
        Reason for people of `participants` who are not in `scans`.

    Returns
    -------
    cohort
        Columns participant_id, session_id, scan, input_kind, the columns of `participants` (missing for people who
        are not in it), then one column ``<roi>_<hemisphere>_mm3`` per region; in the order of `scans`.
    exclusions
        Columns participant_id, session_id, scan, stage, reason. Stage "scans": a person of whom no scan was chosen;
        "measure": a chosen scan that failed; "cohort": a measured scan without a row in `participants`, which stays
        in the cohort but cannot enter a model.

    Raises
    ------
    DesignError
        If a scan is both or neither measured and failed, is not among the chosen, has a volume twice, if its kind of
        input is unknown, or if a participant has two rows for one session.
    """
    chosen = scans.loc[scans["chosen"], KEYS]
    _check_scans(volumes, chosen, failures, input_kinds)
    wide = _widen(volumes)
    cohort = chosen[chosen["scan"].isin(wide.index)].reset_index(drop=True)
    cohort["input_kind"] = cohort["scan"].map(dict(input_kinds)).astype("str")
    if participants is not None:
        cohort = join_participants(cohort, participants)
    cohort = cohort.merge(wide, left_on="scan", right_index=True, how="left")
    _check_one_row_each(cohort)
    exclusions = _list_exclusions(cohort, scans, participants, failures, without_scan)
    logger.info("cohort: %d of %d chosen scans measured, %d exclusions", len(cohort), len(chosen), len(exclusions))
    return cohort, exclusions


def _keys_of(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Participant, session and scan of each row."""
    return [{key: str(row[key]) for key in KEYS} for row in rows[KEYS].to_dict("records")]


def _check_known(given: Mapping[str, object], chosen: pd.DataFrame, what: str) -> None:
    """Refuse results of scans that are not chosen: left over from an earlier run."""
    unknown = sorted(set(given).difference(chosen["scan"]))
    if unknown:
        message = (
            f"There are {what} of scans that are not chosen: {list_some(unknown)}. They are left over from an earlier "
            "choice of scans; give only results of chosen scans."
        )
        raise DesignError(message)


def _check_scans(
    volumes: pd.DataFrame, chosen: pd.DataFrame, failures: Mapping[str, Failure], input_kinds: Mapping[str, str]
) -> None:
    """Refuse tables that do not account for every chosen scan exactly once."""
    measured = set(volumes["scan"])
    _check_known(dict.fromkeys(measured), chosen, "volumes")
    _check_known(failures, chosen, "failure notes")
    problems = {
        "are both measured and failed": measured.intersection(failures),
        "are neither measured nor failed": set(chosen["scan"]) - measured - set(failures),
        f"have no input kind of {', '.join(INPUT_KINDS)}": {
            scan for scan in measured if input_kinds.get(scan) not in INPUT_KINDS
        },
        "have a volume more than once": set(
            volumes.loc[volumes.duplicated(["scan", "roi", "hemisphere"]), "scan"].tolist()
        ),
    }
    found = [f"scans that {what}: {list_some(sorted(scans))}" for what, scans in problems.items() if scans]
    if found:
        message = f"The cohort cannot be assembled; there are {'; '.join(found)}. Measure these scans again."
        raise DesignError(message)


def _widen(volumes: pd.DataFrame) -> pd.DataFrame:
    """One row per scan (the index), one column per region and hemisphere, in the order of `volumes`.

    `pivot_table` would drop a volume that no scan has, such as the intracranial volume of brain-extracted scans.
    """
    columns = volumes["roi"].astype("str") + "_" + volumes["hemisphere"].astype("str") + "_mm3"
    wide = volumes.assign(column=columns).pivot(index="scan", columns="column", values="volume_mm3")  # noqa: PD010
    return wide[list(dict.fromkeys(columns))].astype("float64")


def _check_one_row_each(cohort: pd.DataFrame) -> None:
    """Refuse a cohort in which someone has two rows for one session."""
    twice = cohort[cohort.duplicated(["participant_id", "session_id"])]
    if len(twice):
        message = (
            f"The cohort has more than one row for: {list_some(sorted(set(twice['scan'])))}. There must be one per "
            "participant and session: one chosen T1w and one row in participants.tsv."
        )
        raise DesignError(message)


def _list_exclusions(
    cohort: pd.DataFrame,
    scans: pd.DataFrame,
    participants: pd.DataFrame | None,
    failures: Mapping[str, Failure],
    without_scan: str,
) -> pd.DataFrame:
    """List people without a chosen scan, failed scans, and measured scans without a row in the participants table."""
    with_scan = set(scans.loc[scans["chosen"], "participant_id"])
    reasons = scans.groupby("participant_id", sort=True)["reason"].unique()
    lost = {str(name): "; ".join(reasons[name]) for name in reasons.index if name not in with_scan}
    listed = participants["participant_id"].tolist() if participants is not None else []
    lost |= {name: without_scan for name in listed if name not in reasons.index}
    rows = [
        {"participant_id": name, "session_id": "", "scan": "", "stage": "scans", "reason": reason}
        for name, reason in sorted(lost.items())
    ]
    for keys in _keys_of(scans[scans["chosen"] & scans["scan"].isin(list(failures))]):
        failure = failures[keys["scan"]]
        reason = f"{failure.stage} failed: {failure.reason} (log: {failure.log})"
        rows.append({**keys, "stage": "measure", "reason": reason})
    if participants is not None:
        unlisted = _keys_of(cohort[~cohort["participant_id"].isin(listed)])
        rows += [{**keys, "stage": "cohort", "reason": NOT_LISTED} for keys in unlisted]
    return pd.DataFrame(rows, columns=EXCLUSION_COLUMNS, dtype="str")


def describe_volumes() -> dict[str, dict[str, object]]:
    """Describe the columns of the long table of volumes."""
    return _describe_keys() | {name: VOLUMES[name] for name in ("roi", "hemisphere", "volume_mm3")}


def describe_cohort(
    cohort: pd.DataFrame, covariates: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """Describe the columns of a cohort table.

    Parameters
    ----------
    cohort
        From `assemble_cohort`.
    covariates
        Dictionary of the participants table (`morpho.covariates.describe_participants`).
    """
    described = {**_describe_keys(), "input_kind": describe_column("What the T1w shows", levels=INPUT_KINDS)}
    described |= {name: dict(entry) for name, entry in covariates.items() if name not in described}
    for column in map(str, cohort.columns):
        if column.endswith("_mm3"):
            roi, hemisphere = column.removesuffix("_mm3").rsplit("_", 1)
            described[column] = describe_column(f"Volume of {roi}, hemisphere {hemisphere}", units="mm^3")
    return described


def describe_exclusions() -> dict[str, dict[str, object]]:
    """Describe the columns of the exclusions table."""
    stages = {
        "scans": "no scan of this person was chosen",
        "measure": "the scan could not be measured",
        "cohort": "measured, but cannot be joined",
        "quality": "measured, but left out by quality control or by people",
        "models": "measured, but not in a model",
    }
    return {
        **_describe_keys(),
        "stage": describe_column("Where the person or scan was lost", levels=stages),
        "reason": describe_column("Why, in words"),
    }


def _describe_keys() -> dict[str, dict[str, object]]:
    """Describe the identifying columns."""
    return {
        "participant_id": describe_column("Participant"),
        "session_id": describe_column("Session; n/a if there are none, or if all sessions are meant"),
        "scan": describe_column("Participant and session as in file names; n/a if no scan was chosen"),
    }
