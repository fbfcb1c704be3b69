"""Adapter of rule `preprocess_t1w`: files in, `morpho.measure.preprocess.preprocess_t1w`, files out."""

from morpho.derivatives import derivative_sidecar
from morpho.failures import run_stage
from morpho.images import save_image
from morpho.logs import log_to
from morpho.measure.preprocess import preprocess_t1w
from morpho.t1w import load_t1w
from morpho.tables import write_json

log_to(snakemake.log[0])
out, params = snakemake.output, snakemake.params


def preprocess() -> None:
    raw, notes = load_t1w(snakemake.input.t1w)
    scan = preprocess_t1w(raw, brain=params.brain, margin_mm=params.margin_mm)
    save_image(scan.t1w, out.t1w, kind="intensity")
    save_image(scan.brain_mask, out.brain_mask, kind="label")
    save_image(scan.coarse_shares, out.coarse_shares, kind="probability")
    about = {"spatial_reference": "orig", "SkullStripped": scan.input_kind == "extracted", "InputKind": scan.input_kind}
    text = "T1w divided by its bias field, cropped around the brain; white matter is near 1"
    write_json(derivative_sidecar([params.raw], description=text, Repairs=notes, **about), out.sidecar)
    mask = derivative_sidecar([params.raw], description="Brain mask", spatial_reference="orig", Type="Brain")
    write_json(mask, out.brain_mask.replace(".nii.gz", ".json"))


run_stage("preprocess", preprocess, inputs=[], outputs=out, log=snakemake.log[0])
