"""Cells to levels, numbers and weeks."""

import pandas as pd
import pytest

from morpho.columns import count_weeks, map_levels, parse_numbers


def rows(times: list[str | None]) -> pd.DataFrame:
    people = ["sub-01", "sub-02", "sub-01", "sub-01", "sub-03"][: len(times)]
    return pd.DataFrame({"participant_id": people, "acq_time": times}, dtype="str")


def test_weeks_count_from_the_first_session_of_each_person() -> None:
    raw = rows(["2024-03-01T12:00:00", "1899-01-01", "2024-03-15T12:00:00", "2024-02-26T00:00:00Z", None])
    problems: list[str] = []
    weeks = count_weeks(raw, "acq_time", problems)
    # sub-01 begins on 26 February: 4.5 and 18.5 days later (2024 is a leap year)
    assert weeks.fillna(-1).tolist() == pytest.approx([4.5 / 7, 0, 18.5 / 7, 0, -1])
    assert problems == []


def test_times_that_are_no_iso_times_are_listed_with_their_people() -> None:
    problems: list[str] = []
    count_weeks(rows(["2024-03-01", "01/03/2024"]), "acq_time", problems)
    assert problems == [
        "column 'acq_time' has cells that are no ISO time: 'sub-02': '01/03/2024'. Write them as 2024-03-05T14:30:00, "
        "or n/a"
    ]


def test_levels_are_found_without_regard_to_case_and_missing_stays_missing() -> None:
    problems: list[str] = []
    cells = pd.Series(["ls", "L/L", None, "SL", "?"], name="5-HTTLPR", dtype="str")
    mapped = map_levels(cells, "httlpr", "variables.httlpr.levels", {"LL": ["L/L"], "SL": ["LS"]}, problems)
    assert mapped.fillna("-").tolist() == ["SL", "LL", "-", "SL", "-"]
    assert problems[0].startswith(
        "column '5-HTTLPR' has values that are no httlpr of config participants.variables.httlpr.levels: '?' (1 x)"
    )


def test_numbers_are_read_whatever_their_form() -> None:
    problems: list[str] = []
    raw = rows([]).assign(x=pd.Series(dtype="str"))
    assert parse_numbers(raw, "x", problems).tolist() == []
    raw = pd.DataFrame({"participant_id": ["a", "b", "c"], "x": ["1e2", "-.5", None]}, dtype="str")
    assert parse_numbers(raw, "x", problems).fillna(7).tolist() == [100.0, -0.5, 7.0]
    assert problems == []


@pytest.mark.parametrize("cell", ["1e400", "-1e999", "inf", "-inf", "9" * 400, "٣", "1_000", "0x1", "1 000", "1.5."])
def test_what_is_no_finite_number_is_a_problem(cell: str) -> None:
    problems: list[str] = []
    raw = pd.DataFrame({"participant_id": ["sub-1", "sub-2"], "x": [cell, "2"]}, dtype="str")
    assert parse_numbers(raw, "x", problems).fillna(-7).tolist() == [-7.0, 2.0]
    assert problems == [f"column 'x' has cells that are no number: 'sub-1': '{cell}'. Write a number, or n/a"]
