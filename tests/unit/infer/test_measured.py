"""Scans of one cohort are measured alike or refused; every scan has a status."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morpho.errors import DesignError
from morpho.failures import Failure
from morpho.infer.measured import (
    SHARE,
    add_status,
    check_share,
    describe_metrics,
    describe_status,
    failures_of,
    gather_metrics,
    read_measured_with,
    read_repairs,
)
from morpho.quality_metrics import METRICS
from morpho.scans import describe_scans, read_scans
from morpho.tables import write_table

WITH = {"code": "c", "atlas": "a", "template": "t", "weights": "w", "settings": "s"}


def write_records(folder: Path, changed: dict[str, dict[str, str]], versions: dict[str, str]) -> dict[str, Path]:
    records = {}
    for scan in ("sub-01", "sub-02", "sub-03"):
        records[scan] = folder / f"{scan}.json"
        software = {"numpy": versions.get(scan, "2.3")}
        content = {"MeasuredWith": WITH | changed.get(scan, {}), "Software": software, "Stages": {}}
        records[scan].write_text(json.dumps(content), encoding="utf-8")
    return records


def test_scans_that_were_measured_alike(tmp_path: Path) -> None:
    assert read_measured_with(write_records(tmp_path, {}, {})) == {"MeasuredWith": WITH, "Software": {"numpy": "2.3"}}


@pytest.mark.parametrize("what", sorted(WITH))
def test_a_scan_that_was_measured_otherwise_is_refused_by_name(tmp_path: Path, what: str) -> None:
    records = write_records(tmp_path, {"sub-02": {what: "other"}}, {})
    with pytest.raises(DesignError, match=rf"1 of 3 scans were measured with other {what} .* sub-02") as refused:
        read_measured_with(records)
    assert "sub-01" not in str(refused.value)
    assert "--forcerun measure_scan" in str(refused.value)


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_scan_without_record_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    records = write_records(tmp_path, {}, {})
    records["sub-03"].unlink() if content is None else records["sub-03"].write_text(content, encoding="utf-8")
    with pytest.raises(DesignError, match=r"Nobody knows what 1 of 3 scans were measured with: sub-03\."):
        read_measured_with(records)


def test_other_versions_of_arithmetic_are_told_and_not_refused(tmp_path: Path) -> None:
    assert read_measured_with(write_records(tmp_path, {}, {"sub-03": "2.2"}))["Software"] == {"numpy": "2.2 or 2.3"}


def test_a_cohort_in_which_nothing_was_measured_has_no_stamp() -> None:
    assert read_measured_with({}) == {}


def test_every_scan_has_a_status_and_failures_come_back(tmp_path: Path) -> None:
    scans = pd.DataFrame(
        {
            "scan": ["sub-01", "sub-01", "sub-02", "sub-03"],
            "chosen": [True, False, True, False],
            "reason": ["", "another run was chosen", "", "no T1w image in anat/"],
        }
    )
    failure = Failure("register", "ANTs gave up", "logs/a.log", "registration_failed")
    table = add_status(scans, {"sub-02": failure}, {"sub-01": "qform was singular"})
    assert table["repairs"].tolist() == ["qform was singular", "", "", ""]
    assert table["status"].tolist() == ["measured", "not chosen", "failed", "not chosen"]
    assert table["reason"].tolist() == ["", "another run was chosen", "ANTs gave up", "no T1w image in anat/"]
    write_table(table, tmp_path / "scans.tsv", describe_scans() | describe_status())
    assert failures_of(read_scans(tmp_path / "scans.tsv")) == {"sub-02": failure}
    assert failures_of(scans) == {}


def test_what_was_mended_is_read_from_the_sidecars(tmp_path: Path) -> None:
    contents = {"sub-01": {"Repairs": ["one thing", "another"]}, "sub-02": {"Repairs": []}, "sub-03": {}}
    paths = {scan: tmp_path / f"{scan}.json" for scan in [*contents, "sub-04"]}
    for scan, content in contents.items():
        paths[scan].write_text(json.dumps(content), encoding="utf-8")
    assert read_repairs(paths) == {"sub-01": "one thing; another"}


def test_metrics_are_stacked_by_scan() -> None:
    row = {"scan": "sub-01", "input_kind": "extracted", **dict.fromkeys(METRICS, 1), "ghost_percent": np.nan}
    table = gather_metrics(pd.DataFrame([row, {**row, "scan": "sub-02", "tiv_ml": 1500}]))
    assert table["tiv_ml"].tolist() == [1, 1500]
    assert table["ghost_percent"].isna().all()
    assert set(table.dtypes[list(METRICS)].astype(str)) == {"float64"}
    assert set(table.columns) == set(describe_metrics())
    assert gather_metrics(pd.DataFrame({"scan": []})).columns.tolist() == ["scan", "input_kind", *METRICS]


def make_scans(*status: str) -> pd.DataFrame:
    chosen = [word != "not chosen" for word in status]
    return pd.DataFrame({"chosen": chosen, "status": status, "stage": "register"})


def test_enough_scans_are_measured() -> None:
    share = check_share(make_scans("measured", "failed", "not chosen"), smallest=0.5).iloc[0]
    assert share.to_dict() == {"n_chosen": 2, "n_measured": 1, "share": 0.5, "smallest_share": 0.5}
    assert set(share.index) == set(SHARE)


def test_too_few_scans_are_an_error_that_says_how_many_and_where() -> None:
    with pytest.raises(DesignError, match=r"Only 1 of 3 chosen scans were measured \(33%; failed: 2 in stage register"):
        check_share(make_scans("measured", "failed", "failed"), smallest=0.5)
    with pytest.raises(DesignError, match="Only 0 of 1"):
        check_share(make_scans("failed"), smallest=0.01)
