"""Pictures of one scan: what was measured in it, as outlines on slices in three planes.

Takes the images of a scan, gives matplotlib figures; opens and writes no file. Left is on the left everywhere.
Captions: `morpho.present.captions`.
"""

from __future__ import annotations

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from morpho.present.slices import (
    CUTS,
    THUMBNAIL_CUTS,
    Layers,
    Lines,
    draw_slice,
    mark_sides,
)
from morpho.present.style import MM_PER_INCH, FigureStyle
from morpho.present.wording import roi_name

TITLE_MM, LEGEND_MM, GAP_MM = 4.0, 9.0, 0.6
THIN_PT, THICK_PT = 0.35, 0.9  # lines of tissues and of regions
THUMBNAIL_MM = 54.0
THUMBNAIL_LINES = Lines({"brain_mask": 0.6}, {"hippocampus": 0.8})
OUTLINE_NAMES = {
    "brain_mask": "brain mask",
    "grey_matter": "grey matter, outside",
    "white_matter": "grey / white border",
}


def plot_overlay(layers: Layers, *, title: str, style: FigureStyle) -> Figure:
    """Plot one scan with the outlines of what was measured in it, several slices in each of three planes.

    Parameters
    ----------
    layers
        From `morpho.present.slices.stack_layers`. Drawn are the regions that have a colour in `style`; slices follow
        the voxel grid, also if that is oblique, and have all the same scale.
    title
        Text above the slices, for example the name of the scan.
    style
        Look of the figure.

    Returns
    -------
    Figure across the page, with a legend.
    """
    width_mm, extents = style.double_column_mm, layers.extents_mm
    scale = min((width_mm / len(cuts) - GAP_MM) / extents[plane][0] for plane, cuts in enumerate(CUTS))
    height_mm = TITLE_MM + sum(scale * up + TITLE_MM for _, up in extents) + LEGEND_MM
    lines = Lines(dict.fromkeys(OUTLINE_NAMES, THIN_PT), dict.fromkeys(style.region_colours, THICK_PT))
    with rc_context(style.rc_params()):
        figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), facecolor="white")
        figure.text(0.003, 1 - 0.5 * TITLE_MM / height_mm, title, va="center", fontweight="bold")
        top_mm = height_mm - TITLE_MM
        for plane, cuts in enumerate(CUTS):
            slice_mm = [scale * extent for extent in extents[plane]]
            top_mm -= slice_mm[1] + TITLE_MM
            for place, cut in enumerate(cuts):
                left_mm = (place + 0.5) * width_mm / len(cuts) - slice_mm[0] / 2
                place_mm = (left_mm / width_mm, top_mm / height_mm, slice_mm[0] / width_mm, slice_mm[1] / height_mm)
                axes = figure.add_axes(place_mm)
                axes.set_title(cut.name, fontsize=style.font_size_pt - 1, pad=2)
                draw_slice(axes, layers, plane, cut, style, lines=lines)
                mark_sides(axes, plane)
        _add_legend(figure, style)
    return figure


def _add_legend(figure: Figure, style: FigureStyle) -> None:
    """Name the lines below the slices."""
    lines = [(roi_name(roi), colour, 2.0) for roi, colour in style.region_colours.items()]
    lines += [(OUTLINE_NAMES[key], colour, 1.0) for key, colour in style.outline_colours.items() if colour]
    handles = [Line2D([], [], color=colour, linewidth=width, label=name) for name, colour, width in lines]
    figure.legend(
        handles=handles, loc="lower center", ncols=4, facecolor="black", labelcolor="white", framealpha=1,
        fontsize=style.font_size_pt - 1, borderaxespad=0.2,
    )  # fmt: skip


def plot_thumbnail(layers: Layers, style: FigureStyle) -> Figure:
    """Plot a scan as small as in a list: one slice of each plane through the hippocampus, with the brain mask.

    Parameters
    ----------
    layers
        From `morpho.present.slices.stack_layers`.
    style
        Colours of the lines.

    Returns
    -------
    Figure without any words, all slices of one scale.
    """
    extents = layers.extents_mm
    width_mm = sum(right for right, _ in extents)
    height_mm = max(up for _, up in extents)
    size = (THUMBNAIL_MM / MM_PER_INCH, THUMBNAIL_MM / MM_PER_INCH * height_mm / width_mm)
    figure = Figure(figsize=size, facecolor="black")
    left_mm = 0.0
    for plane, (cut, (right, up)) in enumerate(zip(THUMBNAIL_CUTS, extents, strict=True)):
        share = (left_mm / width_mm, (1 - up / height_mm) / 2, right / width_mm, up / height_mm)
        draw_slice(figure.add_axes(share), layers, plane, cut, style, lines=THUMBNAIL_LINES)
        left_mm += right
    return figure
