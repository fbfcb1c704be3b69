"""The stages of one scan in one process, in the order of the workflow, with every output kept in a folder.

What `snakemake` does for a scan, without its start and with the same functions. A second call reads what a first one
left, so new metrics can be tried on scans that were measured before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from morpho.atlas import Atlas, Template, find_data_file, load_atlas, load_template
from morpho.failures import Failure, read_failure, run_stage
from morpho.images import load_image, save_image
from morpho.measure.laterality import measure_laterality
from morpho.measure.parcellate import crop_to_structures, label_regions, overlap_with_atlas
from morpho.measure.preprocess import preprocess_t1w
from morpho.measure.quality import MeasuredScan, measure_quality
from morpho.measure.register import TissueImages, Transforms, register_to_template, warp_to_scan
from morpho.measure.segment import segment_tissue
from morpho.measure.volumes import measure_totals, measure_volumes
from morpho.rois import read_labels, read_rois, resolve_rois
from morpho.structures import load_subcortical_atlas, stack_structures, structures_by_label, unstack_structures
from morpho.t1w import load_t1w
from morpho.tables import read_table, write_json

REPOSITORY = Path(__file__).resolve().parents[1]
MARGIN_MM = 15.0  # as in the script of label_regions
TISSUES = [field.name for field in fields(TissueImages)]
TRANSFORMS = {
    field.name: f"{field.name}{'.mat' if field.name == 'affine' else '.nii.gz'}" for field in fields(Transforms)
}


@cache
def configuration() -> dict[str, Any]:
    """Read the default configuration."""
    text = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    return settings


@cache
def template() -> Template:
    """Load the template once."""
    return load_template()


@cache
def atlas() -> Atlas:
    """Load the atlas of the default configuration once."""
    settings = configuration()["atlas"]
    labels = read_labels(REPOSITORY / settings["labels"])
    return load_atlas(settings["name"], find_data_file(settings["image"]), labels)


def run_stages(t1w: Path, folder: Path) -> Failure | None:
    """Run all stages before quality; gives why the scan failed, or None.

    Parameters
    ----------
    t1w
        Raw scan.
    folder
        Where the outputs go. A stage whose outputs are there is not run again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stages: list[tuple[str, Callable[[Path, Path], None], list[str], list[str]]] = [
        ("preprocess", _preprocess, [], ["t1w.nii.gz", "brain_mask.nii.gz", "coarse.nii.gz", "preprocess.json"]),
        ("segment", _segment, ["preprocess.json"], [*_maps(), "structures.nii.gz"]),
        ("register", _register, ["structures.nii.gz"], [*TRANSFORMS.values(), "alignment.json"]),
        ("parcellate", _parcellate, ["alignment.json"], ["regions.nii.gz", "overlap.json"]),
        ("volumes", _measure, ["overlap.json"], ["volumes.tsv"]),
    ]
    for name, work, inputs, outputs in stages:
        files = [folder / output for output in outputs]
        if not all(file.exists() for file in files):
            given = [folder / file for file in inputs]
            run_stage(name, lambda work=work: work(t1w, folder), inputs=given, outputs=files, log=folder / "log")
    return read_failure(folder / "volumes.tsv")


def _maps() -> list[str]:
    """Files of the tissue maps."""
    return [f"{name}.nii.gz" for name in TISSUES if name != "brain_mask"]


def _preprocess(t1w: Path, folder: Path) -> None:
    settings = configuration()["preprocess"]
    raw, notes = load_t1w(t1w)
    scan = preprocess_t1w(raw, **settings)
    save_image(scan.t1w, folder / "t1w.nii.gz", kind="intensity")
    save_image(scan.brain_mask, folder / "brain_mask.nii.gz", kind="label")
    save_image(scan.coarse_shares, folder / "coarse.nii.gz", kind="probability")
    write_json({"InputKind": scan.input_kind, "Repairs": notes}, folder / "preprocess.json")


def _segment(_: Path, folder: Path) -> None:
    images = [load_image(folder / f"{name}.nii.gz") for name in ("t1w", "brain_mask", "coarse")]
    found = segment_tissue(*images, prior_weight=configuration()["segment"]["prior_weight"])
    for name, image in vars(found.tissue).items():
        save_image(image, folder / f"{name}.nii.gz", kind="probability")
    save_image(stack_structures(found.structures), folder / "structures.nii.gz", kind="intensity")


def _register(_: Path, folder: Path) -> None:
    scan = TissueImages(**{name: load_image(folder / f"{name}.nii.gz") for name in TISSUES})
    reference = TissueImages(**{name: getattr(template(), name) for name in TISSUES})
    scratch = folder / "transforms"
    scratch.mkdir(exist_ok=True)
    files, alignment = register_to_template(scan, reference, folder=scratch, **configuration()["register"])
    for name, path in asdict(files).items():
        Path(path).replace(folder / TRANSFORMS[name])
    write_json(asdict(alignment), folder / "alignment.json")


def transforms_of(folder: Path) -> Transforms:
    """Name the transforms that a folder holds."""
    return Transforms(**{name: folder / file for name, file in TRANSFORMS.items()})


def _parcellate(_: Path, folder: Path) -> None:
    grey, files = load_image(folder / "grey_matter.nii.gz"), transforms_of(folder)
    carried = warp_to_scan(atlas().image, grey, files, nearest=True)
    found = structures_by_label(unstack_structures(load_image(folder / "structures.nii.gz")), atlas().labels)
    reach_mm = configuration()["parcellate"]["reach_mm"]
    save_image(
        label_regions(carried, grey, found, atlas().labels, reach_mm=reach_mm), folder / "regions.nii.gz", kind="label"
    )
    near = crop_to_structures(found, margin_mm=MARGIN_MM)
    maps = structures_by_label(load_subcortical_atlas(), atlas().labels)
    expected = {label: warp_to_scan(maps[label], near[label], files, nearest=False) for label in near}
    write_json({"StructureOverlap": overlap_with_atlas(near, expected)}, folder / "overlap.json")


def _measure(_: Path, folder: Path) -> None:
    grey, white, csf, mask, regions, structures = (
        load_image(folder / f"{name}.nii.gz")
        for name in ("grey_matter", "white_matter", "csf", "brain_mask", "regions", "structures")
    )
    found = structures_by_label(unstack_structures(structures), atlas().labels)
    settings = configuration()["volumes"]
    rois = resolve_rois(read_rois(REPOSITORY / settings["rois"]), atlas().labels)
    parts = measure_volumes(grey, regions, found, rois, min_voxels=settings["min_voxels"])
    kind = _read_json(folder / "preprocess.json")["InputKind"]
    scale_mm3 = _read_json(folder / "alignment.json")["affine_tiv_mm3"]
    tiv = {"has_whole_head": kind == "whole_head", "affine_tiv_mm3": scale_mm3}
    totals = measure_totals(grey, white, csf, mask, **tiv)
    table = pd.concat([parts, totals], ignore_index=True)
    table.to_csv(folder / "volumes.tsv", sep="\t", index=False, na_rep="n/a", float_format="%.3f")


def measure_metrics(t1w: Path, folder: Path) -> pd.DataFrame:
    """Measure the quality of a scan whose stages were run: one row with `input_kind` and the metrics."""
    about = [_read_json(folder / f"{name}.json") for name in ("preprocess", "alignment", "overlap")]
    near = crop_to_structures(unstack_structures(load_image(folder / "structures.nii.gz")), margin_mm=MARGIN_MM)
    maps, files = load_subcortical_atlas(), transforms_of(folder)
    scan = MeasuredScan(
        raw=load_t1w(t1w)[0],
        **{name: load_image(folder / f"{name}.nii.gz") for name in ("t1w", *TISSUES)},
        expected={name: warp_to_scan(maps[name], near[name], files, nearest=False) for name in near},
        input_kind=about[0]["InputKind"],
    )
    volumes, overlap = read_table(folder / "volumes.tsv"), about[2]["StructureOverlap"]
    sides = measure_laterality(scan.grey_matter, scan.white_matter, files.affine)
    return measure_quality(scan, volumes, about[1], overlap, sides)


def _read_json(path: Path) -> dict[str, Any]:
    """Read a sidecar."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
