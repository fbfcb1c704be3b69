"""Adapter of rule `label_regions`: files in, `morpho.measure.parcellate.label_regions`, files out."""

from dataclasses import fields
from pathlib import Path

from morpho.atlas import load_atlas
from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import load_image, save_image
from morpho.logs import log_to
from morpho.measure.parcellate import label_regions
from morpho.measure.register import Transforms, warp_to_scan
from morpho.rois import read_labels
from morpho.tables import write_json

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params


def parcellate() -> None:
    atlas = load_atlas(params.atlas_name, Path(given.atlas), read_labels(given.labels))
    grey_matter = load_image(given.grey_matter)
    transforms = Transforms(**{field.name: given[field.name] for field in fields(Transforms)})
    carried = warp_to_scan(atlas.image, grey_matter, transforms, nearest=True)
    regions = label_regions(carried, grey_matter, atlas.labels, reach_mm=params.reach_mm)
    save_image(regions, out.regions, kind="label")
    sidecar = derivative_sidecar([params.raw], description=f"Regions of {atlas.name}", spatial_reference="orig")
    write_json(sidecar, out.regions.replace(".nii.gz", ".json"))


run_stage("parcellate", parcellate, inputs=given, outputs=out, log=snakemake.log[0])
