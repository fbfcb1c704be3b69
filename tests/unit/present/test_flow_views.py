"""The flow from scans found to people analysed: counts of every step, and who was lost and why."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from morpho.present.flow_views import FlowTables, Loss, view_flow


@pytest.fixture
def tables(study: ModuleType, effects: pd.DataFrame) -> FlowTables:
    return FlowTables(study.make_flow(), study.make_scans(), study.make_exclusions(), effects, study.make_metrics())


def test_steps_go_from_found_to_analysed_with_losses(tables: FlowTables) -> None:
    flow = view_flow(tables)
    assert [step.count for step in flow.steps] == ["62", "61", "60", "60", "60"]
    assert flow.steps[0].words == "T1w scans found"
    assert flow.steps[0].people == "61 participants"
    assert flow.steps[1].losses == (Loss("1", "run-1 comes first"),)
    assert [step.count for step in flow.groups] == ["26", "34"]
    assert [(step.count, step.words.split(":")[0]) for step in flow.analysed] == [("26", "control"), ("33", "patient")]
    severity = tables.exclusions.assign(reason="not in 64 of 128 severity models: no value for BDI")
    assert view_flow(replace(tables, exclusions=severity)).not_analysed == ()
    assert flow.not_analysed == (Loss("1", "not in 13 of 13 group models: no value for age_years"),)


def test_scans_that_failed_are_counted_by_what_is_wrong(tables: FlowTables) -> None:
    rows = [
        ("sub-05", "measure", "preprocess failed: no (log: logs/a.log)"),
        ("sub-04", "quality", "registration_failed: registration_correlation 0.41 is below 0.5"),
        ("sub-03", "quality", "registration_failed: registration_correlation 0.44 is below 0.5"),
    ]
    exclusions = pd.DataFrame(rows, columns=["scan", "stage", "reason"])
    steps = {step.words: step for step in view_flow(replace(tables, exclusions=exclusions)).steps}
    assert steps["measured"].losses == (Loss("1", "what the image shows is not a brain with the contrast of T1w"),)
    assert steps["kept after quality control"].losses == (Loss("2", "the scan could not be aligned with the template"),)


def test_many_reasons_are_summed_and_long_ones_cut(tables: FlowTables) -> None:
    rows = [(f"sub-{i}", "models", f"reason {i} " + "x" * 200) for i in range(9)]
    lost = view_flow(replace(tables, exclusions=pd.DataFrame(rows, columns=["scan", "stage", "reason"]))).not_analysed
    assert len(lost) == 6
    assert lost[-1] == Loss("4", "for 4 other reasons, see the list of exclusions")
    assert lost[0].reason.endswith("…")


def test_what_is_shared_has_no_small_count(tables: FlowTables) -> None:
    flow = view_flow(tables, smallest=10)
    assert flow.steps[1].losses[0].count == "few"
    assert [step.count for step in flow.groups] == ["26", "34"]
    hidden = view_flow(tables, smallest=27)
    assert hidden.withheld
    assert (hidden.steps, hidden.groups, hidden.analysed) == ((), (), ())


def test_a_table_of_volumes_has_no_scans(tables: FlowTables) -> None:
    flow = view_flow(replace(tables, metrics=None))
    assert [step.words for step in flow.steps] == [
        "in the table of volumes", "kept after the decisions of people", "with a row in the participants table",
    ]  # fmt: skip


def test_people_without_a_group_and_empty_tables(tables: FlowTables) -> None:
    flow = tables.flow.assign(group=[np.nan] * 5 + ["none", "patient"])
    bare = replace(tables, flow=flow, exclusions=tables.exclusions.iloc[:0], effects=tables.effects.iloc[:0])
    shown = view_flow(bare)
    assert shown.groups[0].words == "in group none"
    assert shown.analysed == ()
    assert shown.not_analysed == ()
