"""Failure notes: a scan that fails is recorded and passed on, and no other scan notices."""

import logging
from pathlib import Path

import pytest

from morpho.errors import EmptyImageError, MorphoError, RegistrationError
from morpho.failures import Failure, read_failure, run_stage, sort_failures, write_failure
from morpho.quality_metrics import HARD_FAILURES

FAILURE = Failure(
    stage="register", reason='mirrored: "é", 5 < 6', log="logs/register/sub-01.log", code="registration_failed"
)


def all_errors(base: type[MorphoError]) -> list[type[MorphoError]]:
    return [error for child in base.__subclasses__() for error in (child, *all_errors(child))]


def fail() -> None:
    message = "the scan could not be aligned"
    raise RegistrationError(message)


def test_note_comes_back_as_it_was_written(tmp_path: Path) -> None:
    outputs = [tmp_path / "new" / "a.nii.gz", str(tmp_path / "b.tsv")]
    write_failure(FAILURE, outputs)
    assert [read_failure(path) for path in outputs] == [FAILURE, FAILURE]


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08\x00", b'{"correlation": 0.9}', b'{"morpho', b"roi\themisphere\n", b"\xff\xfe"]
)
def test_real_output_is_no_note(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert read_failure(tmp_path / "a") is None


def test_stage_that_works_leaves_its_outputs_alone(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("scan")
    out = tmp_path / "out"

    run_stage("segment", lambda: out.write_text("maps"), inputs=[tmp_path / "in"], outputs=[out], log="a.log")
    assert out.read_text() == "maps"


def test_stage_that_fails_leaves_notes_in_place_of_all_outputs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = [tmp_path / "a", tmp_path / "b"]

    def half() -> None:
        outputs[0].write_text("written before the failure")
        fail()

    run_stage("register", half, inputs=[], outputs=outputs, log=tmp_path / "a.log")
    expected = Failure("register", "the scan could not be aligned", str(tmp_path / "a.log"), "registration_failed")
    assert [read_failure(path) for path in outputs] == [expected, expected]
    assert "RegistrationError" in caplog.text


def test_error_without_words_is_known_by_its_name(tmp_path: Path) -> None:
    def run_out() -> None:
        raise MemoryError

    run_stage("segment", run_out, inputs=[], outputs=[tmp_path / "a"], log="a.log")
    note = read_failure(tmp_path / "a")
    assert note is not None
    assert note.reason == "MemoryError"
    assert note.code == "stage_failed"


@pytest.mark.parametrize("error", [MorphoError, *all_errors(MorphoError)])
def test_every_error_has_the_code_of_a_hard_failure(error: type[MorphoError]) -> None:
    assert error.code in HARD_FAILURES


def test_failure_carries_the_code_of_its_error(tmp_path: Path) -> None:
    def refuse() -> None:
        message = "one value only"
        raise EmptyImageError(message)

    run_stage("preprocess", refuse, inputs=[], outputs=[tmp_path / "a"], log="a.log")
    note = read_failure(tmp_path / "a")
    assert note is not None
    assert note.code == "empty_image"


def test_note_of_an_older_version_has_no_code_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"morpho_failure": {"stage": "register", "reason": "so", "log": "a.log"}}\n')
    note = read_failure(tmp_path / "a")
    assert note is not None
    assert note.code == "stage_failed"


def test_user_who_stops_the_run_is_no_failure_of_the_scan(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage("segment", interrupt, inputs=[], outputs=[tmp_path / "a"], log="a.log")
    assert not (tmp_path / "a").exists()


def test_earlier_failure_is_passed_on_through_every_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ran = []
    (tmp_path / "good").write_text("scan")
    write_failure(FAILURE, [tmp_path / "stage-2"])
    for number in (3, 4):
        with caplog.at_level(logging.WARNING):
            run_stage(
                f"stage {number}",
                lambda: ran.append("ran"),
                inputs=[tmp_path / "good", tmp_path / f"stage-{number - 1}"],
                outputs=[tmp_path / f"stage-{number}"],
                log="later.log",
            )
    assert ran == []
    assert read_failure(tmp_path / "stage-4") == FAILURE
    assert caplog.text.count("stage register failed before") == 2


def test_outputs_of_a_cohort_are_parted(tmp_path: Path) -> None:
    (tmp_path / "good.tsv").write_text("roi\n")
    write_failure(FAILURE, [tmp_path / "bad.tsv"])
    outputs = {"sub-01": str(tmp_path / "good.tsv"), "sub-02": tmp_path / "bad.tsv"}
    measured, failures = sort_failures(outputs)
    assert measured == {"sub-01": tmp_path / "good.tsv"}
    assert failures == {"sub-02": FAILURE}


def test_cohort_of_nobody() -> None:
    assert sort_failures({}) == ({}, {})
