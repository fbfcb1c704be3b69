"""Which command is called, and the exit status of what goes wrong."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from morpho.cli.main import main
from morpho.errors import CommandLineError, ParticipantsError

ROOT = Path(__file__).parents[3]


def test_console_script_is_this_function() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["morpho"].partition(":")
    assert getattr(import_module(module), name) is main


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CommandLineError("wrong"), 2),
        (ParticipantsError("wrong"), 1),
        (OSError("no disk"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_are_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("morpho.cli.run.run_app", fail)
    assert main(["bids", "out", "group"]) == status
    assert capsys.readouterr().err.startswith("morpho: ")


@pytest.mark.parametrize(("command", "function"), [("doctor", "doctor.run_doctor"), ("init", "init.run_init")])
def test_first_word_names_the_command(monkeypatch: pytest.MonkeyPatch, command: str, function: str) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(f"morpho.cli.{function}", lambda words: seen.append(list(words)) or 7)
    assert main([command, "--x"]) == 7
    assert seen == [["--x"]]


def test_nothing_at_all_is_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert "morpho doctor" in capsys.readouterr().out
