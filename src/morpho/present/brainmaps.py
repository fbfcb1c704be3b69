"""Pictures of brains: the outlines of one scan's measurement, and effect sizes in the template.

Takes images and tables, gives matplotlib figures; opens and writes no file. Left is on the left everywhere.
Captions: `morpho.present.captions`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel.nifti1 import Nifti1Image

from morpho.errors import ConfigError
from morpho.images import array_of, labels_of, like
from morpho.present.style import MM_PER_INCH, FigureStyle
from morpho.present.wording import split_contrast

SIDES = ("L", "R")
EFFECT_CUTS_MM = {"x": (-40, -24, -7, 7, 24, 40), "y": (54, 40, 26, 12, -4, -22), "z": (-22, -12, 0, 14, 28, 42)}
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
        Template image of the same space; its grid may differ.
    style
        Look of the figure.

    Returns
    -------
    Figure across the page, with a colour bar that is symmetric about zero.

    Raises
    ------
    ConfigError
        If the colour map of `style` does not exist.
    """
    # nilearn's plotting takes seconds to import, and the overlay of every scan would pay for it.
    from nilearn import plotting

    if style.effect_colour_map not in colormaps:
        message = f"There is no colour map '{style.effect_colour_map}' (figure style, effect_colour_map). Use PuOr_r."
        raise ConfigError(message)
    painted = paint_effects(effects, atlas_labels, roi_labels)
    reach = max(float(np.abs(array_of(painted)).max()), SMALLEST_COLOURED)
    look = {"threshold": SMALLEST_COLOURED / 2, "vmax": reach, "vmin": -reach, "cmap": style.effect_colour_map}
    height_mm = style.double_column_mm * 0.66
    with rc_context(style.rc_params()):
        figure = Figure(figsize=(style.double_column_mm / MM_PER_INCH, height_mm / MM_PER_INCH), facecolor="white")
        estimated = like(painted, (array_of(painted) != 0).astype(np.float32))
        for row, (plane, cuts_mm) in enumerate(EFFECT_CUTS_MM.items()):
            display = plotting.plot_stat_map(
                painted, bg_img=template_t1w, display_mode=plane, cut_coords=list(cuts_mm), figure=figure,
                axes=(0.0, 0.70 - 0.29 * row, 1.0, 0.29), colorbar=False, draw_cross=False, black_bg=False,
                annotate=False, resampling_interpolation="nearest", **look,
            )  # fmt: skip
            display.annotate(size=style.font_size_pt - 1)
            if array_of(estimated).any():
                # An effect near zero is as pale as the brain around it; the outline shows that it was estimated.
                display.add_contours(estimated, levels=[0.5], colors=OUTLINE, linewidths=0.4)
        scale = ScalarMappable(Normalize(-reach, reach), style.effect_colour_map)
        comparison, reference = split_contrast(effects)
        bar = figure.colorbar(scale, cax=figure.add_axes((0.3, 0.09, 0.4, 0.02)), orientation="horizontal")
        bar.set_label(f"Hedges' g ({comparison} \N{MINUS SIGN} {reference})")
    return figure


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
