"""Adapter of rule `measure_quality`: files in, `morpho.measure.quality.measure_quality`, files out."""

import json
from dataclasses import fields
from pathlib import Path

from morpho.failures import run_stage
from morpho.images import load_image
from morpho.logs import log_to
from morpho.measure.laterality import measure_laterality
from morpho.measure.parcellate import crop_to_structures
from morpho.measure.quality import MeasuredScan, measure_quality
from morpho.measure.register import Transforms, warp_to_scan
from morpho.quality_metrics import METRICS
from morpho.structures import load_subcortical_atlas, unstack_structures
from morpho.t1w import load_t1w
from morpho.tables import read_table, write_table

log_to(snakemake.log[0])
given, out = snakemake.input, snakemake.output
MAPS = ["t1w", "brain_mask", "grey_matter", "white_matter", "csf"]
MARGIN_MM = 15.0
KIND = {"input_kind": {"Description": "whole_head, or extracted: the brain was extracted before it came to morpho"}}


def measure() -> None:
    about = [json.loads(Path(given[name]).read_text(encoding="utf-8")) for name in ("sidecar", "alignment", "overlap")]
    transforms = Transforms(**{field.name: given[field.name] for field in fields(Transforms)})
    near = crop_to_structures(unstack_structures(load_image(given.structures)), margin_mm=MARGIN_MM)
    atlas = load_subcortical_atlas()
    expected = {name: warp_to_scan(atlas[name], near[name], transforms, nearest=False) for name in near}
    maps = {name: load_image(given[name]) for name in MAPS}
    raw = load_t1w(given.raw)[0]
    scan = MeasuredScan(raw=raw, **maps, expected=expected, input_kind=about[0]["InputKind"])
    sides = measure_laterality(maps["grey_matter"], maps["white_matter"], Path(given.affine))
    table = measure_quality(scan, read_table(given.volumes), about[1], about[2]["StructureOverlap"], sides)
    write_table(table, out.metrics, KIND | METRICS, digits=6)


run_stage("quality", measure, inputs=given, outputs=out, log=snakemake.log[0])
