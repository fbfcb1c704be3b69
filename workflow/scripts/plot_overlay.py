"""Adapter of rule `plot_overlay`: images in, `morpho.present.overlay`, pictures out."""

from pathlib import Path

import yaml

from morpho.failures import run_stage
from morpho.images import load_image
from morpho.logs import log_to
from morpho.present.overlay import plot_overlay, plot_thumbnail
from morpho.present.rendering import render_figure, render_webp
from morpho.present.slices import stack_layers
from morpho.present.style import read_style
from morpho.rois import read_labels, read_rois, resolve_rois

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params


def plot() -> None:
    style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
    names = ("t1w", "grey_matter", "white_matter", "brain_mask", "regions")
    t1w, grey, white, mask, regions = (load_image(given[name]) for name in names)
    rois = resolve_rois(read_rois(given.rois), read_labels(given.labels))
    layers = stack_layers(t1w, (grey, white), mask, regions, roi_labels=rois, style=style)
    overlay, thumbnail = (
        plot_overlay(layers, title=snakemake.wildcards.scan, style=style),
        plot_thumbnail(layers, style),
    )
    Path(out.png).write_bytes(render_figure(overlay, "png", dpi=params.dpi))
    overlay.texts[0].set_text("")  # the report names the scan beside its picture, perhaps by a hash
    Path(out.webp).write_bytes(render_webp(overlay, **params.webp))
    Path(out.thumbnail).write_bytes(render_webp(thumbnail, **params.thumbnail))


run_stage("figures", plot, inputs=given, outputs=snakemake.output, log=snakemake.log[0])
