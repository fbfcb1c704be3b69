"""Takes the configuration, the BIDS folder and its participants table; checks all of them before the first job.

Gives the list of scans to measure, and the functions that name files. With a table of volumes in place of scans
(`TABLES`), nothing is to be measured.
"""

import os
import sys
from hashlib import sha256

from snakemake.logging import logger

from morpho.atlas import file_sha256, find_data_file, load_atlas
from morpho.bids import find_scans
from morpho.claims_file import read_claims
from morpho.codebook import check_codebook, read_codebook
from morpho.config import check_config, drop_removed, read_yaml, take_tables, validate_config
from morpho.covariates import standardise_participants, varying_columns
from morpho.derivatives import derivative_path
from morpho.errors import MorphoError
from morpho.infer.claims.parsing import parse_claims
from morpho.participants import check_matches, join_sessions, read_participants, read_sessions
from morpho.population import tell_ages
from morpho.provenance import source_digest
from morpho.qc_decisions import read_decisions
from morpho.rois import TOTALS, check_regions, read_labels, read_rois, resolve_rois
from morpho.scans import describe_scans, read_scans
from morpho.tables import write_table
from morpho.volume_tables import read_volume_table

# One thread per job: the jobs of a cohort keep all cores busy, and sums do not depend on the number of threads.
for variable in (
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
):
    os.environ[variable] = "1"


def project_file(location):
    """A data file of the configuration: as given, or else relative to the folder of the Snakefile."""
    return str(find_data_file(location, base=Path() if Path(location).exists() else Path(workflow.basedir)))


def separate_tables():
    """Put the blocks of keys back where the configuration names tables; give the paths of these tables, or None."""
    layers = [
        Path(workflow.basedir, "config", "config.yaml"),
        *workflow.overwrite_configfiles,
    ]
    for layer in layers:
        read_yaml(layer)  # refuses what would run expressions
    restored, tables = take_tables(config, layers)
    config.update(restored)
    return tables


def check_inputs():
    """Check everything that can be checked before hours are spent; give the scans table and the regions."""
    validate_config(config, Path(workflow.basedir, "workflow", "schemas", "config.schema.yaml"))
    check_config(config, tables=TABLES is not None, arguments=sys.argv)
    labels = read_labels(project_file(config["atlas"]["labels"]))
    rois = read_rois(project_file(config["volumes"]["rois"]))
    check_regions(
        rois,
        atlas=config["atlas"]["name"],
        families=drop_removed(config)["models"]["families"],
    )
    claims = project_file(config["models"]["claims"])
    schema = Path(workflow.basedir, "workflow", "schemas", "claims.schema.yaml")
    parse_claims(read_claims(claims, schema), drop_removed(config)["models"]["families"])
    resolve_rois(rois, labels)
    load_atlas(config["atlas"]["name"], Path(project_file(config["atlas"]["image"])), labels)
    regions = list(dict.fromkeys(rois["roi"]))
    if TABLES:
        return check_tables(regions), regions
    scans = find_scans(config["bids_dir"], output_dir=config["output_dir"], **config["scans"])
    sessions = read_sessions(config["bids_dir"], scans["participant_id"])
    raw = read_participants(Path(config["bids_dir"], "participants.tsv"))
    settings = drop_removed(config)["participants"]
    raw = join_sessions(raw, sessions, varying_columns(settings))
    if raw is not None:
        people = standardise_participants(raw, **settings)
        check_matches(raw, scans)
        check_codebook(raw, read_codebook(Path(config["bids_dir"], "participants.json")), settings)
        if "age_years" in people:
            for sentence in tell_ages(people["age_years"].min(), people["age_years"].max()):
                logger.warning(sentence)
    check_decisions(scans)
    return scans, regions


def check_decisions(scans):
    """Check the table of what people decided about scans, if there is one."""
    if config["quality"]["decisions"]:
        read_decisions(config["quality"]["decisions"], scans["scan"])


def check_tables(regions):
    """Check the tables that stand for scans and participants; give a scans table without scans."""
    scans = read_volume_table(TABLES["volumes"], regions=regions, totals=TOTALS)[1]
    raw = read_participants(TABLES["participants"], required=True)
    settings = drop_removed(config)["participants"]
    standardise_participants(raw, **settings)
    check_codebook(raw, read_codebook(Path(TABLES["participants"]).with_suffix(".json")), settings)
    check_matches(raw, scans, source="the table of volumes")
    check_decisions(scans)
    return scans.iloc[:0]


def read_manifest():
    """The scans table and the regions as the process that planned this run found them: no folder is walked again."""
    regions = list(dict.fromkeys(read_rois(project_file(config["volumes"]["rois"]))["roi"]))
    scans = read_scans(MANIFEST)
    return (scans.iloc[:0] if TABLES else scans), regions


# Snakemake starts itself again for each job of a cluster; such a process reads what the first one found.
PLANS = workflow.is_main_process

try:
    TABLES = separate_tables()
    MANIFEST = Path(config["output_dir"] or "", "logs", "scans_found.tsv")
    SCANS, REGIONS = check_inputs() if PLANS else read_manifest()
except MorphoError as error:
    sys.exit(f"morpho: {error}")

OUT = config["output_dir"].rstrip("/")
CHOSEN = SCANS[SCANS["chosen"]]
# Scan -> its T1w in the BIDS folder, and its folder.
RAW = dict(zip(CHOSEN["scan"], CHOSEN["path"]))
FOLDERS = dict(zip(CHOSEN["scan"], CHOSEN["folder"]))
SEGMENTATION = f"seg-{config['atlas']['name']}"


wildcard_constraints:
    folder=r"sub-[0-9A-Za-z+]+(/ses-[0-9A-Za-z+]+)?",
    scan=r"sub-[0-9A-Za-z+]+(_ses-[0-9A-Za-z+]+)?",


def scan_file(suffix):
    """Template of the path of one scan's derivative."""
    return f"{OUT}/{derivative_path('{folder}', '{scan}', suffix)}"


def every_scan(template):
    """One path per scan that is to be measured, as an input function: Snakemake hashes long lists again and again."""
    return lambda wildcards: [template.format(scan=scan, folder=folder) for scan, folder in FOLDERS.items()]


def template_of(file):
    """Path of a derivative with its wildcards {folder} and {scan}, as parameter of a rule that has none."""
    return lambda wildcards: str(file)


def group_file(name):
    """Path of a result about the cohort."""
    return f"{OUT}/group/{name}"


def log_file(rule_name, what="{folder}/{scan}"):
    """Path of a rule's log."""
    return f"{OUT}/logs/{rule_name}/{what}.log"


def raw_path(wildcards):
    """The raw T1w that was chosen for a scan, relative to the BIDS folder."""
    return RAW[wildcards.scan]


def raw_t1w(wildcards):
    """The raw T1w that was chosen for a scan."""
    return f"{config['bids_dir']}/{RAW[wildcards.scan]}"


def benchmark_file(rule_name):
    """Path of the seconds and memory that a rule took for one scan."""
    return f"{OUT}/logs/{rule_name}/{{folder}}/{{scan}}.benchmark.tsv"
