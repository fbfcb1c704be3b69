"""Effect sizes in the template: where in the brain the groups differ.

Takes images and tables, gives matplotlib figures; opens and writes no file. Left is on the left everywhere.
Captions: `morpho.present.captions`.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from scipy.ndimage import map_coordinates

from morpho.errors import ConfigError
from morpho.images import array_of, labels_of, like
from morpho.present.slices import IN_PLANE, mark_sides
from morpho.present.style import MM_PER_INCH, FigureStyle
from morpho.present.wording import MINUS, format_number, split_contrast

SIDES = ("L", "R")
AXIS_NAMES = "xyz"
# Where the slices of each plane go through the template, mm.
EFFECT_CUTS_MM = ((-40, -24, -7, 7, 24, 40), (54, 40, 26, 12, -4, -22), (-22, -12, 0, 14, 28, 42))
STEP_MM, EDGE_MM, GAP_MM = 1.0, 2.0, 1.0
LETTERS_MM, BAR_MM = 4.5, 14.0  # height of the words above a row, and of the colour bar with its label
PALE = 0.4
BRIGHTEST_PERCENTILE = 99.5
OUTLINE = "#333333"
SMALLEST_COLOURED = 1e-4  # an effect of exactly zero must not look like a missing one


def plot_effects_on_brain(
    effects: pd.DataFrame,
    atlas_labels: Nifti1Image,
    roi_labels: pd.DataFrame,
    template_t1w: Nifti1Image,
    *,
    style: FigureStyle,
) -> Figure:
    """Plot Hedges' g of the left and right regions in the template, six slices in each of three planes.

    Parameters
    ----------
    effects
        Group comparison table; its rows of hemisphere L and R are shown. Where regions share labels, the first wins.
    atlas_labels : shape (X, Y, Z)
        Atlas labels (integer, 0 is none) in template space.
    roi_labels
        Columns roi, hemisphere and label_indices (list of labels), from `morpho.rois.resolve_rois`.
    template_t1w : shape (X, Y, Z)
        Template image of the same space, zero outside the brain; its grid may differ.
    style
        Look of the figure.

    Returns
    -------
    Figure across the page, all slices of one scale, with a colour bar that is symmetric about zero.

    Raises
    ------
    ConfigError
        If the colour map of `style` does not exist.
    """
    if style.effect_colour_map not in colormaps:
        message = f"There is no colour map '{style.effect_colour_map}' (figure style, effect_colour_map). Use PuOr_r."
        raise ConfigError(message)
    painted = paint_effects(effects, atlas_labels, roi_labels)
    reach = max(float(np.abs(array_of(painted)).max()), SMALLEST_COLOURED)
    scale = ScalarMappable(Normalize(-reach, reach), style.effect_colour_map)
    bounds = _brain_bounds(template_t1w)
    width_mm, n_columns = style.double_column_mm, max(map(len, EFFECT_CUTS_MM))
    size_mm = bounds[:, 1] - bounds[:, 0]
    shrink = (width_mm / n_columns - GAP_MM) / max(size_mm[right] for right, _ in IN_PLANE)
    rows_mm = [shrink * size_mm[up] + LETTERS_MM for _, up in IN_PLANE]
    height_mm = sum(rows_mm) + BAR_MM
    with rc_context(style.rc_params()):
        figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), facecolor="white")
        top_mm = height_mm
        for plane, cuts_mm in enumerate(EFFECT_CUTS_MM):
            top_mm -= rows_mm[plane]
            size = [shrink * size_mm[axis] for axis in IN_PLANE[plane]]
            for column, cut_mm in enumerate(cuts_mm):
                left_mm = (column + 0.5) * width_mm / n_columns - size[0] / 2
                place = (left_mm / width_mm, top_mm / height_mm, size[0] / width_mm, size[1] / height_mm)
                axes = figure.add_axes(place)
                _draw_cut(axes, template_t1w, painted, (plane, cut_mm), bounds, scale)
                axes.set_title(
                    f"{AXIS_NAMES[plane]} = {format_number(cut_mm, 0)} mm", fontsize=style.font_size_pt - 1, pad=1
                )
                if plane:
                    mark_sides(axes, plane, colour="black")
        comparison, reference = split_contrast(effects)
        place = (0.3, 9.5 / height_mm, 0.4, 2.5 / height_mm)
        bar = figure.colorbar(scale, cax=figure.add_axes(place), orientation="horizontal")
        bar.set_label(f"Hedges' g ({comparison} {MINUS} {reference})")
    return figure


def _brain_bounds(template_t1w: Nifti1Image) -> npt.NDArray[np.float64]:
    """Find the ends of the brain along x, y and z (mm), shape (3, 2); of the whole image if it is empty."""
    data = array_of(template_t1w)
    there = np.argwhere(data > 0) if (data > 0).any() else np.argwhere(np.ones(data.shape))
    corners = np.array(list(itertools.product(*zip(there.min(axis=0), there.max(axis=0), strict=True))), dtype=float)
    world = apply_affine(template_t1w.affine, corners)
    return np.stack([world.min(axis=0) - EDGE_MM, world.max(axis=0) + EDGE_MM], axis=1)


def _draw_cut(
    axes: Axes,
    template_t1w: Nifti1Image,
    painted: Nifti1Image,
    place: tuple[int, float],
    bounds: npt.NDArray[np.float64],
    scale: ScalarMappable,
) -> None:
    """Draw one slice: the template in pale grey, the effects in colour, and an outline around what was estimated."""
    background = _sample_cut(template_t1w, place, bounds, smooth=True)
    effect = _sample_cut(painted, place, bounds, smooth=False)
    inside = array_of(template_t1w)
    brightest = float(np.percentile(inside[inside > 0], BRIGHTEST_PERCENTILE)) if (inside > 0).any() else 1.0
    # White outside the brain, and no darker than grey within: colours have to be seen on it.
    shade = np.where(background > 0, PALE + (1 - PALE) * np.clip(background / brightest, 0, 1), 1)
    colours = np.where(effect[..., None] != 0, scale.to_rgba(effect)[..., :3], shade[..., None])
    # Without interpolation, vector formats hold the voxels as they are, which is small.
    axes.imshow(np.swapaxes(colours, 0, 1), origin="lower", interpolation="none")
    if (effect != 0).any():
        # An effect near zero is as pale as the brain around it; the outline shows that it was estimated.
        axes.contour((effect != 0).T.astype(float), levels=[0.5], colors=[OUTLINE], linewidths=0.4)
    axes.set_axis_off()


def _sample_cut(
    image: Nifti1Image, place: tuple[int, float], bounds: npt.NDArray[np.float64], *, smooth: bool
) -> npt.NDArray[np.float64]:
    """Values of an image on a plane of the world (axis, mm), on a grid of `STEP_MM`; 0 outside the image."""
    plane, cut_mm = place
    right, up = IN_PLANE[plane]
    grid = [np.arange(bounds[axis, 0], bounds[axis, 1] + STEP_MM / 2, STEP_MM) for axis in (right, up)]
    world = np.empty((len(grid[0]), len(grid[1]), 3))
    world[..., plane] = cut_mm
    world[..., right], world[..., up] = np.meshgrid(*grid, indexing="ij")
    voxels = np.moveaxis(apply_affine(np.linalg.inv(image.affine), world), -1, 0)
    values = array_of(image).astype(np.float64)
    sampled: npt.NDArray[np.float64] = map_coordinates(values, voxels, order=1 if smooth else 0, cval=0.0)
    return sampled


def paint_effects(effects: pd.DataFrame, atlas_labels: Nifti1Image, roi_labels: pd.DataFrame) -> Nifti1Image:
    """Paint Hedges' g of the left and right regions into the voxels of the atlas.

    Parameters
    ----------
    effects, atlas_labels, roi_labels
        As for `plot_effects_on_brain`.

    Returns
    -------
    Hedges' g (float32), shape (X, Y, Z); 0 where nothing was estimated.
    """
    labels = labels_of(atlas_labels)
    indices = {(row["roi"], row["hemisphere"]): row["label_indices"] for row in roi_labels.to_dict("records")}
    values = np.zeros(int(labels.max()) + 1, dtype=np.float32)
    fitted = effects[effects["hemisphere"].isin(SIDES) & (effects["status"] == "fitted")]
    for row in fitted.to_dict("records"):
        for index in indices.get((row["roi"], row["hemisphere"]), ()):
            if index < len(values) and values[index] == 0:
                values[index] = row["g"] if abs(row["g"]) > SMALLEST_COLOURED else SMALLEST_COLOURED
    return like(atlas_labels, values[labels])
