"""Lines, columns and colours of what the command line writes."""

import io

import pytest

from morpho.cli.terminal import align, fill, has_colour, paint, say


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_and_rows_may_be_short() -> None:
    assert align([["a", "10", "x"], ["bbb", "5"]], right=[1]) == ["  a    10  x", "  bbb   5"]


@pytest.mark.parametrize(("stream", "colour"), [(Terminal(), True), (io.StringIO(), False)])
def test_only_a_terminal_has_colours(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, colour: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colour(stream) is colour
    assert ("\033[" in paint("fail", stream=stream)) is colour


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    assert not has_colour(Terminal())


def test_letters_that_the_terminal_does_not_know_do_not_stop_it() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say("müde", stream=stream)
    assert stream.buffer.getvalue() == b"m?de\n"  # type: ignore[attr-defined]


def test_paths_are_not_broken() -> None:
    path = "/a-very-long/" + "path-" * 40
    assert path in fill(f"look at {path} again", first="- ", indent="  ")[1]
