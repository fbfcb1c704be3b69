"""Statistical figures: what is drawn is what the tables say."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import stats

from morpho.errors import ConfigError
from morpho.present.captions import (
    caption_effects_forest,
    caption_effects_on_brain,
    caption_group_distributions,
    caption_severity_association,
)
from morpho.present.figures import (
    plot_effects_forest,
    plot_group_distributions,
    plot_severity_association,
)
from morpho.present.rendering import render_figure
from morpho.present.style import FigureStyle, read_style, save_options
from morpho.present.wording import describe_adjustment, format_interval, format_p, join_words, name_adjustments

N_REFERENCE, N_COMPARISON = 26, 33
CONFIDENCE = 0.95


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def bars(axes: Axes) -> list[tuple[float, float, float]]:
    """Read the ends and height of the horizontal error bars of a panel."""
    ends = []
    for container in axes.containers:
        ((start, end),) = container.lines[2][0].get_segments()
        ends.append((start[0], end[0], start[1]))
    return ends


@pytest.fixture
def forest(effects: pd.DataFrame, style: FigureStyle) -> Figure:
    return plot_effects_forest(effects, style=style, confidence=CONFIDENCE)


def test_forest_bars_are_the_intervals_of_the_table(forest: Figure, effects: pd.DataFrame) -> None:
    for axes, (_, rows) in zip(forest.axes, effects.groupby("family", sort=False), strict=True):
        fitted = rows[rows["status"] == "fitted"]
        drawn = np.array(bars(axes))
        np.testing.assert_allclose(drawn[:, :2], fitted[["g_ci_low", "g_ci_high"]])
        estimates = [float(container.lines[0].get_xdata()[0]) for container in axes.containers]
        np.testing.assert_allclose(estimates, fitted["g"])


def test_forest_keeps_the_order_of_the_table_from_top_to_bottom(forest: Figure) -> None:
    primary, hemispheres = forest.axes[:2]
    assert primary.yaxis_inverted()
    assert [label.get_text() for label in primary.get_yticklabels()] == [
        "hippocampus", "amygdala", "rostral anterior cingulate", "dorsolateral PFC",
    ]  # fmt: skip
    assert [height for *_, height in bars(primary)] == [0, 1, 2, 3]
    left, right = (height for *_, height in bars(hemispheres)[:2])
    assert left < 0 < right
    assert "primary" in primary.get_title(loc="left")


def test_forest_says_what_was_refused_and_why(forest: Figure) -> None:
    refused = [text for text in texts(forest.axes[1]) if text.startswith("not estimated")]
    assert len(refused) == 2
    assert all(text.startswith("not estimated: too few people: 2 patient") for text in refused)
    assert len(bars(forest.axes[1])) == 6


def test_forest_names_sides_groups_and_counts(forest: Figure) -> None:
    last = forest.axes[-1]
    assert {"\N{LEFTWARDS ARROW} smaller in patient", "larger in patient \N{RIGHTWARDS ARROW}"} <= set(texts(last))
    low, high = last.get_xlim()
    assert low == -high
    assert "patient \N{MINUS SIGN} control" in last.get_xlabel()
    assert f"n = {N_REFERENCE} control, {N_COMPARISON} patient" in forest.axes[0].get_title(loc="left")
    assert forest.get_figwidth() * 25.4 == pytest.approx(183)


def bands(axes: Axes) -> list[tuple[float, float, bool]]:
    """Read the ends of the published bands of a panel, and whether they are hatched."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(patch.get_x(), patch.get_x() + patch.get_width(), bool(patch.get_hatch())) for patch in found]


def test_forest_shows_published_effects_and_sets_thickness_apart(forest: Figure) -> None:
    primary = forest.axes[0]
    assert bands(primary) == [
        (pytest.approx(-0.224), pytest.approx(-0.064), False),
        (pytest.approx(-0.10), pytest.approx(0.06), True),
    ]
    lines = [line.get_xdata()[0] for line in primary.lines if line.get_linewidth() == pytest.approx(0.6)]
    assert lines == pytest.approx([-0.144, -0.02])
    (legend,) = forest.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [
        "published by ENIGMA-MDD: volume", "published by ENIGMA-MDD: thickness, not the same quantity",
    ]  # fmt: skip


def test_forest_without_published_effects_has_no_bands(effects: pd.DataFrame, style: FigureStyle) -> None:
    bare = effects.drop(columns=[name for name in effects if name.startswith("enigma_")])
    figure = plot_effects_forest(bare, style=style, confidence=CONFIDENCE)
    assert figure.legends == []
    assert bands(figure.axes[0]) == []
    assert "ENIGMA" not in caption_effects_forest(bare, confidence=CONFIDENCE)
    volume_only = effects[effects["roi"] == "hippocampus"]
    (legend,) = plot_effects_forest(volume_only, style=style, confidence=CONFIDENCE).legends
    assert [text.get_text() for text in legend.get_texts()] == ["published by ENIGMA-MDD: volume"]
    assert "thickness" not in caption_effects_forest(volume_only, confidence=CONFIDENCE)


def test_forest_without_any_estimate_still_shows_the_reasons(effects: pd.DataFrame, style: FigureStyle) -> None:
    refused = effects[effects["status"] == "refused"]
    figure = plot_effects_forest(refused, style=style, confidence=CONFIDENCE)
    assert sum(text.startswith("not estimated") for text in texts(figure.axes[0])) == 2
    render_figure(figure, "png", dpi=50)


def test_distributions_show_every_person_and_the_interval_of_the_mean(
    study: ModuleType, effects: pd.DataFrame, style: FigureStyle
) -> None:
    adjusted = study.make_adjusted(effects)
    figure = plot_group_distributions(adjusted, effects, family="primary", style=style, confidence=CONFIDENCE)
    assert len(figure.axes) == len(study.PRIMARY)
    axes = figure.axes[1]
    here = adjusted[(adjusted["family"] == "primary") & (adjusted["roi"] == "amygdala")]
    for points, bar, group in zip(
        (axes.collections[0], axes.collections[2]), axes.containers, ("control", "patient"), strict=True
    ):
        volumes = here.loc[here["group"] == group, "adjusted_volume_mm3"]
        np.testing.assert_allclose(points.get_offsets()[:, 1], volumes)
        ((start, end),) = bar.lines[2][0].get_segments()
        low, high = stats.t.interval(CONFIDENCE, len(volumes) - 1, volumes.mean(), stats.sem(volumes))
        assert (start[1], end[1]) == pytest.approx((low, high))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["control\nn = 26", "patient\nn = 33"]
    label = " ".join(figure.get_supylabel().split())
    assert label == "volume adjusted for age, sex, affine head size and site (mm³)"


def test_distributions_of_refused_regions_are_panels_with_the_reason(
    study: ModuleType, effects: pd.DataFrame, style: FigureStyle
) -> None:
    adjusted = study.make_adjusted(effects)
    figure = plot_group_distributions(adjusted, effects, family="hemispheres", style=style, confidence=CONFIDENCE)
    refused = [axes for axes in figure.axes if any("not estimated" in text for text in texts(axes))]
    assert [axes.get_title() for axes in refused] == ["left amygdala", "right amygdala"]
    assert study.TOO_FEW[:15] in texts(refused[0])[0].replace("\n", " ")


def test_people_are_spread_sideways_the_same_way_each_time(
    study: ModuleType, effects: pd.DataFrame, style: FigureStyle
) -> None:
    adjusted = study.make_adjusted(effects)
    first, second = (
        plot_group_distributions(adjusted, effects, family="totals", style=style, confidence=CONFIDENCE)
        for _ in range(2)
    )
    offsets = [figure.axes[0].collections[0].get_offsets() for figure in (first, second)]
    np.testing.assert_array_equal(*offsets)
    assert np.abs(offsets[0][:, 0]).max() <= style.jitter_width


def test_partial_regression_has_line_band_and_people_of_the_table(
    residuals: pd.DataFrame, associations: pd.DataFrame, style: FigureStyle
) -> None:
    figure = plot_severity_association(
        residuals, associations, family="primary", scale="BDI", style=style, confidence=CONFIDENCE
    )
    row = associations[(associations["family"] == "primary") & (associations["roi"] == "hippocampus")].iloc[0]
    axes = figure.axes[0]
    assert len(axes.collections[0].get_offsets()) == N_COMPARISON
    x, y = axes.lines[-1].get_data()
    np.testing.assert_allclose(y, x * row["slope_mm3_per_point"])
    band = axes.collections[1].get_paths()[0].vertices
    rightmost = band[np.isclose(band[:, 0], x[-1])][:, 1]
    assert rightmost.min() == pytest.approx(x[-1] * row["slope_ci_low_mm3"])
    assert rightmost.max() == pytest.approx(x[-1] * row["slope_ci_high_mm3"])
    numbers = format_interval(row["partial_r"], row["partial_r_ci_low"], row["partial_r_ci_high"], 2)
    assert f"n = 33, r = {numbers}".split() == axes.get_title().split()[1:]
    assert "not estimated" in texts(figure.axes[1])[0]
    assert figure.get_supxlabel().startswith("BDI, residual (points)")


def test_an_unknown_family_is_named_with_those_that_exist(
    effects: pd.DataFrame, residuals: pd.DataFrame, associations: pd.DataFrame, style: FigureStyle
) -> None:
    with pytest.raises(ConfigError, match=r"no family 'nothing' to plot.*primary"):
        plot_group_distributions(pd.DataFrame({"family": []}), effects, family="nothing", style=style, confidence=0.95)
    with pytest.raises(ConfigError, match=r"'nothing / BDI'.*'primary / BDI'"):
        plot_severity_association(
            residuals, associations, family="nothing", scale="BDI", style=style, confidence=CONFIDENCE
        )


def test_a_scale_that_nobody_has_is_a_figure_that_says_so(
    residuals: pd.DataFrame, associations: pd.DataFrame, style: FigureStyle
) -> None:
    what = {"family": "primary", "scale": "HAMD", "confidence": CONFIDENCE}
    for table in (associations, associations.iloc[:0]):
        figure = plot_severity_association(residuals, table, style=style, **what)
        assert "HAMD was not analysed" in figure.texts[0].get_text().replace("\n", " ")
        assert caption_severity_association(table, **what) == ""
    render_figure(figure, "png", dpi=50)


def test_equal_figures_are_equal_bytes_without_date_or_pyplot(
    forest: Figure, effects: pd.DataFrame, style: FigureStyle
) -> None:
    again = plot_effects_forest(effects, style=style, confidence=CONFIDENCE)
    for file_format in ("svg", "png"):
        assert render_figure(forest, file_format, dpi=50) == render_figure(again, file_format, dpi=50)
    assert b"<dc:date>" not in render_figure(forest, "svg", dpi=50)
    assert plt.get_fignums() == []


def test_unknown_file_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'bmp' \(config figures.formats\)"):
        save_options("bmp", dpi=100)


def test_captions_name_people_model_and_marks(effects: pd.DataFrame, associations: pd.DataFrame) -> None:
    forest = caption_effects_forest(effects, confidence=0.9)
    assert "90\N{NO-BREAK SPACE}% confidence" in forest
    assert "26 control and 33 patient" in forest
    assert "adjusted for age, sex, affine head size and site" in forest
    assert "2 regions were not estimated: too few people" in forest
    assert "Hatched bands are of cortical thickness, not the same quantity" in forest
    assert "not estimated" not in caption_group_distributions(effects, family="primary", confidence=0.95)
    severity = caption_severity_association(associations, family="primary", scale="BDI", confidence=0.95)
    assert "n = 33" in severity
    assert "1 region was not estimated" in severity
    assert "Uncoloured brain was not estimated" in caption_effects_on_brain(effects)
    refused = effects[effects["status"] == "refused"]
    assert "No model could be estimated" in caption_effects_forest(refused, confidence=0.95)


def test_style_lists_all_problems_at_once(style: FigureStyle) -> None:
    whole = {name: getattr(style, name) for name in FigureStyle.__dataclass_fields__}
    broken = whole | {"font_size_pt": -1, "group_colours": ["red", "#0072B2"], "colour": "#000000"}
    del broken["jitter_seed"]
    with pytest.raises(ConfigError) as caught:
        read_style(broken)
    for part in ("font_size_pt is -1", "group_colours.0 is 'red'", "'colour' is unknown", "'jitter_seed' is absent"):
        assert part in str(caught.value)
    assert read_style(whole) == style


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("volume_mm3 ~ C(group, Treatment('control'))", []),
        ("volume_mm3 ~ severity + tiv_whole_dm3", ["total intracranial volume"]),
        ("volume_mm3 ~ severity + brain_volume_whole_dm3 + C(site)", ["brain volume", "site"]),
        (float("nan"), []),
    ],
)
def test_covariates_are_named_in_words(formula: object, words: list[str]) -> None:
    assert name_adjustments(formula) == words


def test_wording_of_numbers_and_lists() -> None:
    assert format_p(0.0004) == "<\N{NO-BREAK SPACE}0.001"
    assert format_p(float("nan")) == format_interval(float("nan"), 0, 1, 2) == "n/a"
    assert format_interval(-0.5, -1, 0, 1).split() == ["\N{MINUS SIGN}0.5", "[\N{MINUS SIGN}1.0,", "0.0]"]
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert describe_adjustment(["v ~ g + age_years", "v ~ g"]) == "age; or no covariate"


def test_of_large_groups_some_people_are_drawn_and_all_are_in_the_mean(
    study: ModuleType, effects: pd.DataFrame, style: FigureStyle, monkeypatch: pytest.MonkeyPatch
) -> None:
    adjusted = study.make_adjusted(effects)
    whole = plot_group_distributions(adjusted, effects, family="totals", style=style, confidence=CONFIDENCE)
    assert "drawn at random" not in caption_group_distributions(effects, family="totals", confidence=CONFIDENCE)
    monkeypatch.setattr("morpho.present.panels.MOST_POINTS", 10)
    monkeypatch.setattr("morpho.present.captions.MOST_POINTS", 10)
    part = plot_group_distributions(adjusted, effects, family="totals", style=style, confidence=CONFIDENCE)
    everybody, some = (figure.axes[0].collections[0].get_offsets().tolist() for figure in (whole, part))
    assert len(some) == 10 < len(everybody)
    assert all(point in everybody for point in some)
    means = [figure.axes[0].containers[0].lines[0].get_ydata() for figure in (whole, part)]
    np.testing.assert_array_equal(*means)
    caption = caption_group_distributions(effects, family="totals", confidence=CONFIDENCE)
    assert "Of a group with more than 10 people, 10 drawn at random are points" in caption
