"""Adapter of rule `segment_tissue`: files in, `morpho.measure.segment.segment_tissue`, files out."""

from dataclasses import fields

from morpho.atlas import load_template
from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import load_image, save_image
from morpho.logs import log_to
from morpho.measure.register import Transforms, warp_to_scan
from morpho.measure.segment import TissueMaps, segment_tissue
from morpho.tables import write_json

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params


def segment() -> None:
    t1w, template = load_image(given.t1w), load_template()
    transforms = Transforms(**{field.name: given[field.name] for field in fields(Transforms)})
    names = [field.name for field in fields(TissueMaps)]
    priors = {name: warp_to_scan(getattr(template, name), t1w, transforms, nearest=False) for name in names}
    settings = {"prior_weight": params.prior_weight, "smoothing": params.smoothing}
    tissue = segment_tissue(t1w, load_image(given.brain_mask), TissueMaps(**priors), **settings)
    for name in names:
        save_image(getattr(tissue, name), out[name], kind="probability")
        text = f"Share of {name.replace('_', ' ')} in each voxel"
        sidecar = derivative_sidecar([params.raw], description=text, spatial_reference="orig", Units="0 to 1")
        write_json(sidecar, out[name].replace(".nii.gz", ".json"))


run_stage("segment", segment, inputs=given, outputs=out, log=snakemake.log[0])
