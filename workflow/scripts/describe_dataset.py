"""Adapter of rule `describe_dataset`: `morpho.derivatives`, the description of the derivative data set out."""

from pathlib import Path

from morpho.derivatives import bidsignore_text, dataset_description
from morpho.job_start import start_job
from morpho.provenance import software_versions
from morpho.rois import read_labels
from morpho.tables import write_json, write_text

start_job(snakemake)
out, params = snakemake.output, snakemake.params
folder = Path(out.description).parent
write_json(dataset_description(params.bids_dir, folder, version=software_versions()["morpho"]), out.description)
write_text(bidsignore_text(), out.ignore)
labels = read_labels(params.labels)[["index", "name", "hemisphere", "tissue"]]
labels.to_csv(out.labels, sep="\t", index=False)
