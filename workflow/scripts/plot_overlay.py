"""Adapter of rule `plot_overlay`: images in, `morpho.present.brainmaps.plot_overlay`, figures out."""

from pathlib import Path

import yaml

from morpho.failures import run_stage
from morpho.images import load_image
from morpho.logs import log_to
from morpho.present.brainmaps import plot_overlay
from morpho.present.figures import render_figure
from morpho.present.style import read_style
from morpho.rois import read_labels, read_rois, resolve_rois

log_to(snakemake.log[0])
given = snakemake.input


def plot() -> None:
    style = read_style(yaml.safe_load(Path(given.style).read_text(encoding="utf-8")))
    names = ("t1w", "grey_matter", "white_matter", "brain_mask", "regions")
    t1w, grey, white, mask, regions = (load_image(given[name]) for name in names)
    rois = resolve_rois(read_rois(given.rois), read_labels(given.labels))
    figure = plot_overlay(
        t1w, (grey, white), mask, regions, roi_labels=rois, title=snakemake.wildcards.scan, style=style
    )
    for path in map(Path, snakemake.output):
        path.write_bytes(render_figure(figure, path.suffix[1:], dpi=snakemake.params.dpi))


run_stage("figures", plot, inputs=given, outputs=snakemake.output, log=snakemake.log[0])
