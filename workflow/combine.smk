"""Combine the exports of several studies without any scan: a random-effects meta-analysis of every region.

snakemake --cores 1 --snakefile workflow/combine.smk --config output=combined.tsv studies="a=DIR/enigma_export/patient_control.tsv,b=..."
"""

import sys

from morpho.provenance import source_digest

STUDIES = dict(entry.split("=", 1) for entry in config.get("studies", "").split(",") if "=" in entry)
if not STUDIES or "output" not in config:
    sys.exit(
        "morpho: name the exports and the table to write: --config output=combined.tsv "
        'studies="berlin=DIR/patient_control.tsv,oslo=DIR/patient_control.tsv"'
    )


rule combine_exports:
    """Pool the effects of all studies, region by region."""
    input:
        list(STUDIES.values()),
    output:
        combined=config["output"],
    log:
        f"{config['output']}.log",
    params:
        studies=list(STUDIES),
        confidence=0.95,
        code=source_digest("morpho.infer.sharing.sharing"),
    script:
        "scripts/combine_exports.py"
