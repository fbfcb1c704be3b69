"""The simulated cohort of `make demo`: made before the main workflow looks for scans, compared with it afterwards."""

from pathlib import Path

from morpho.atlas import find_data_file
from morpho.provenance import source_digest


configfile: Path(workflow.basedir, "..", "config", "config.yaml")
configfile: Path(workflow.basedir, "..", "config", "demo.yaml")
configfile: Path(workflow.basedir, "..", "config", "demo_cohort.yaml")


BIDS, OUT = config["bids_dir"], config["output_dir"]
TRUTH = str(Path(BIDS).parent / "planted.tsv")


localrules:
    compare_planted,


rule simulate_cohort:
    """Make a BIDS folder of synthetic heads with known effects, and a table of what was planted."""
    input:
        atlas=str(find_data_file(config["atlas"]["image"])),
        labels=config["atlas"]["labels"],
    output:
        participants=f"{BIDS}/participants.tsv",
        truth=TRUTH,
    log:
        f"{BIDS}/../logs/simulate_cohort.log",
    threads: workflow.cores
    params:
        bids_dir=BIDS,
        n_per_group=config["n_per_group"],
        seed=config["seed"],
        effects=config["effects"],
        code=source_digest("morpho.phantom_cohort"),
    script:
        "scripts/simulate_cohort.py"


rule compare_planted:
    """Set the planted effects beside the recovered ones, and print them."""
    input:
        truth=TRUTH,
        effects=f"{OUT}/group/group_comparison.tsv",
        associations=f"{OUT}/group/severity_association.tsv",
    output:
        table=f"{OUT}/../planted_and_recovered.tsv",
    log:
        f"{BIDS}/../logs/compare_planted.log",
    script:
        "scripts/compare_planted.py"
