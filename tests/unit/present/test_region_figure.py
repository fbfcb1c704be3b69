"""One region on one page: every side, every scale, every variant; what is absent says so."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from morpho.present.cohort_captions import caption_region
from morpho.present.region_figure import RegionTables, choose_side, gather_region, plot_region
from morpho.present.rendering import render_figure
from morpho.present.style import FigureStyle


@pytest.fixture
def tables(study: ModuleType, effects: pd.DataFrame) -> RegionTables:
    residuals = study.make_residuals()
    associations = study.make_associations(residuals)
    return RegionTables(effects, study.make_adjusted(effects), associations, residuals, study.make_sensitivity(effects))


def plot(tables: RegionTables, roi: str, study: ModuleType, style: FigureStyle) -> Figure:
    return plot_region(tables, roi=roi, labels=study.VARIANTS, style=style, confidence=study.CONFIDENCE)


def panels(figure: Figure, part: int) -> list[Axes]:
    return [axes for axes in figure.subfigs[part].axes if axes.axison]


def test_every_side_has_its_people_and_its_estimate(
    tables: RegionTables, study: ModuleType, style: FigureStyle
) -> None:
    figure = plot(tables, "hippocampus", study, style)
    groups = panels(figure, 0)
    assert [axes.get_title().splitlines()[0] for axes in groups] == [
        "left hippocampus", "right hippocampus", "mean hippocampus",
    ]  # fmt: skip
    for axes, side in zip(groups, ("L", "R", "mean"), strict=True):
        here = tables.adjusted[(tables.adjusted["roi"] == "hippocampus") & (tables.adjusted["hemisphere"] == side)]
        for points, group in zip((axes.collections[0], axes.collections[2]), ("control", "patient"), strict=True):
            wanted = here.loc[here["group"] == group, "adjusted_volume_mm3"]
            np.testing.assert_allclose(points.get_offsets()[:, 1], wanted)


def test_severity_and_variants_are_those_of_the_tables(
    tables: RegionTables, study: ModuleType, style: FigureStyle
) -> None:
    figure = plot(tables, "hippocampus", study, style)
    (scale,) = panels(figure, 1)
    row = tables.associations.query("roi == 'hippocampus' and hemisphere == 'mean'").iloc[0]
    x, y = scale.lines[-1].get_data()
    np.testing.assert_allclose(y, x * row["slope_mm3_per_point"])
    assert scale.get_title().startswith("BDI\nn = 33, r = ")
    (variants,) = panels(figure, 2)
    names = [label.get_text() for label in variants.get_yticklabels()]
    assert names == ["main", "no head size", "no outliers", "without site north", "without site south"]
    drawn = sorted(float(container.lines[0].get_xdata()[0]) for container in variants.containers)
    np.testing.assert_allclose(drawn, sorted(tables.sensitivity.query("roi == 'hippocampus'")["estimate"]))


def test_refused_sides_and_scales_are_panels_with_the_reason(
    tables: RegionTables, study: ModuleType, style: FigureStyle
) -> None:
    figure = plot(tables, "amygdala", study, style)
    for axes in (*panels(figure, 0)[:2], *panels(figure, 1)):
        assert "too few people: 2" in axes.texts[0].get_text().replace("\n", " ")
    caption = caption_region(tables, roi="amygdala", labels=study.VARIANTS, confidence=study.CONFIDENCE)
    assert "2 regions were not estimated: too few people" in caption
    assert "(b) Volume and severity: no model could be estimated." in caption


def test_a_cohort_without_groups_scales_and_variants_is_a_page_that_says_so(
    tables: RegionTables, study: ModuleType, style: FigureStyle
) -> None:
    refused = tables.effects.assign(status="refused", reason="nobody has a group", formula=np.nan)
    nothing = RegionTables(refused, *(table.iloc[:0] for table in list(vars(tables).values())[1:]))
    figure = plot(nothing, "hippocampus", study, style)
    assert all("nobody has a group" in axes.texts[0].get_text().replace("\n", " ") for axes in panels(figure, 0))
    said = [text.get_text() for part in figure.subfigs[1:] for text in part.texts]
    assert "No severity scale was analysed." in said
    assert "The region could not be analysed in any variant." in said
    render_figure(figure, "png", dpi=50)
    caption = caption_region(nothing, roi="hippocampus", labels=study.VARIANTS, confidence=study.CONFIDENCE)
    assert "No model could be estimated." in caption
    assert "Model:" not in caption
    assert gather_region(nothing, roi="hippocampus").empty


def test_a_volume_that_two_families_have_is_shown_once(
    tables: RegionTables, study: ModuleType, style: FigureStyle
) -> None:
    twice = RegionTables(
        *(pd.concat([table, table.assign(family="again")], ignore_index=True) for table in vars(tables).values())
    )
    assert len(panels(plot(twice, "hippocampus", study, style), 0)) == 3
    pd.testing.assert_frame_equal(gather_region(twice, roi="hippocampus"), gather_region(tables, roi="hippocampus"))


def test_caption_names_people_model_and_variants(tables: RegionTables, study: ModuleType) -> None:
    caption = caption_region(tables, roi="hippocampus", labels=study.VARIANTS, confidence=0.9)
    for part in (
        "26 control and 33 patient",
        "adjusted for age, sex, affine head size and site",
        "residuals after age, sex and affine head size",
        "people with a score: BDI 33",
        "no head size: without head size",
        "(59 people)",
        "90\N{NO-BREAK SPACE}% confidence interval",
    ):
        assert part in caption
    assert "antidepressant" not in caption


def test_the_table_beside_has_every_point_line_and_variant(tables: RegionTables) -> None:
    gathered = gather_region(tables, roi="hippocampus")
    counts = gathered["part"].value_counts()
    # 59 people on three sides; 33 with a score on three sides; five variants of the mean.
    assert dict(counts) == {"volume_by_group": 177, "severity": 99, "variants": 5}
    shown = gathered[gathered["part"] == "volume_by_group"]["adjusted_volume_mm3"].astype(float)
    wanted = tables.adjusted[tables.adjusted["roi"] == "hippocampus"]["adjusted_volume_mm3"]
    assert sorted(shown) == sorted(wanted)


def test_the_mean_stands_for_a_region_and_the_left_side_where_there_is_none(tables: RegionTables) -> None:
    here = tables.associations[tables.associations["roi"] == "hippocampus"]
    assert [row["hemisphere"] for row in choose_side(here)] == ["mean"]
    assert [row["hemisphere"] for row in choose_side(here[here["hemisphere"] != "mean"])] == ["L"]
    assert choose_side(here.iloc[:0]) == []
