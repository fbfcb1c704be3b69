"""Names and metadata of a BIDS derivative data set: what `morpho` writes beside its images and tables."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from morpho.errors import BidsError

BIDS_VERSION = "1.10.0"
IGNORED = (
    "*.html", "report", "report/", "logs", "logs/", "figures", "figures/", "group", "group/",
    "enigma_export", "enigma_export/", ".morpho", ".morpho/", ".morpho.lock", "*_provenance.*", "*_xfm.*",
    "*_volumes.*", "*_morph.*", "*_quality.*", "*_metrics.*", "*_qc.json",
)  # fmt: skip


def derivative_path(folder: str, scan: str, suffix: str) -> str:
    """Path of a derivative of one scan inside the derivative data set.

    Parameters
    ----------
    folder
        ``sub-01`` or ``sub-01/ses-2``, or the wildcard that stands for it.
    scan
        ``sub-01`` or ``sub-01_ses-2``, or the wildcard that stands for it.
    suffix
        The rest of the name, such as ``label-GM_probseg.nii.gz``.

    Examples
    --------
    >>> derivative_path("sub-01/ses-2", "sub-01_ses-2", "label-GM_probseg.nii.gz")
    'sub-01/ses-2/anat/sub-01_ses-2_label-GM_probseg.nii.gz'
    """
    return f"{folder}/anat/{scan}_{suffix}"


def derivative_sidecar(
    sources: Iterable[str], *, description: str, spatial_reference: str | None = None, **fields: object
) -> dict[str, object]:
    """JSON sidecar of a derivative.

    Parameters
    ----------
    sources
        Paths relative to the raw BIDS folder of the images that it was made from.
    description
        What it holds, in words.
    spatial_reference
        "orig" for the voxel grid of the scan itself, otherwise the name of the template; None for a table.
    fields
        More BIDS fields, such as ``Type="Brain"``.

    Examples
    --------
    >>> derivative_sidecar(["sub-01/anat/sub-01_T1w.nii.gz"], description="Volumes of regions")
    {'Description': 'Volumes of regions', 'Sources': ['bids:raw:sub-01/anat/sub-01_T1w.nii.gz']}
    """
    sidecar: dict[str, object] = {"Description": description, "Sources": [f"bids:raw:{path}" for path in sources]}
    if spatial_reference is not None:
        sidecar["SpatialReference"] = spatial_reference
    return sidecar | fields


def dataset_description(
    bids_dir: str | Path, derivative_dir: str | Path, *, version: str, code_url: str | None = None
) -> dict[str, object]:
    """Content of ``dataset_description.json`` of a derivative data set.

    Name, licence and DOI come from the raw data set's own description, as far as it has them. The raw data set is
    linked by its DOI, otherwise by its path relative to `derivative_dir`.

    Parameters
    ----------
    bids_dir
        Raw BIDS folder; its ``dataset_description.json`` may be absent.
    derivative_dir
        Top folder of the derivative data set.
    version
        Version of `morpho`.
    code_url
        Where the code is; None if it has no address.

    Returns
    -------
    Keys Name, BIDSVersion, DatasetType, GeneratedBy, SourceDatasets and DatasetLinks, and License if it is known.

    Raises
    ------
    BidsError
        If the raw ``dataset_description.json`` is not valid JSON.
    """
    raw = _read_description(Path(bids_dir) / "dataset_description.json")
    generator = {"Name": "morpho", "Version": version} | ({"CodeURL": code_url} if code_url else {})
    name = str(raw.get("Name") or "unnamed data set")
    description: dict[str, object] = {
        "Name": f"Regional grey-matter volumes (morpho) of: {name}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generator],
    }
    if isinstance(raw.get("License"), str) and raw["License"].strip():
        description["License"] = raw["License"]
    doi = _doi(raw)
    relative = quote(Path(os.path.relpath(Path(bids_dir).resolve(), Path(derivative_dir).resolve())).as_posix())
    description["SourceDatasets"] = [{"DOI": doi} if doi else {"URL": relative}]
    description["DatasetLinks"] = {"raw": f"doi:{doi}" if doi else relative}
    return description


def bidsignore_text() -> str:
    """Content of ``.bidsignore`` of the derivative data set: files for which BIDS has no name yet."""
    return "\n".join(IGNORED) + "\n"


def _read_description(path: Path) -> Mapping[str, Any]:
    """Content of a dataset_description.json; nothing if there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except json.JSONDecodeError as error:
        message = f"{path} is not valid JSON ({error}). Correct it, or remove it: morpho only takes name and licence."
        raise BidsError(message) from error
    return content if isinstance(content, dict) else {}


def _doi(raw: Mapping[str, Any]) -> str:
    """DOI of the raw data set without prefix; "" if it has none."""
    text = re.sub(r"^\s*(https?://(dx\.)?doi\.org/|doi:)\s*", "", str(raw.get("DatasetDOI") or ""), flags=re.IGNORECASE)
    return text.strip() if text.startswith("10.") else ""
