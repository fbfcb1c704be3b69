"""`morpho doctor` as a whole, without the phantom."""

from pathlib import Path

import pytest

from morpho.cli.doctor import run_doctor
from morpho.cli.findings import Finding


def test_intact_installation_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_doctor(["--no-phantom", "--path", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "Everything that morpho needs is here."
    assert [title for title in ("software", "machine", "data files") if f"\n{title}\n" not in said] == []
    assert "phantom" not in said
    assert "\033" not in said


def test_something_broken_gives_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = [Finding("head.onnx", "is another file", "fail", "", "install morpho again")]
    monkeypatch.setattr("morpho.cli.doctor.check_files", lambda: broken)
    assert run_doctor(["--no-phantom"]) == 1
    said = capsys.readouterr().out
    assert "fail  head.onnx  is another file\n        -> install morpho again" in said
    assert said.splitlines()[-1].startswith("Something is broken")


def test_phantom_that_cannot_be_measured_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        message = "no module named ants"
        raise ImportError(message)

    monkeypatch.setattr("morpho.cli.doctor_phantom.measure_phantom", refuse)
    assert run_doctor([]) == 1
    assert "no module named ants" in capsys.readouterr().out
