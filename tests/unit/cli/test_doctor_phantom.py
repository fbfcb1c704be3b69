"""The verdict on a phantom: exchanged sides, drifted volumes and a wrong head are found."""

from dataclasses import replace

import pytest

from morpho.cli.doctor_phantom import (
    TIV,
    PhantomResult,
    judge_phantom,
    measure_phantom,
    simulate_phantom,
)

PLANTED = {("hippocampus", "L"): 2000.0, ("hippocampus", "R"): 3000.0, TIV: 1_600_000.0}
MEASURED = {("hippocampus", "L"): 3500.0, ("hippocampus", "R"): 4900.0, TIV: 1_590_000.0}
INTACT = PhantomResult(PLANTED, MEASURED, MEASURED, 1.0)


def verdicts(result: PhantomResult) -> dict[str, str]:
    return {finding.what: finding.verdict for finding in judge_phantom(result)[1:]}


def test_intact_installation_passes() -> None:
    assert set(verdicts(INTACT).values()) == {"ok"}


def test_exchanged_sides_are_found_and_named() -> None:
    swapped = {("hippocampus", "L"): 4900.0, ("hippocampus", "R"): 3500.0, TIV: 1_590_000.0}
    findings = judge_phantom(replace(INTACT, measured=swapped, recorded=swapped))
    (sides,) = [finding for finding in findings if finding.what == "hippocampus left - right"]
    assert sides.verdict == "fail"
    assert "left and right are exchanged" in sides.remedy


@pytest.mark.parametrize("right_mm3", [3510.0, 8000.0])
def test_lost_or_exaggerated_difference_is_found(right_mm3: float) -> None:
    other = {**MEASURED, ("hippocampus", "R"): right_mm3}
    assert verdicts(replace(INTACT, measured=other, recorded=other))["hippocampus left - right"] == "fail"


@pytest.mark.parametrize(("factor", "verdict"), [(1.015, "ok"), (1.03, "fail"), (0.97, "fail")])
def test_drift_from_the_recorded_volume_is_found(factor: float, verdict: str) -> None:
    other = {**MEASURED, ("hippocampus", "R"): factor * 4900.0}
    found = verdicts(replace(INTACT, measured=other))
    assert found["hippocampus right"] == verdict
    assert found["hippocampus left"] == "ok"


def test_wrong_intracranial_volume_is_found() -> None:
    other = {**MEASURED, TIV: 1_700_000.0}
    findings = judge_phantom(replace(INTACT, measured=other, recorded=other))
    assert [finding.verdict for finding in findings if finding.what == "intracranial volume"] == ["ok", "fail"]


@pytest.mark.slow
def test_planted_hippocampus_is_smaller_on_the_left() -> None:
    phantom, planted = simulate_phantom()
    assert planted["hippocampus", "L"] < 0.7 * planted["hippocampus", "R"]
    assert planted[TIV] == phantom.tiv_mm3 > 1_400_000


@pytest.mark.slow
def test_this_installation_measures_the_phantom_right() -> None:
    wrong = [finding for finding in judge_phantom(measure_phantom()) if finding.verdict == "fail"]
    assert wrong == [], "if numbers change on purpose, cli/phantom.json changes with them (and CHANGELOG)"
