"""A phantom of known truth, measured with the real stages by the real workflow.

The phantom is a whole head of 2 mm voxels, stored with its axes turned around, whose left hippocampus was made much
smaller. It shows the template, an average of many people, in which the networks take more for hippocampus and amygdala
than was planted, and find the planted difference of the sides in part. So three things are judged: intracranial volume
against the planted one, the difference of the two hippocampi against the planted one (its sign would change if left and
right were exchanged), and every volume against what an installation with the packages of requirements.lock measures
(``phantom.json``).
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from morpho.atlas import find_data_file, load_atlas, load_template
from morpho.cli.findings import Finding
from morpho.cli.machine import with_cache
from morpho.cli.pipeline import find_profile, pipeline_folder, read_default_config, snakemake_command
from morpho.derivatives import derivative_path
from morpho.errors import MorphoError
from morpho.failures import read_failure
from morpho.phantom import Person, Phantom, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps, prepare_head_maps
from morpho.rois import read_labels, read_rois, resolve_rois
from morpho.tables import read_table

RECORD = Path(__file__).parent / "phantom.json"
SUBJECT = "sub-phantom"
PERSON = Person(hippocampus_scale=0.65, seed=7)
SCANNER = Scanner(axis_codes="PSR")
ROIS = ("hippocampus", "amygdala", "anterior_cingulate", "prefrontal_cortex")
TIV = ("tiv", "whole")
# A coarser alignment than studies use, to keep it short.
SETTINGS = {"register": {"resolution_mm": 3.0, "iterations": [40, 20, 5]}}
TIV_TOLERANCE, RECORD_TOLERANCE = 0.05, 0.02
SMALLEST_SHARE, LARGEST_SHARE = 0.5, 1.3  # of the planted difference of the sides
SIDES = {"L": "left", "R": "right", "whole": ""}

Where = tuple[str, str]


class PhantomError(MorphoError):
    """The phantom could not be measured."""


@dataclass(frozen=True)
class PhantomResult:
    """Volumes in mm3 by region and side: planted, recorded of an intact installation, and measured here."""

    planted: Mapping[Where, float]
    recorded: Mapping[Where, float]
    measured: Mapping[Where, float]
    seconds: float


def measure_phantom() -> PhantomResult:
    """Simulate the phantom and send it through the workflow.

    Returns
    -------
    Volumes of `ROIS` on both sides, and the intracranial volume.

    Raises
    ------
    MorphoError
        If the workflow does not measure it.
    """
    start = time.monotonic()
    phantom, planted = simulate_phantom()
    with tempfile.TemporaryDirectory(prefix="morpho-doctor-") as private:
        table = _run_workflow(phantom, Path(private))
    volumes = {(str(row["roi"]), str(row["hemisphere"])): float(row["volume_mm3"]) for row in table.to_dict("records")}
    record = json.loads(RECORD.read_text(encoding="utf-8"))["volumes_mm3"]
    recorded = {(name, side): float(record[f"{name} {side}"]) for name, side in planted}
    measured = {where: volumes[where] for where in planted}
    return PhantomResult(planted, recorded, measured, time.monotonic() - start)


def simulate_phantom() -> tuple[Phantom, dict[Where, float]]:
    """Simulate the phantom; give it with its true volumes (mm3) by region and side."""
    folder, config = pipeline_folder(), read_default_config()
    labels = read_labels(folder / config["atlas"]["labels"])
    atlas = load_atlas(config["atlas"]["name"], find_data_file(config["atlas"]["image"], base=folder), labels)
    table = resolve_rois(read_rois(folder / config["volumes"]["rois"]), labels)
    table = table[table["roi"].isin(ROIS) & table["hemisphere"].isin(["L", "R"])]
    maps = _spare_the_right(prepare_head_maps(load_template(), atlas))
    name_of = {index: where for where, index in maps.label_of.items()}
    parts = {
        (str(row["roi"]), str(row["hemisphere"])): [name_of[index] for index in row["label_indices"]]
        for row in table.to_dict("records")
    }
    names = sorted({name for part in parts.values() for name, _ in part})
    phantom = simulate_head(maps, PERSON, SCANNER, names)
    planted = {where: sum(phantom.volumes_mm3[label] for label in part) for where, part in parts.items()}
    return phantom, {**planted, TIV: phantom.tiv_mm3}


def judge_phantom(result: PhantomResult) -> list[Finding]:
    """Judge the measured volumes, as the module says.

    Parameters
    ----------
    result
        From `measure_phantom`.

    Returns
    -------
    One finding per volume, and two about the planted truth.
    """
    columns = "  ".join(name.rjust(8) for name in ("planted", "recorded", "measured"))
    findings = [Finding("mm3", columns, "", "")]
    for (roi, side), measured in result.measured.items():
        planted, recorded = result.planted[roi, side], result.recorded[roi, side]
        off = measured / recorded - 1
        value = f"{planted:8.0f}  {recorded:8.0f}  {measured:8.0f}  {100 * off:+6.2f} %"
        is_right = abs(off) <= RECORD_TOLERANCE
        remedy = (
            "" if is_right else f"recorded is what the packages of requirements.lock measure, +-{RECORD_TOLERANCE:.0%}"
        )
        what = f"{'intracranial volume' if roi == 'tiv' else roi.replace('_', ' ')} {SIDES[side]}".rstrip()
        findings.append(Finding(what, value, "ok" if is_right else "fail", "", remedy))
    off = result.measured[TIV] / result.planted[TIV] - 1
    is_right = abs(off) <= TIV_TOLERANCE
    value = f"{100 * off:+.1f} % of the planted one"
    tiv = Finding("intracranial volume", value, "ok" if is_right else "fail", f"within {TIV_TOLERANCE:.0%}")
    return [*findings, tiv, _judge_sides(result)]


def _judge_sides(result: PhantomResult) -> Finding:
    """Hold the difference of both hippocampi against the planted one."""
    planted, measured = (_asymmetry(volumes) for volumes in (result.planted, result.measured))
    is_right = SMALLEST_SHARE <= measured / planted <= LARGEST_SHARE
    value = f"{100 * measured:+.1f} % of their mean, planted {100 * planted:+.1f} %"
    swapped = "left and right are exchanged: do not use this installation"
    remedy = "" if is_right else swapped if measured * planted < 0 else "install morpho again"
    wanted = f"{SMALLEST_SHARE:.0%} to {LARGEST_SHARE:.0%} of it"
    return Finding("hippocampus left - right", value, "ok" if is_right else "fail", wanted, remedy)


def _asymmetry(volumes: Mapping[Where, float]) -> float:
    """Difference of the hippocampi, left minus right, over their mean."""
    left, right = volumes["hippocampus", "L"], volumes["hippocampus", "R"]
    return 2 * (left - right) / (left + right)


def _spare_the_right(maps: HeadMaps) -> HeadMaps:
    """Let only the left hippocampus shrink."""
    hippocampi = maps.depth_mm > 0
    left = maps.labels == maps.label_of["hippocampus", "L"]
    depth_mm = np.where(left, maps.depth_mm, np.float32(0))
    return replace(maps, depth_mm=depth_mm, neighbour_white=maps.neighbour_white[left[hippocampi]])


def _run_workflow(phantom: Phantom, folder: Path) -> pd.DataFrame:
    """Send a phantom through the workflow; give its table of volumes."""
    bids_dir, out, work = folder / "bids", folder / "out", folder / "work"
    scan = bids_dir / SUBJECT / "anat" / f"{SUBJECT}_T1w.nii.gz"
    scan.parent.mkdir(parents=True)
    phantom.t1w.to_filename(scan)
    about = {"Name": "Phantom", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (bids_dir / "dataset_description.json").write_text(json.dumps(about), encoding="utf-8")
    config = {"bids_dir": str(bids_dir), "output_dir": str(out), **SETTINGS}
    (folder / "phantom.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    suffix = f"seg-{read_default_config()['atlas']['name']}_desc-volumes_morph.tsv"
    target = out / derivative_path(SUBJECT, SUBJECT, suffix)
    pipeline = pipeline_folder()
    command = [*snakemake_command(), str(target), "--configfile", str(folder / "phantom.yaml"), "--cores", "1"]
    command += find_profile("default")
    command += ["--snakefile", str(pipeline / "Snakefile"), "--directory", str(work)]
    environment = with_cache(os.environ, folder / "cache")
    done = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode or not target.is_file():
        said = "\n".join((done.stdout + done.stderr).splitlines()[-12:])
        message = f"The workflow did not measure the phantom (exit status {done.returncode}):\n{said}"
        raise PhantomError(message)
    failure = read_failure(target)
    if failure is not None:
        message = f"The phantom could not be measured, stage {failure.stage}: {failure.reason}"
        raise PhantomError(message)
    return read_table(target)
