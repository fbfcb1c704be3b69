"""Which row of the participants table speaks of which scan."""

import pandas as pd
import pytest

from morpho.infer.join import join_participants


def scans_of(*visits: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(visits, columns=["participant_id", "session_id"])


@pytest.fixture
def participants() -> pd.DataFrame:
    """Give person a rows of two sessions and a general one, b one session, c two sessions of which one is bare."""
    rows = [
        ("a", "", "patient", "F", 10.0),
        ("a", "ses-1", "patient", "F", 11.0),
        ("a", "ses-2", None, None, None),
        ("b", "ses-1", "control", "M", 21.0),
        ("c", "ses-1", "patient", None, 31.0),
        ("c", "ses-2", "control", "F", 32.0),
        ("c", "ses-3", None, "F", 33.0),
    ]
    return pd.DataFrame(rows, columns=["participant_id", "session_id", "group", "sex", "row"])


@pytest.mark.parametrize(
    ("visit", "row", "group", "sex"),
    [
        (("a", "ses-1"), 11.0, "patient", "F"),
        (("a", "ses-2"), -1.0, "patient", "F"),  # its own row, although a value is missing; the person is known
        (("a", "ses-9"), 10.0, "patient", "F"),
        (("a", ""), 10.0, "patient", "F"),
        (("b", "ses-1"), 21.0, "control", "M"),
        (("b", ""), 21.0, "control", "M"),  # one scan, one row
        (("b", "ses-2"), -1.0, "control", "M"),  # what was measured at another session is not carried over
        (("c", ""), -1.0, "?", "F"),  # two groups: which one holds is not known
        (("c", "ses-3"), 33.0, "?", "F"),
        (("d", "ses-1"), -1.0, "?", "?"),
    ],
)
def test_row_of_a_scan(participants: pd.DataFrame, visit: tuple[str, str], row: float, group: str, sex: str) -> None:
    joined = join_participants(scans_of(visit), participants)
    assert joined.columns.tolist() == ["participant_id", "session_id", "group", "sex", "row"]
    assert joined["row"].fillna(-1).tolist() == [row]
    assert joined[["group", "sex"]].fillna("?").to_numpy().tolist() == [[group, sex]]


def test_rows_without_sessions_hold_for_all_scans_of_a_person() -> None:
    people = pd.DataFrame({"participant_id": ["a", "b"], "score": [1.0, 2.0]})
    joined = join_participants(scans_of(("b", "ses-1"), ("b", "ses-2"), ("a", "")), people)
    assert joined["score"].tolist() == [2.0, 2.0, 1.0]


def test_order_of_the_scans_is_kept_and_no_scan_is_lost(participants: pd.DataFrame) -> None:
    scans = scans_of(("d", ""), ("c", "ses-2"), ("a", "ses-2"), ("a", "ses-1"), ("b", ""))
    joined = join_participants(scans, participants)
    pd.testing.assert_frame_equal(joined[["participant_id", "session_id"]], scans)
    shuffled = join_participants(scans, participants.iloc[::-1])
    pd.testing.assert_frame_equal(shuffled, joined)
