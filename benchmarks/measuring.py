"""Measure scans with morpho as its users do: a BIDS folder, a configuration, `snakemake`; then read what it wrote."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import yaml
from nibabel.nifti1 import Nifti1Image

from morpho.failures import read_failure
from morpho.rois import read_labels, read_rois, resolve_rois
from morpho.tables import read_table, write_json, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
VOLUMES = "seg-desikankilliany_desc-volumes_morph.tsv"
REGIONS = "seg-desikankilliany_dseg.nii.gz"
BRAIN_MASK = "desc-brain_mask.nii.gz"
GREY_MATTER = "label-GM_probseg.nii.gz"
PREPROCESSED = "desc-preproc_T1w.nii.gz"
STRUCTURES = "desc-structures_probseg.nii.gz"
# What its fourth axis holds.
STRUCTURES_IN_ORDER = (("hippocampus", "L"), ("hippocampus", "R"), ("amygdala", "L"), ("amygdala", "R"))
SUBJECT = re.compile(r"[0-9A-Za-z]+")
LAST_LINES = 25

# The scans of a benchmark are nobody's cohort: there is no table of participants, so nothing can be modelled.
NO_COHORT = {
    "participants": {"columns": {"group": None, "sex": None, "age": None, "site": None}},
    "models": {"covariates": []},
}


class BenchmarkError(Exception):
    """Input that a benchmark cannot use, or a run of morpho that gave nothing."""


@dataclass(frozen=True)
class Measured:
    """What morpho wrote for one scan.

    `volumes_mm3` has the keys (region, hemisphere) as in the table of volumes: L, R, mean, or whole for totals. It is
    empty if the scan failed; `failure` says why.
    """

    subject: str
    folder: Path
    failure: str = ""
    volumes_mm3: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def file(self, suffix: str) -> Path:
        """Path of one of its derivatives."""
        return self.folder / f"sub-{self.subject}_{suffix}"

    def volume_mm3(self, region: str, side: str) -> float:
        """Volume of a region: side L, R, both (their sum) or whole; NaN if morpho has none."""
        if side == "both":
            return self.volume_mm3(region, "L") + self.volume_mm3(region, "R")
        return self.volumes_mm3.get((region, side), float("nan"))


def measure_scans(
    scans: Mapping[str, Path], work: Path, *, cores: int = 1, overrides: Mapping[str, Any] | None = None
) -> dict[str, Measured]:
    """Measure scans; those that failed are in the result with the reason.

    Parameters
    ----------
    scans
        Subject (letters and digits) -> T1w image.
    work
        Folder for the BIDS folder and the outputs. What an earlier run left there is used again.
    cores
        Jobs at a time.
    overrides
        Configuration besides bids_dir and output_dir.

    Raises
    ------
    BenchmarkError
        If a T1w does not exist, a name is no BIDS label, or no scan has any output.
    """
    build_bids(scans, work / "bids")
    ended = run_snakemake(config_of(scans, work, overrides or {}), work, cores=cores)
    measured = {subject: read_outputs(work / "morpho", subject) for subject in scans}
    if all(not result.file(VOLUMES).exists() for result in measured.values()):
        last = "\n".join(ended.splitlines()[-LAST_LINES:])
        message = f"morpho measured none of {len(scans)} scans. The end of what it said:\n{last}"
        raise BenchmarkError(message)
    return measured


def config_of(subjects: Iterable[str], work: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Make the configuration of a benchmark: BIDS folder and outputs in `work`, only these subjects measured."""
    folders = {"bids_dir": str(work / "bids"), "output_dir": str(work / "morpho")}
    return merge(merge(NO_COHORT, overrides), folders | {"scans": {"participants": list(subjects)}})


def build_bids(scans: Mapping[str, Path], folder: Path) -> None:
    """Lay a BIDS folder of links to T1w images; links that are right already stay as they are."""
    for subject, t1w in scans.items():
        if not SUBJECT.fullmatch(subject):
            message = f"'{subject}' cannot be the name of a subject in BIDS: only letters and digits are allowed."
            raise BenchmarkError(message)
        if not t1w.is_file():
            message = f"There is no T1w image '{t1w}'. Give the path of a .nii or .nii.gz file."
            raise BenchmarkError(message)
        extension = ".nii.gz" if t1w.name.endswith(".gz") else ".nii"
        link = folder / f"sub-{subject}" / "anat" / f"sub-{subject}_T1w{extension}"
        if link.is_symlink() and link.resolve() == t1w.resolve():
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(t1w.resolve())
    description = folder / "dataset_description.json"
    if not description.exists():
        write_json({"Name": "benchmark", "BIDSVersion": "1.10.0", "DatasetType": "raw"}, description)


def run_snakemake(config: Mapping[str, Any], work: Path, *, cores: int) -> str:
    """Run morpho until the volumes of all scans; returns what it said, which is also in snakemake.log."""
    ended = subprocess.run(
        snakemake_command(config, work, cores=cores),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    with (work / "snakemake.log").open("a", encoding="utf-8") as log:
        log.write(ended.stdout)
    return ended.stdout


def snakemake_command(config: Mapping[str, Any], work: Path, *, cores: int) -> list[str]:
    """Write a configuration into `work`; gives the command that measures all scans with it.

    Raises
    ------
    BenchmarkError
        If Python is not that of morpho's environment.
    """
    program = Path(sys.executable).with_name("snakemake")
    if not program.exists():
        message = (
            f"There is no '{program}'. Run the benchmark with the Python of morpho's environment, .venv/bin/python."
        )
        raise BenchmarkError(message)
    file = work / "config.yaml"
    write_text(yaml.safe_dump(dict(config), sort_keys=True), file)
    return [str(program), "--cores", str(cores), "--configfile", str(file), "--until", "measure_scan"]


def read_outputs(out: Path, subject: str) -> Measured:
    """Read the volumes of one scan, or why it has none."""
    folder = out / f"sub-{subject}" / "anat"
    table = folder / f"sub-{subject}_{VOLUMES}"
    if not table.exists():
        return Measured(subject, folder, failure="morpho left no table of volumes; see snakemake.log")
    failure = read_failure(table)
    if failure is not None:
        return Measured(subject, folder, failure=f"{failure.stage}: {failure.reason}")
    rows = read_table(table).to_dict("records")
    return Measured(
        subject, folder, volumes_mm3={(row["roi"], row["hemisphere"]): float(row["volume_mm3"]) for row in rows}
    )


@cache
def label_indices() -> dict[tuple[str, str], list[int]]:
    """Numbers in the label image of each region: (region, L or R) -> numbers."""
    labels = read_labels(REPOSITORY / "config" / "atlas-desikankilliany_labels.tsv")
    resolved = resolve_rois(read_rois(REPOSITORY / "config" / "rois.tsv"), labels)
    return {(row["roi"], row["hemisphere"]): row["label_indices"] for row in resolved.to_dict("records")}


def read_structures(result: Measured) -> dict[tuple[str, str], Nifti1Image]:
    """Read the shares of structures that were found in the scan itself; none if morpho wrote none."""
    file = result.file(STRUCTURES)
    if not file.exists():
        return {}
    image = nib.load(file)
    return {where: image.slicer[..., number] for number, where in enumerate(STRUCTURES_IN_ORDER)}


def merge(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings of two configurations; the second wins.

    Examples
    --------
    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    result = dict(base)
    for key, value in other.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merge(before, value) if both else value
    return result


def read_overrides(file: Path | None) -> dict[str, Any]:
    """Read the settings of a YAML file; none if no file is named."""
    if file is None:
        return {}
    if not file.is_file():
        message = f"There is no configuration '{file}' (--config). Give a YAML file with the keys that differ."
        raise BenchmarkError(message)
    settings = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    if not isinstance(settings, dict):
        message = (
            f"'{file}' (--config) holds {type(settings).__name__}, not keys with values as config/config.yaml does."
        )
        raise BenchmarkError(message)
    return settings


@contextmanager
def work_folder(folder: Path | None) -> Iterator[Path]:
    """Give the folder that is to be kept, or a temporary one."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="morpho-benchmark-") as name:
        yield Path(name)


def write_results(table: pd.DataFrame, path: Path) -> None:
    """Write the table of a benchmark as TSV, missing cells "n/a"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.6g")


def summary_line(values: Mapping[str, float | int | str]) -> str:
    """Last line of a benchmark: pairs key=value.

    Examples
    --------
    >>> summary_line({"hippocampus_dice": 0.83416, "n": 8, "amygdala_r": float("nan")})
    'hippocampus_dice=0.834 n=8 amygdala_r=nan'
    """
    return " ".join(
        f"{key}={value:.3f}" if isinstance(value, float) and np.isfinite(value) else f"{key}={value}"
        for key, value in values.items()
    )
