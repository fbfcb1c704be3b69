"""The last words of a run: failures come first, every number is that of the tables, what there is not is not named."""

import os
import time
from pathlib import Path

import pandas as pd
import pytest

from morpho.run_summary import (
    MOST_NAMED,
    FailedScan,
    FailedStep,
    compose_summary,
    count_scans,
    describe_stop,
    list_failed_scans,
    read_results,
    summarise_run,
)

FLOW_ROWS = [
    ("found", None, 24, 26),
    ("chosen", None, 24, 24),
    ("measured", None, 22, 22),
    ("kept", None, 21, 21),
    ("with_participants_row", None, 21, 21),
    ("group", "control", 7, 7),
    ("group", "none", 1, 1),
    ("group", "patient", 13, 13),
]
FLOW = pd.DataFrame(FLOW_ROWS, columns=["step", "group", "n_participants", "n_scans"])
EXCLUSIONS = pd.DataFrame(
    [
        ("sub-30", "", "scans", "no T1w scan found"),
        ("sub-07", "sub-07", "measure", "preprocess failed: no brain (a fruit) (log: logs/preprocess_t1w/sub-07.log)"),
        ("sub-08", "sub-08", "measure", "segment failed: empty"),
        ("sub-09", "sub-09", "cohort", "not in participants.tsv"),
    ],
    columns=["participant_id", "scan", "stage", "reason"],
)
METRICS = pd.DataFrame(
    [
        ("sub-01", "passed", None),
        ("sub-07", "failed", "not_a_brain"),
        ("sub-02", "flagged", "noisy"),
        ("sub-03", "failed", "left_right_flipped: left and right are swapped"),
        ("sub-04", "flagged", "blurred"),
    ],
    columns=["scan", "verdict", "reason"],
)
TABLES = {"flow": FLOW, "exclusions": EXCLUSIONS, "metrics": METRICS}


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, na_rep="n/a")


def test_a_scan_that_failed_twice_is_one_scan_with_the_reason_of_its_stage_and_its_log() -> None:
    assert list_failed_scans(EXCLUSIONS, METRICS) == [
        FailedScan("sub-07", "preprocess failed: no brain (a fruit)", "logs/preprocess_t1w/sub-07.log"),
        FailedScan("sub-08", "segment failed: empty"),
        FailedScan("sub-03", "left_right_flipped: left and right are swapped"),
    ]


@pytest.mark.parametrize(("given", "scans"), [((None, None), []), ((None, METRICS), ["sub-07", "sub-03"])])
def test_failures_are_listed_from_the_tables_there_are(
    given: tuple[pd.DataFrame | None, ...], scans: list[str]
) -> None:
    assert [failed.scan for failed in list_failed_scans(*given)] == scans


def test_scans_are_counted_at_every_step_and_people_without_group_are_not_analysed() -> None:
    assert count_scans(FLOW) == (
        "26 found (of 24 people), 24 chosen, 22 measured, 21 kept, 20 analysed (7 control, 13 patient)"
    )


def test_steps_that_the_cohort_lacks_are_not_counted() -> None:
    assert count_scans(FLOW[FLOW["step"] == "measured"]) == "22 measured"
    assert count_scans(FLOW.iloc[:0]) == ""


def test_failures_come_first_and_everything_else_after(tmp_path: Path) -> None:
    text = compose_summary(TABLES, report=tmp_path / "index.html", folder=tmp_path, seconds=125)
    lines = text.strip().splitlines()
    assert lines[0] == "3 of 5 scans FAILED:"
    assert lines[1] == "  sub-07: preprocess failed: no brain (a fruit)"
    assert lines[2].endswith(str(Path.cwd() / "logs/preprocess_t1w/sub-07.log"))
    assert lines[5:] == [
        f"Scans: {count_scans(FLOW)}",
        "Flagged: 2, still in: sub-02, sub-04",
        f"Report: {tmp_path / 'index.html'}",
        f"Tables: {tmp_path}",
        "Done in 2 min 5 s",
    ]


def test_a_cohort_without_failures_says_so(tmp_path: Path) -> None:
    fine = METRICS[METRICS["verdict"] == "passed"]
    text = compose_summary({"metrics": fine}, report=None, folder=tmp_path, seconds=1)
    assert text.strip().splitlines()[:2] == ["No scan failed", "Flagged: 0"]


def test_a_long_list_of_failures_is_cut_and_counted(tmp_path: Path) -> None:
    n_more = 3
    names = [f"sub-{number:02}" for number in range(MOST_NAMED + n_more)]
    metrics = pd.DataFrame({"scan": names, "verdict": "failed", "reason": "empty_image"})
    text = compose_summary({"metrics": metrics}, report=None, folder=tmp_path, seconds=1)
    assert text.count("empty_image") == MOST_NAMED
    assert f"and {n_more} more" in text
    assert f"{len(names)} of {len(names)} scans FAILED" in text


def test_a_run_without_any_table_says_only_how_long_it_took(tmp_path: Path) -> None:
    assert summarise_run(tmp_path, seconds=8).strip() == "Done in 8 s"


def test_the_report_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tables(tmp_path / "out" / "group", TABLES)
    (tmp_path / "out" / "report").mkdir()
    (tmp_path / "out" / "report" / "index.html").touch()
    monkeypatch.chdir(tmp_path)
    text = summarise_run("out", seconds=60)
    assert f"Report: {tmp_path / 'out' / 'report' / 'index.html'}" in text
    assert f"Tables: {tmp_path / 'out' / 'group'}" in text
    assert count_scans(FLOW) in text


def test_tables_of_an_earlier_run_are_called_so(tmp_path: Path) -> None:
    write_tables(tmp_path / "group", {"flow": FLOW})
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "group" / "flow.tsv", (hour_ago, hour_ago))
    assert "Tables, of an earlier run:" in summarise_run(tmp_path, seconds=60)
    assert "Tables:" in summarise_run(tmp_path, seconds=7200)


def test_a_damaged_or_foreign_table_does_not_make_a_failure_of_a_run_that_is_done(tmp_path: Path) -> None:
    write_tables(tmp_path / "group", {"exclusions": EXCLUSIONS, "metrics": METRICS[["scan"]]})
    (tmp_path / "group" / "flow.tsv").write_text("step\tgroup\nfound\n")
    assert set(read_results(tmp_path / "group")) == {"exclusions"}
    assert summarise_run(tmp_path, seconds=1).strip().startswith("2 scans FAILED")


def test_a_stop_names_what_failed_its_reason_its_log_and_how_to_go_on(tmp_path: Path) -> None:
    log = tmp_path / "sub-01.log"
    log.write_text("2026-01-01 10:00:00,123 ERROR morpho: stopped by an error: no space left\nTraceback\n")
    steps = [FailedStep("measure_scan sub-01", (str(log),)), FailedStep("all", ())]
    text = describe_stop(steps, n_not_run=1, workflow_logs=["a.snakemake.log"], seconds=61)
    lines = text.strip().splitlines()
    assert lines[0] == "STOPPED EARLY: 2 steps FAILED, 1 step not run"
    assert lines[1:3] == ["  measure_scan sub-01: no space left", f"    log: {log}"]
    assert f"Everything the workflow said: {Path.cwd() / 'a.snakemake.log'}" in lines
    assert "Mend the cause, then give the same command again" in lines[-2]
    assert lines[-1] == "Stopped after 1 min 1 s"


def test_a_stop_by_the_user_is_no_failure() -> None:
    text = describe_stop([], n_not_run=16, workflow_logs=[], seconds=7)
    assert "16 steps not run" in text
    assert "FAILED" not in text
    assert "Give the same command again" in text
