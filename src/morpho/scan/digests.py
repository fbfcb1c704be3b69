"""What made the numbers of a scan: digests of code, atlas, template, weights and settings.

No stage is imported here, so that the workflow can ask without loading what measures.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from morpho.atlas import TEMPLATE_FILES, file_sha256, find_data_file
from morpho.provenance import source_digest

# In the order of the work; the module `morpho.scan.<stage>` is the code of each.
STAGES = ("preprocess", "segment", "register", "parcellate", "volumes", "quality")
# What the numbers of a stage depend on besides its code, settings and files: weights (morpho/weights/<name>.json), and
# libraries that compute more than arithmetic.
WEIGHTS = {
    "preprocess": ("networks",),
    "segment": ("networks",),
    "parcellate": ("subcortical_atlas",),
    "quality": ("subcortical_atlas", "asymmetry_map"),
}
LIBRARIES = {
    "preprocess": ("onnxruntime",),
    "segment": ("onnxruntime",),
    "register": ("antspyx",),
    "parcellate": ("antspyx",),
    "quality": ("antspyx",),
}
DIGITS = 16


def digest_stage(name: str) -> str:
    """Digest of what a stage runs and is not given: its code, its weights, its libraries, and the template."""
    parts = [digest_code(name), *(_weights_sha256(weights) for weights in WEIGHTS.get(name, ()))]
    return _digest([*parts, digest_template()] if name == "register" else parts)


def digest_code(name: str) -> str:
    """Digest of the code of a stage and of the versions of the libraries that it leans on."""
    versions = [f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES.get(name, ())]
    return _digest([source_digest(f"morpho.scan.{name}"), *versions])


def digest_template() -> str:
    """Digest of the files of the template."""
    return _digest([file_sha256(find_data_file(location)) for location in TEMPLATE_FILES.values()])


def digest_weights() -> str:
    """Digest of all weights that measure scans; the JSON file of each holds the checksums of what lies beside it."""
    names = sorted({name for used in WEIGHTS.values() for name in used})
    return _digest([_weights_sha256(name) for name in names])


def measured_with(settings: Mapping[str, Any], atlas_name: str, atlas_files: Mapping[str, str]) -> dict[str, str]:
    """Digests of all that decides the numbers of a scan besides the scan.

    Parameters
    ----------
    settings
        As for `morpho.scan.plan.plan_stages`.
    atlas_name
        Name of the atlas.
    atlas_files
        Its image, its labels and the table of regions.

    Returns
    -------
    ``code``, ``atlas``, ``template``, ``weights`` and ``settings``: sixteen hexadecimal digits each.
    """
    return {
        "code": _digest([digest_code(name) for name in STAGES]),
        "atlas": _digest([atlas_name, *(file_sha256(Path(path)) for _, path in sorted(atlas_files.items()))]),
        "template": digest_template(),
        "weights": digest_weights(),
        "settings": _digest(dict(settings)),
    }


def _weights_sha256(name: str) -> str:
    """Tell shipped weights from others."""
    return file_sha256(find_data_file(f"morpho:weights/{name}.json"))


def _digest(value: object) -> str:
    """Digest of what JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]
