"""The cohort table: everyone is in it once, or in the exclusions with a reason."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.errors import DesignError
from morpho.failures import Failure
from morpho.infer.cohort import (
    EXCLUSION_COLUMNS,
    NO_SCAN,
    NOT_LISTED,
    VOLUME_COLUMNS,
    assemble_cohort,
    describe_cohort,
    describe_exclusions,
    describe_volumes,
    gather_volumes,
)
from morpho.infer.flow import count_flow, describe_flow
from morpho.tables import read_table, write_table


@dataclasses.dataclass
class Study:
    """Six people: measured once, in two sessions, failed, without row, without T1w, never scanned."""

    scans: pd.DataFrame
    volumes: pd.DataFrame
    participants: pd.DataFrame | None
    failures: dict[str, Failure]
    input_kinds: dict[str, str]

    def assemble(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return assemble_cohort(self.volumes, self.scans, self.participants, self.failures, input_kinds=self.input_kinds)


def volumes_of(scan: str, left_mm3: float) -> pd.DataFrame:
    rows = [
        ("hippocampus", "L", left_mm3),
        ("hippocampus", "R", left_mm3 + 2),
        ("hippocampus", "mean", left_mm3 + 1),
        ("tiv", "whole", np.nan),
    ]
    return pd.DataFrame(rows, columns=["roi", "hemisphere", "volume_mm3"]).assign(scan=scan)


@pytest.fixture
def study() -> Study:
    rows = [
        ("sub-01", "", "sub-01/anat/sub-01_T1w.nii", True, ""),
        ("sub-01", "", "sub-01/anat/sub-01_run-2_T1w.nii", False, "sub-01_T1w.nii was chosen: lower run"),
        ("sub-02", "ses-1", "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii", True, ""),
        ("sub-02", "ses-2", "sub-02/ses-2/anat/sub-02_ses-2_T1w.nii", True, ""),
        ("sub-03", "", "sub-03/anat/sub-03_T1w.nii", True, ""),
        ("sub-04", "", "sub-04/anat/sub-04_T1w.nii", True, ""),
        ("sub-05", "", "", False, "no T1w image in anat/"),
    ]
    scans = pd.DataFrame(rows, columns=["participant_id", "session_id", "path", "chosen", "reason"])
    scans["scan"] = (scans["participant_id"] + "_" + scans["session_id"]).str.removesuffix("_")
    measured = {"sub-04": 40.0, "sub-01": 10.0, "sub-02_ses-1": 20.0, "sub-02_ses-2": 21.0}
    return Study(
        scans=scans,
        volumes=gather_volumes(pd.concat([volumes_of(scan, value) for scan, value in measured.items()]), scans),
        participants=pd.DataFrame(
            {
                "participant_id": ["sub-06", "sub-05", "sub-03", "sub-02", "sub-01"],
                "group": ["patient", "control", "control", "patient", np.nan],
                "age_years": [60.0, 50.0, 30.0, 20.0, 10.0],
            }
        ),
        failures={"sub-03": Failure("segment", "no brain", "logs/measure_scan/sub-03.log")},
        input_kinds=dict.fromkeys(measured, "extracted"),
    )


def test_long_table_follows_the_scans(study: Study) -> None:
    assert study.volumes.columns.tolist() == VOLUME_COLUMNS
    assert study.volumes["scan"].unique().tolist() == ["sub-01", "sub-02_ses-1", "sub-02_ses-2", "sub-04"]
    assert len(study.volumes) == 16


def test_one_row_per_measured_scan_with_its_own_values(study: Study) -> None:
    cohort, _ = study.assemble()
    assert cohort.columns.tolist() == [
        "participant_id",
        "session_id",
        "scan",
        "input_kind",
        "group",
        "age_years",
        "hippocampus_L_mm3",
        "hippocampus_R_mm3",
        "hippocampus_mean_mm3",
        "tiv_whole_mm3",
    ]
    assert cohort["scan"].tolist() == ["sub-01", "sub-02_ses-1", "sub-02_ses-2", "sub-04"]
    assert cohort["hippocampus_L_mm3"].tolist() == [10.0, 20.0, 21.0, 40.0]
    assert cohort["hippocampus_R_mm3"].tolist() == [12.0, 22.0, 23.0, 42.0]
    assert cohort["age_years"].fillna(-1).tolist() == [10.0, 20.0, 20.0, -1.0]
    assert cohort["group"].fillna("?").tolist() == ["?", "patient", "patient", "?"]
    assert cohort["tiv_whole_mm3"].isna().all()


def test_everyone_else_is_excluded_with_a_reason(study: Study) -> None:
    _, exclusions = study.assemble()
    assert exclusions.columns.tolist() == EXCLUSION_COLUMNS
    rows = {row["participant_id"]: (row["scan"], row["stage"], row["reason"]) for row in exclusions.to_dict("records")}
    assert rows == {
        "sub-03": ("sub-03", "measure", "segment failed: no brain (log: logs/measure_scan/sub-03.log)"),
        "sub-04": ("sub-04", "cohort", NOT_LISTED),
        "sub-05": ("", "scans", "no T1w image in anat/"),
        "sub-06": ("", "scans", NO_SCAN),
    }


def test_everyone_is_accounted_for(study: Study) -> None:
    cohort, exclusions = study.assemble()
    assert study.participants is not None
    everyone = set(study.scans["participant_id"]) | set(study.participants["participant_id"])
    assert set(cohort["participant_id"]) | set(exclusions["participant_id"]) == everyone


def test_reason_of_people_without_scan_can_be_another(study: Study) -> None:
    _, exclusions = assemble_cohort(
        study.volumes, study.scans, study.participants, study.failures, input_kinds=study.input_kinds, without_scan="x"
    )
    assert exclusions.set_index("participant_id").loc["sub-06", "reason"] == "x"


def test_values_that_change_over_time_belong_to_their_session(study: Study) -> None:
    assert study.participants is not None
    study.participants["session_id"] = ["", "", "", "ses-1", ""]
    later = {"participant_id": ["sub-02"], "session_id": ["ses-2"], "age_years": [21.5]}
    study.participants = pd.concat([study.participants, pd.DataFrame(later)])
    cohort, exclusions = study.assemble()
    assert cohort["age_years"].fillna(-1).tolist() == [10.0, 20.0, 21.5, -1.0]
    assert cohort["group"].fillna("?").tolist() == ["?", "patient", "patient", "?"]
    assert len(exclusions) == 4


def test_a_lost_visit_is_not_a_lost_person(study: Study) -> None:
    lost = study.scans["session_id"] == "ses-2"
    study.scans.loc[lost, ["chosen", "reason"]] = [False, "no T1w image in anat/"]
    study.volumes = study.volumes[study.volumes["session_id"] != "ses-2"]
    _, exclusions = study.assemble()
    assert "sub-02" not in set(exclusions["participant_id"])


def test_order_of_the_tables_makes_no_difference(study: Study) -> None:
    cohort, exclusions = study.assemble()
    assert study.participants is not None
    study.participants = study.participants.iloc[::-1]
    again, exclusions_again = study.assemble()
    pd.testing.assert_frame_equal(again, cohort)
    pd.testing.assert_frame_equal(exclusions_again, exclusions)


def test_cohort_without_participants_table_is_measured_all_the_same(study: Study) -> None:
    study.participants = None
    cohort, exclusions = study.assemble()
    assert len(cohort) == 4
    assert "group" not in cohort
    assert set(exclusions["stage"]) == {"scans", "measure"}


def test_cohort_in_which_every_scan_failed_is_empty(study: Study) -> None:
    study.failures = dict.fromkeys(study.volumes["scan"].unique(), study.failures["sub-03"]) | study.failures
    study.volumes = gather_volumes(pd.DataFrame({"scan": []}), study.scans)
    cohort, exclusions = study.assemble()
    assert len(cohort) == 0
    assert (exclusions["stage"] == "measure").sum() == 5


def spoil(study: Study, how: str) -> None:
    match how:
        case "stale volumes":
            study.scans.loc[study.scans["scan"] == "sub-04", "chosen"] = False
        case "stale failure":
            study.failures["sub-99"] = study.failures["sub-03"]
        case "both":
            study.failures["sub-01"] = study.failures["sub-03"]
        case "neither":
            study.failures = {}
        case "kind":
            study.input_kinds["sub-01"] = "head"
        case "volume twice":
            study.volumes = pd.concat([study.volumes, study.volumes.head(1)])
        case "participant twice":
            assert study.participants is not None
            study.participants = pd.concat([study.participants, study.participants.tail(1)])


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("stale volumes", "volumes of scans that are not chosen: sub-04"),
        ("stale failure", "failure notes of scans that are not chosen: sub-99"),
        ("both", "are both measured and failed: sub-01"),
        ("neither", "are neither measured nor failed: sub-03"),
        ("kind", "have no input kind of whole_head, extracted, table: sub-01"),
        ("volume twice", "have a volume more than once: sub-01"),
        ("participant twice", "more than one row for: sub-01"),
    ],
)
def test_tables_that_do_not_fit_are_refused(study: Study, how: str, reason: str) -> None:
    spoil(study, how)
    with pytest.raises(DesignError, match=reason):
        study.assemble()


def test_volumes_of_scans_that_are_not_chosen_are_not_gathered(study: Study) -> None:
    with pytest.raises(DesignError, match="not chosen: sub-05"):
        gather_volumes(volumes_of("sub-05", 1.0), study.scans)


def test_flow_counts_people_and_scans(study: Study) -> None:
    """A scan of somebody in a group is not kept; the person keeps the other session."""
    cohort, exclusions = study.assemble()
    kept = [scan for scan in cohort["scan"] if scan != "sub-02_ses-2"]
    flow = count_flow(study.scans, cohort, exclusions, kept)
    assert list(flow.itertuples(index=False, name=None)) == [
        ("found", "", 4, 6),
        ("chosen", "", 4, 5),
        ("measured", "", 3, 4),
        ("kept", "", 3, 3),
        ("with_participants_row", "", 2, 2),
        ("group", "none", 1, 1),
        ("group", "patient", 1, 1),
    ]
    nothing_known = cohort.drop(columns=["group", "age_years"])
    without = count_flow(study.scans, nothing_known, exclusions[exclusions["stage"] != "cohort"], kept)
    assert without["step"].tolist() == ["found", "chosen", "measured", "kept"]


def test_tables_are_described_and_survive_the_disk(study: Study, tmp_path: Path) -> None:
    cohort, exclusions = study.assemble()
    covariates: dict[str, Any] = {"group": {"Description": "Group"}, "age_years": {"Description": "Age"}}
    flow = count_flow(study.scans, cohort, exclusions, cohort["scan"])
    dictionaries = {
        "flow": (flow.assign(group=flow["group"].replace("", None)), describe_flow()),
        "cohort": (cohort, describe_cohort(cohort, covariates)),
        "exclusions": (exclusions, describe_exclusions()),
        "volumes": (study.volumes, describe_volumes()),
    }
    for name, (table, dictionary) in dictionaries.items():
        write_table(table, tmp_path / f"{name}.tsv", dictionary)
        pd.testing.assert_frame_equal(read_table(tmp_path / f"{name}.tsv"), table, check_dtype=False)
    assert dictionaries["cohort"][1]["hippocampus_L_mm3"]["Units"] == "mm^3"
