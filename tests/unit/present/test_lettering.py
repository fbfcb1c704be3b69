"""Text in lines that fit."""

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from morpho.present.lettering import measure_text, wrap_text
from morpho.present.style import FONT

MM_PER_POINT = 25.4 / 72


def test_lines_are_as_long_as_the_letters_allow() -> None:
    narrow, wide = (len(wrap_text(" ".join([letter * 4] * 40), 100, 8)) for letter in "im")
    assert 1 < narrow < wide
    assert all(measure_text(line, 8) <= 100 for line in wrap_text("mm " * 60, 100, 8))
    assert " ".join(wrap_text("one two three", 10, 8)) == "one two three"
    assert wrap_text("unbreakable", 1, 8) == ("unbreakable",)
    assert wrap_text("", 10, 8) == ("",)


def test_spaces_that_do_not_break_hold_words_together() -> None:
    assert wrap_text("a b\N{NO-BREAK SPACE}c", 1, 8) == ("a", "b\N{NO-BREAK SPACE}c")


def test_widths_are_those_of_the_outlines_of_the_letters() -> None:
    text = "Hippocampus"
    outline = TextPath((0, 0), text, size=80, prop=FontProperties(family=FONT)).get_extents().width * MM_PER_POINT
    assert measure_text(text, 80) == pytest.approx(outline, rel=0.03)
    assert measure_text(text, 8) == pytest.approx(measure_text(text, 80) / 10, rel=0.002)
