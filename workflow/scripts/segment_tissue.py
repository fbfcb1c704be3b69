"""Adapter of rule `segment_tissue`: files in, `morpho.measure.segment.segment_tissue`, files out."""

from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import load_image, save_image
from morpho.logs import log_to
from morpho.measure.segment import segment_tissue
from morpho.structures import stack_structures
from morpho.tables import write_json

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params
SHARES = "Shares of left and right hippocampus, left and right amygdala (in this order)"


def segment() -> None:
    scan = [load_image(given[name]) for name in ("t1w", "brain_mask", "coarse_shares")]
    found = segment_tissue(*scan, prior_weight=params.prior_weight)
    maps = vars(found.tissue) | {"structures": stack_structures(found.structures)}
    for name, image in maps.items():
        # The faint rims of the structures add up to 2 % of an amygdala; 8 bits would lose them.
        save_image(image, out[name], kind="intensity" if name == "structures" else "probability")
        text = SHARES if name == "structures" else f"Share of {name.replace('_', ' ')} in each voxel"
        sidecar = derivative_sidecar([params.raw], description=text, spatial_reference="orig", Units="0 to 1")
        write_json(sidecar, out[name].replace(".nii.gz", ".json"))


run_stage("segment", segment, inputs=given, outputs=out, log=snakemake.log[0])
