"""Difference in quality between groups: estimates of the table, and what could not be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morpho.present.cohort_captions import caption_quality
from morpho.present.quality_figure import plot_quality
from morpho.present.style import FigureStyle

GROUPS = ("patient", "control")
NO_AIR = "0 and 0 people with a value"


@pytest.fixture
def comparison() -> pd.DataFrame:
    base = {"status": "fitted", "reason": np.nan, "n_reference": 26, "n_comparison": 33}
    refused = base | {"status": "refused", "reason": NO_AIR, "n_reference": 0, "n_comparison": 0}
    return pd.DataFrame(
        [
            base | {"metric": "quality_index", "g": 0.4, "g_ci_low": -0.1, "g_ci_high": 0.9},
            base | {"metric": "blur_fwhm_mm", "g": -0.2, "g_ci_low": -0.7, "g_ci_high": 0.3},
            refused | {"metric": "ghost_percent"},
            refused | {"metric": "noise_air_percent"},
        ]
    )


def test_bars_are_the_intervals_of_the_table_and_the_index_comes_first(
    comparison: pd.DataFrame, style: FigureStyle
) -> None:
    (axes,) = plot_quality(comparison, groups=GROUPS, style=style, confidence=0.95).axes
    ends = [container.lines[2][0].get_segments()[0][:, 0] for container in axes.containers]
    np.testing.assert_allclose(ends, [[-0.1, 0.9], [-0.7, 0.3]])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "quality index (higher is worse)"
    assert names[1].endswith(", mm")
    assert [container.lines[0].get_marker() for container in axes.containers] == ["D", "o"]
    low, high = axes.get_xlim()
    assert low == -high
    assert axes.yaxis_inverted()
    texts = {text.get_text() for text in axes.texts}
    assert {"\N{LEFTWARDS ARROW} lower in patient", "higher in patient \N{RIGHTWARDS ARROW}"} <= texts
    assert "patient \N{MINUS SIGN} control" in axes.get_xlabel()


def test_caption_names_people_and_what_was_not_compared(comparison: pd.DataFrame) -> None:
    caption = caption_quality(comparison, groups=GROUPS, confidence=0.9)
    assert "26 control and 33 patient" in caption
    assert "90\N{NO-BREAK SPACE}% confidence" in caption
    assert "2 metrics were not compared: ghost, % and noise air, % (0 and 0 people with a value)." in caption
    assert "not adjusted" in caption


def test_groups_that_cannot_be_compared_are_a_figure_that_says_so(comparison: pd.DataFrame, style: FigureStyle) -> None:
    refused = comparison[comparison["status"] == "refused"]
    figure = plot_quality(refused, groups=GROUPS, style=style, confidence=0.95)
    assert figure.axes == []
    assert NO_AIR in figure.texts[0].get_text().replace("\n", " ")
    assert caption_quality(refused, groups=GROUPS, confidence=0.95) == ""
