"""What to choose among several T1w, and what to tell about the scans."""

from pathlib import Path

from morpho.bids import find_scans
from morpho.cli.guess_scans import ScanGuess, guess_scans, match_people


def look(folder: Path, *names: str) -> ScanGuess:
    for name in names:
        parts = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
        path = folder.joinpath("bids", *parts, "anat", f"{name}_T1w.nii.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    return guess_scans(find_scans(folder / "bids", output_dir=folder / "out", filters={}, participants=[]))


def test_one_scan_each_needs_no_filter(tmp_path: Path) -> None:
    guess = look(tmp_path, "sub-1", "sub-2")
    assert (guess.filters, guess.suggestions, guess.checks) == ({}, [], [])
    assert guess.facts == ["2 T1w images; 2 measured, one of each session, of 2 people", "no sessions"]


def test_acquisition_that_everybody_has_is_set_where_the_choice_would_be_arbitrary(tmp_path: Path) -> None:
    guess = look(tmp_path, "sub-1_acq-b", "sub-1_acq-a", "sub-2_acq-b")
    assert guess.filters == {"acquisition": "b"}
    assert "all sessions have it" in guess.why
    assert len(guess.checks) == 1


def test_filter_that_would_lose_somebody_is_only_suggested(tmp_path: Path) -> None:
    guess = look(tmp_path, "sub-1_acq-a", "sub-1_acq-b", "sub-2_acq-a", "sub-3_acq-b")
    assert guess.filters == {}
    assert guess.suggestions == [
        ({"acquisition": "a"}, "2 sessions, 1 would be left out"),
        ({"acquisition": "b"}, "2 sessions, 1 would be left out"),
    ]
    assert "images of several kinds are measured (acquisition: a (2), b (1))" in guess.checks[0]


def test_plain_and_normalised_scan_need_no_decision(tmp_path: Path) -> None:
    guess = look(tmp_path, "sub-1", "sub-1_rec-norm", "sub-2", "sub-2_rec-norm")
    assert (guess.filters, guess.checks) == ({}, [])
    assert ({"reconstruction": None}, "2 sessions, nobody is left out") in guess.suggestions


def test_sessions_are_counted_and_can_be_chosen(tmp_path: Path) -> None:
    guess = look(tmp_path, "sub-1_ses-1", "sub-1_ses-2", "sub-2_ses-1")
    assert "sessions: ses-1 (2), ses-2 (1) scans" in guess.facts
    assert guess.suggestions == [({"session": "1"}, "2 scans"), ({"session": "2"}, "1 scan")]


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    (tmp_path / "bids" / "sub-3").mkdir(parents=True)
    guess = look(tmp_path, "sub-1", "sub-2_nonsense")
    assert "1 person or session without T1w" in guess.facts
    assert "'nonsense' in the file name is not a BIDS entity" in guess.checks[0]


def test_people_are_matched_both_ways(tmp_path: Path) -> None:
    look(tmp_path, "sub-1", "sub-2")
    scans = find_scans(tmp_path / "bids", output_dir=tmp_path / "out", filters={}, participants=[])
    assert match_people(scans, ["sub-2", "sub-3"]) == (["sub-3"], ["sub-1"])
