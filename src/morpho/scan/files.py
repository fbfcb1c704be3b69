"""Names of all files of one scan, raw and derived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from morpho.atlas import TEMPLATE_SPACE
from morpho.measure.register import Transforms

TO_TEMPLATE = f"from-T1w_to-{TEMPLATE_SPACE}_mode-image"
FROM_TEMPLATE = f"from-{TEMPLATE_SPACE}_to-T1w_mode-image"
RECORD = "desc-stages_provenance.json"
TISSUES = {"grey_matter": "GM", "white_matter": "WM", "csf": "CSF"}


@dataclass(frozen=True)
class AtlasFiles:
    """The atlas that regions come from: its name, its image, its label table, and the table of regions."""

    name: str
    image: Path
    labels: Path
    rois: Path


@dataclass(frozen=True)
class ScanFiles:
    """Files of one scan.

    `raw` is the T1w and `raw_name` its path in the BIDS folder; `start` is the path and the start of the name of all
    derivatives, such as ``OUT/sub-01/anat/sub-01``; `atlas` the files of the atlas.
    """

    raw: Path
    raw_name: str
    start: Path
    atlas: AtlasFiles

    def derivative(self, suffix: str) -> Path:
        """Path of a derivative."""
        return self.start.with_name(f"{self.start.name}_{suffix}")

    @property
    def t1w(self) -> Path:
        """Scan without shading, cropped around the brain."""
        return self.derivative("desc-preproc_T1w.nii.gz")

    @property
    def t1w_sidecar(self) -> Path:
        """What was mended, and whether the scan shows a whole head."""
        return self.derivative("desc-preproc_T1w.json")

    @property
    def brain_mask(self) -> Path:
        """Brain mask."""
        return self.derivative("desc-brain_mask.nii.gz")

    @property
    def coarse_shares(self) -> Path:
        """Coarse shares of tissues; wanted by segmentation only."""
        return self.derivative("desc-coarse_probseg.nii.gz")

    def tissue(self, name: str) -> Path:
        """Share of a tissue: grey_matter, white_matter or csf."""
        return self.derivative(f"label-{TISSUES[name]}_probseg.nii.gz")

    @property
    def structures(self) -> Path:
        """Shares of hippocampus and amygdala."""
        return self.derivative("desc-structures_probseg.nii.gz")

    @property
    def transforms(self) -> Transforms:
        """Transforms between the scan and the template."""
        return Transforms(
            self.derivative(f"{TO_TEMPLATE}_desc-affine_xfm.mat"),
            self.derivative(f"{TO_TEMPLATE}_desc-warp_xfm.nii.gz"),
            self.derivative(f"{FROM_TEMPLATE}_desc-warp_xfm.nii.gz"),
        )

    @property
    def alignment(self) -> Path:
        """Score of the alignment."""
        return self.derivative(f"{TO_TEMPLATE}_xfm.json")

    @property
    def regions(self) -> Path:
        """Label of the region of each voxel."""
        return self.derivative(f"seg-{self.atlas.name}_dseg.nii.gz")

    @property
    def regions_sidecar(self) -> Path:
        """Overlap of the structures with the atlas."""
        return self.derivative(f"seg-{self.atlas.name}_dseg.json")

    @property
    def volumes(self) -> Path:
        """Table of volumes."""
        return self.derivative(f"seg-{self.atlas.name}_desc-volumes_morph.tsv")

    @property
    def metrics(self) -> Path:
        """Table of quality metrics."""
        return self.derivative("desc-quality_metrics.tsv")

    @property
    def record(self) -> Path:
        """What was done with which software, settings and data."""
        return self.derivative(RECORD)


def sidecar_of(image: Path) -> Path:
    """Path of the JSON file beside an image."""
    return image.with_name(image.name.replace(".nii.gz", ".json"))


def with_sidecars(images: Iterable[Path]) -> tuple[Path, ...]:
    """Images and the JSON files beside them."""
    return tuple(path for image in images for path in (image, sidecar_of(image)))
