"""Specification curves: every variant of the table is drawn where it belongs."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from morpho.present.captions import caption_specification
from morpho.present.rendering import render_figure
from morpho.present.specification import list_variants, plot_specification
from morpho.present.style import FigureStyle

LINES = ["main", "no head size", "no outliers", "without site north", "without site south"]


@pytest.fixture
def sensitivity(study: ModuleType, effects: pd.DataFrame) -> pd.DataFrame:
    table: pd.DataFrame = study.make_sensitivity(effects)
    return table


@pytest.fixture
def figure(study: ModuleType, sensitivity: pd.DataFrame, style: FigureStyle) -> Figure:
    return plot_specification(
        sensitivity, family="primary", labels=study.VARIANTS, style=style, confidence=study.CONFIDENCE
    )


def test_variants_are_listed_in_one_order_with_one_line_per_site(study: ModuleType, sensitivity: pd.DataFrame) -> None:
    assert list(list_variants(sensitivity, study.VARIANTS).values()) == LINES
    assert list(list_variants(sensitivity.iloc[::-1], study.VARIANTS).values()) == LINES


def test_estimates_and_intervals_are_those_of_the_table(figure: Figure, sensitivity: pd.DataFrame) -> None:
    axes = figure.axes[0]
    here = sensitivity[sensitivity["roi"] == "hippocampus"]
    drawn = {}
    for container in axes.containers:
        ((start, end),) = container.lines[2][0].get_segments()
        drawn[round(float(start[1]))] = (float(container.lines[0].get_xdata()[0]), float(start[0]), float(end[0]))
    variants = here.assign(line=here["variant"].map({"main": 0, "no_head_size": 1, "no_outliers": 2}))
    variants["line"] = variants["line"].fillna(here["left_out"].map({"north": 3, "south": 4}))
    expected = variants.set_index("line")[["estimate", "ci_low", "ci_high"]].sort_index()
    np.testing.assert_allclose([drawn[line] for line in range(5)], expected)
    assert [label.get_text() for label in axes.get_yticklabels()] == LINES


def test_main_is_marked_and_refused_or_absent_variants_are_told_apart(figure: Figure) -> None:
    hippocampus, amygdala = figure.axes[:2]
    assert [line.get_marker() for line in hippocampus.lines].count("D") == 1
    assert len(hippocampus.containers) == 5
    assert len(amygdala.containers) == 3  # no outliers, and a refused variant
    assert [line.get_marker() for line in amygdala.lines].count("x") == 1
    assert [line.get_marker() for line in hippocampus.lines].count("x") == 0


def test_caption_names_only_the_variants_that_are_shown(study: ModuleType, sensitivity: pd.DataFrame) -> None:
    effects = study.make_effects()
    caption = caption_specification(sensitivity, effects, family="primary", labels=study.VARIANTS, confidence=0.9)
    assert "no head size: without head size" in caption
    assert "90\N{NO-BREAK SPACE}% confidence" in caption
    assert "could not be estimated (1)" in caption
    assert "antidepressant" not in caption
    assert "adjusted for age, sex, affine head size and site" in caption
    assert "26 control and 33 patient" in caption


def test_a_family_without_variants_is_a_figure_that_says_so(
    study: ModuleType, sensitivity: pd.DataFrame, effects: pd.DataFrame, style: FigureStyle
) -> None:
    what = {"family": "primary", "labels": study.VARIANTS, "confidence": 0.95}
    figure = plot_specification(sensitivity.iloc[:0], style=style, **what)
    assert "family primary" in figure.texts[0].get_text().replace("\n", " ")
    assert caption_specification(sensitivity.iloc[:0], effects, **what) == ""
    refused = sensitivity.assign(status="refused", estimate=np.nan, ci_low=np.nan, ci_high=np.nan, effect_size=np.nan)
    figure = plot_specification(refused, style=style, **what)
    assert figure.axes == []
    assert caption_specification(refused, effects, **what) == ""
    render_figure(figure, "png", dpi=50)
