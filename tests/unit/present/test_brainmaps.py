"""Pictures of brains: left stays left, voxels keep their shape, effects are painted where they belong."""

from __future__ import annotations

from types import ModuleType

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from nibabel.nifti1 import Nifti1Image

from morpho.errors import ConfigError, GridMismatchError
from morpho.present.brainmaps import paint_effects, plot_effects_on_brain, plot_overlay
from morpho.present.figures import render_figure
from morpho.present.style import FigureStyle


def draw(head: dict[str, Nifti1Image], study: ModuleType) -> Figure:
    return plot_overlay(
        head["t1w"], (head["grey_matter"], head["white_matter"]), head["brain_mask"], head["regions"],
        roi_labels=study.make_roi_labels(), title="sub-01", style=study.load_style(),
    )  # fmt: skip


def contour_x(axes: Axes, colour: str) -> list[float]:
    """Horizontal positions of the outlines of one colour, as shares of the panel's width from the left."""
    low, high = axes.get_xlim()
    vertices = [
        path.vertices[:, 0]
        for drawn in axes.collections
        if to_hex(drawn.get_edgecolor()[0]) == colour.lower()
        for path in drawn.get_paths()
    ]
    return [(float(x) - low) / (high - low) for part in vertices for x in part]


@pytest.mark.parametrize("flipped", [False, True], ids=["RAS", "LAS"])
def test_left_regions_are_drawn_on_the_side_marked_left(flipped: bool, study: ModuleType, style: FigureStyle) -> None:
    figure = draw(study.make_head(flipped=flipped), study)
    for axes in figure.axes[3:9]:
        letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert letters["L"] < 0.5 < letters["R"]
    hippocampus = [x for axes in figure.axes[3:9] for x in contour_x(axes, style.region_colours["hippocampus"])]
    prefrontal = [x for axes in figure.axes[3:9] for x in contour_x(axes, style.region_colours["prefrontal_cortex"])]
    assert hippocampus
    assert prefrontal
    assert max(hippocampus) < 0.5 < min(prefrontal)


def test_sagittal_slices_go_through_the_named_side_with_front_to_the_right(
    study: ModuleType, style: FigureStyle
) -> None:
    figure = draw(study.make_head(), study)
    left, _, right = figure.axes[:3]
    assert left.get_title() == "sagittal, left hippocampus"
    assert contour_x(left, style.region_colours["hippocampus"])
    assert not contour_x(left, style.region_colours["prefrontal_cortex"])
    assert min(contour_x(right, style.region_colours["prefrontal_cortex"])) > 0.5
    assert [text.get_text() for text in left.texts] == ["P", "A"]


def test_voxels_keep_their_physical_shape(study: ModuleType) -> None:
    figure = draw(study.make_head(), study)
    assert [axes.get_aspect() for axes in (figure.axes[0], figure.axes[3], figure.axes[6])] == pytest.approx(
        [1.5, 1.5, 1.0]
    )
    render_figure(figure, "jpg", dpi=40)
    for axes in figure.axes:
        position = axes.get_position()
        low_x, high_x = axes.get_xlim()
        low_y, high_y = axes.get_ylim()
        panel = position.height * figure.get_figheight() / (position.width * figure.get_figwidth())
        assert panel == pytest.approx((high_y - low_y) * axes.get_aspect() / (high_x - low_x), rel=0.05)


def test_all_lines_are_in_the_legend(study: ModuleType) -> None:
    figure = draw(study.make_head(), study)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:4] == ["hippocampus", "amygdala", "anterior cingulate", "prefrontal cortex"]
    assert len(names) == 7


def test_a_scan_without_any_region_is_still_drawn(study: ModuleType, style: FigureStyle) -> None:
    head = study.make_head()
    head["regions"] = nib.Nifti1Image(np.zeros(study.SHAPE, dtype=np.int16), head["t1w"].affine)
    figure = draw(head, study)
    assert len(figure.axes) == 9
    assert not any(contour_x(axes, style.region_colours["hippocampus"]) for axes in figure.axes)


def test_images_on_different_grids_are_refused(study: ModuleType) -> None:
    head = study.make_head()
    head["regions"] = nib.Nifti1Image(np.zeros(study.SHAPE, dtype=np.int16), np.eye(4))
    with pytest.raises(GridMismatchError):
        draw(head, study)


def test_effects_are_painted_into_the_voxels_of_their_side(study: ModuleType, effects: pd.DataFrame) -> None:
    head = study.make_head()
    effects["roi"] = effects["roi"].replace("dlpfc", "prefrontal_cortex")
    painted = np.asarray(paint_effects(effects, head["regions"], study.make_roi_labels()).dataobj)
    labels = np.asarray(head["regions"].dataobj)
    for row in study.make_roi_labels().to_dict("records"):
        wanted = effects[(effects["roi"] == row["roi"]) & (effects["hemisphere"] == row["hemisphere"])]["g"].iloc[0]
        np.testing.assert_allclose(painted[labels == row["label_indices"][0]], wanted, rtol=1e-6)
    assert not painted[labels == 0].any()


def test_refused_and_bilateral_effects_stay_uncoloured_and_zero_does_not(
    study: ModuleType, effects: pd.DataFrame
) -> None:
    head = study.make_head()
    bilateral = effects[effects["family"] == "primary"]
    assert not np.asarray(paint_effects(bilateral, head["regions"], study.make_roi_labels()).dataobj).any()
    sided = effects.assign(g=0.0)
    painted = np.asarray(paint_effects(sided, head["regions"], study.make_roi_labels()).dataobj)
    assert (painted[np.asarray(head["regions"].dataobj) == 1] > 0).all()
    refused = sided.assign(status="refused")
    assert not np.asarray(paint_effects(refused, head["regions"], study.make_roi_labels()).dataobj).any()


def test_effects_on_the_brain_have_a_symmetric_colour_bar_and_leave_no_figure_open(
    study: ModuleType, effects: pd.DataFrame, style: FigureStyle
) -> None:
    head = study.make_head()
    figure = plot_effects_on_brain(effects, head["regions"], study.make_roi_labels(), head["t1w"], style=style)
    bars = [axes for axes in figure.axes if axes.get_xlabel().startswith("Hedges' g")]
    assert len(bars) == 1
    low, high = bars[0].get_xlim()
    assert low == -high
    assert high == pytest.approx(
        abs(effects.loc[(effects["roi"] == "hippocampus") & (effects["hemisphere"] == "L"), "g"].iloc[0])
    )
    assert plt.get_fignums() == []


def test_an_unknown_colour_map_is_refused(study: ModuleType, style: FigureStyle) -> None:
    style = type(style)(**{**style.__dict__, "effect_colour_map": "rainbowfish"})
    head = study.make_head()
    with pytest.raises(ConfigError, match="rainbowfish"):
        plot_effects_on_brain(study.make_effects(), head["regions"], study.make_roi_labels(), head["t1w"], style=style)
