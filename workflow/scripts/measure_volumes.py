"""Adapter of rule `measure_volumes`: files in, `morpho.measure.volumes`, files out."""

import json
from pathlib import Path

import pandas as pd

from morpho.failures import run_stage
from morpho.images import load_image
from morpho.logs import log_to
from morpho.measure.volumes import measure_totals, measure_volumes
from morpho.rois import read_labels, read_rois, resolve_rois
from morpho.structures import structures_by_label, unstack_structures

log_to(snakemake.log[0])
given, out = snakemake.input, snakemake.output
MAPS = ["brain_mask", "grey_matter", "white_matter", "csf", "regions"]


def measure() -> None:
    mask, grey, white, csf, regions = (load_image(given[name]) for name in MAPS)
    scan, alignment = (json.loads(Path(given[name]).read_text(encoding="utf-8")) for name in ("sidecar", "alignment"))
    labels = read_labels(given.labels)
    found = structures_by_label(unstack_structures(load_image(given.structures)), labels)
    rois, min_voxels = resolve_rois(read_rois(given.rois), labels), snakemake.params.min_voxels
    parts = measure_volumes(grey, regions, found, rois, min_voxels=min_voxels)
    tiv = {"has_whole_head": scan["InputKind"] == "whole_head", "affine_tiv_mm3": alignment["affine_tiv_mm3"]}
    totals = measure_totals(grey, white, csf, mask, **tiv)
    volumes = pd.concat([parts, totals], ignore_index=True)
    volumes.to_csv(out.volumes, sep="\t", index=False, na_rep="n/a", float_format="%.3f")


run_stage("volumes", measure, inputs=given, outputs=out, log=snakemake.log[0])
