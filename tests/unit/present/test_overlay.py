"""Pictures of one scan: left stays left, voxels keep their shape, and lines are where the layers are."""

from __future__ import annotations

import io
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from nibabel.nifti1 import Nifti1Image
from PIL import Image

from morpho.errors import GridMismatchError
from morpho.present.overlay import plot_overlay, plot_thumbnail
from morpho.present.rendering import render_figure, render_webp
from morpho.present.slices import CUTS, Cut, Layers, choose_slice, stack_layers
from morpho.present.style import FigureStyle

N_SAGITTAL, N_CORONAL, N_AXIAL = map(len, CUTS)


def stack(head: dict[str, Nifti1Image], study: ModuleType) -> Layers:
    return stack_layers(
        head["t1w"], (head["grey_matter"], head["white_matter"]), head["brain_mask"], head["regions"],
        roi_labels=study.make_roi_labels(), style=study.load_style(),
    )  # fmt: skip


def draw(head: dict[str, Nifti1Image], study: ModuleType) -> Figure:
    return plot_overlay(stack(head, study), title="sub-01", style=study.load_style())


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
    head = study.make_head(flipped=flipped)
    coronal_and_axial = draw(head, study).axes[N_SAGITTAL:]
    for axes in coronal_and_axial:
        letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert letters["L"] < 0.5 < letters["R"]
    thumbnail = plot_thumbnail(stack(head, study), style).axes[1:]
    hippocampus = [
        x for axes in (*coronal_and_axial, *thumbnail) for x in contour_x(axes, style.region_colours["hippocampus"])
    ]
    prefrontal = [x for axes in coronal_and_axial for x in contour_x(axes, style.region_colours["prefrontal_cortex"])]
    assert hippocampus
    assert prefrontal
    assert max(hippocampus) < 0.5 < min(prefrontal)


def test_sagittal_slices_go_through_the_named_side_with_front_to_the_right(
    study: ModuleType, style: FigureStyle
) -> None:
    figure = draw(study.make_head(), study)
    left = figure.axes[0]
    assert left.get_title() == "left hippocampus"
    assert contour_x(left, style.region_colours["hippocampus"])
    assert not contour_x(left, style.region_colours["prefrontal_cortex"])
    assert [text.get_text() for text in left.texts] == ["P", "A"]
    layers = stack(study.make_head(), study)
    front = np.argwhere(layers.rois["prefrontal_cortex", "R"])[:, 1].mean()
    middle = np.argwhere(layers.brain_mask)[:, 1].mean()
    assert front > middle


def test_cuts_halve_their_regions_or_go_where_their_share_says(study: ModuleType) -> None:
    layers = stack(study.make_head(), study)
    columns = np.flatnonzero(layers.rois["hippocampus", "L"].any(axis=(1, 2)))
    assert choose_slice(layers, 0, Cut("", ("hippocampus",))) == columns[len(columns) // 2]
    assert choose_slice(layers, 0, Cut("", ("hippocampus",), share=0.01)) == columns[0]
    assert choose_slice(layers, 0, Cut("", ("hippocampus",), share=1.0)) == columns[-1]
    # No right hippocampus: the middle of the brain, which the mask has on both sides.
    middle = choose_slice(layers, 0, Cut("", ("hippocampus",), ("R",)))
    assert layers.brain_mask[: middle + 1].sum() >= layers.brain_mask.sum() / 2 > layers.brain_mask[:middle].sum()


def test_voxels_keep_their_physical_shape_and_one_scale_holds_everywhere(study: ModuleType) -> None:
    figure = draw(study.make_head(), study)
    first = (figure.axes[0], figure.axes[N_SAGITTAL], figure.axes[N_SAGITTAL + N_CORONAL])
    assert [axes.get_aspect() for axes in first] == pytest.approx([1.5, 1.5, 1.0])
    render_figure(figure, "png", dpi=40)
    width_mm, height_mm = (25.4 * inches for inches in figure.get_size_inches())
    edges_mm = [(3.0, 4.5)] * (N_SAGITTAL + N_CORONAL) + [(3.0, 3.0)] * N_AXIAL
    scales = []
    for axes, (right_mm, up_mm) in zip(figure.axes, edges_mm, strict=True):
        place = axes.get_position()
        scales.append(place.width * width_mm / (np.ptp(axes.get_xlim()) * right_mm))
        scales.append(place.height * height_mm / (np.ptp(axes.get_ylim()) * up_mm))
    assert scales == pytest.approx([scales[0]] * len(scales))


def test_all_lines_are_in_the_legend(study: ModuleType) -> None:
    figure = draw(study.make_head(), study)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:4] == ["hippocampus", "amygdala", "anterior cingulate", "prefrontal cortex"]
    assert len(names) == 7


@pytest.mark.parametrize("absent", ["regions", "brain_mask"])
def test_a_scan_without_any_region_or_brain_is_still_drawn(absent: str, study: ModuleType, style: FigureStyle) -> None:
    head = study.make_head()
    head[absent] = nib.Nifti1Image(np.zeros(study.SHAPE, dtype=np.int16), head["t1w"].affine)
    figure = draw(head, study)
    assert len(figure.axes) == N_SAGITTAL + N_CORONAL + N_AXIAL
    drawn = any(contour_x(axes, style.region_colours["hippocampus"]) for axes in figure.axes)
    assert drawn == (absent == "brain_mask")


def test_images_on_different_grids_are_refused(study: ModuleType) -> None:
    head = study.make_head()
    head["regions"] = nib.Nifti1Image(np.zeros(study.SHAPE, dtype=np.int16), np.eye(4))
    with pytest.raises(GridMismatchError):
        stack(head, study)


def test_the_thumbnail_has_three_slices_no_words_and_visible_outlines(study: ModuleType, style: FigureStyle) -> None:
    figure = plot_thumbnail(stack(study.make_head(), study), style)
    assert len(figure.axes) == 3
    assert not any(axes.texts for axes in figure.axes)
    content = render_webp(figure, width_px=320, largest_bytes=7000)
    assert len(content) <= 7000
    picture = Image.open(io.BytesIO(content))
    assert picture.width == 320
    red, _, blue = np.moveaxis(np.asarray(picture.convert("RGB"), dtype=int), -1, 0)
    third = picture.width // 3
    # Orange of the hippocampus in every slice: much more red than blue.
    assert all((red - blue)[:, start : start + third].max() > 60 for start in (0, third, 2 * third))
