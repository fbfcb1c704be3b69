"""Scans that failed in an earlier run, so that they can be tried again: the others are left as they are."""

from __future__ import annotations

from pathlib import Path

from morpho.failures import read_failure

VOLUMES = "*_desc-volumes_morph.tsv"
MOST_FILES = 2000  # a command line has an end; with more failed scans, all scans are looked at again
MEASURE_RULE = "measure_scan"


def find_failed(output_dir: Path) -> list[Path]:
    """Find the tables of volumes that are notes of a failure in an output folder, sorted."""
    tables = [path for folder in ("sub-*/anat", "sub-*/ses-*/anat") for path in output_dir.glob(f"{folder}/{VOLUMES}")]
    return sorted(path for path in tables if read_failure(path) is not None)


def retry_options(output_dir: Path) -> list[str]:
    """Options by which Snakemake measures failed scans again; none if no scan failed."""
    failed = find_failed(output_dir.absolute())
    if not failed:
        return []
    return ["--forcerun", *(map(str, failed) if len(failed) <= MOST_FILES else [MEASURE_RULE])]
