"""Adapter of rule `label_regions`: files in, `morpho.measure.parcellate`, files out."""

from dataclasses import fields
from pathlib import Path

from morpho.atlas import load_atlas
from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import load_image, save_image
from morpho.logs import log_to
from morpho.measure.parcellate import crop_to_structures, label_regions, overlap_with_atlas
from morpho.measure.register import Transforms, warp_to_scan
from morpho.rois import read_labels
from morpho.structures import load_subcortical_atlas, structures_by_label, unstack_structures
from morpho.tables import write_json

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params
MARGIN_MM = 15.0


def parcellate() -> None:
    atlas = load_atlas(params.atlas_name, Path(given.atlas), read_labels(given.labels))
    grey_matter = load_image(given.grey_matter)
    transforms = Transforms(**{field.name: given[field.name] for field in fields(Transforms)})
    carried = warp_to_scan(atlas.image, grey_matter, transforms, nearest=True)
    found = structures_by_label(unstack_structures(load_image(given.structures)), atlas.labels)
    regions = label_regions(carried, grey_matter, found, atlas.labels, reach_mm=params.reach_mm)
    save_image(regions, out.regions, kind="label")
    near = crop_to_structures(found, margin_mm=MARGIN_MM) if found else {}
    atlas_maps = structures_by_label(load_subcortical_atlas(), atlas.labels)
    expected = {label: warp_to_scan(atlas_maps[label], near[label], transforms, nearest=False) for label in near}
    about = {"spatial_reference": "orig", "StructureOverlap": overlap_with_atlas(near, expected) if near else None}
    sidecar = derivative_sidecar([params.raw], description=f"Regions of {atlas.name}", **about)
    write_json(sidecar, out.sidecar)


run_stage("parcellate", parcellate, inputs=given, outputs=out, log=snakemake.log[0])
