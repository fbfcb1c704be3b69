"""The vocabulary of quality control is closed: every code that a metric can raise has a meaning."""

import re

import pytest

from morpho.quality_metrics import FLAGS, HARD_FAILURES, METRIC_FAILURES, METRIC_FLAGS, METRICS

UNITS = {"_ml": "mL", "_mm3": "mm3", "_mm2": "mm2", "_mm": "mm", "_percent": "percent", "_ratio": "ratio"}


def test_flags_and_failures_of_metrics_are_known_codes() -> None:
    assert {code for pair in METRIC_FLAGS.values() for code in pair if code} <= set(FLAGS)
    assert {code for pair in METRIC_FAILURES.values() for code in pair if code} <= set(HARD_FAILURES)
    assert set(METRIC_FLAGS) | set(METRIC_FAILURES) <= set(METRICS)


@pytest.mark.parametrize("table", [METRIC_FLAGS, METRIC_FAILURES])
def test_a_listed_metric_has_at_least_one_bad_direction(table: dict[str, tuple[str, str]]) -> None:
    assert all(any(pair) for pair in table.values())


def test_no_code_is_flag_and_failure_at_once() -> None:
    assert not set(FLAGS) & set(HARD_FAILURES)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in [*FLAGS, *HARD_FAILURES])


@pytest.mark.parametrize("name", METRICS)
def test_unit_in_the_name_is_the_unit_in_the_dictionary(name: str) -> None:
    ending = next((suffix for suffix in UNITS if name.endswith(suffix)), None)
    assert ending is None or METRICS[name]["Units"] == UNITS[ending]
    assert METRICS[name]["Description"]
