"""Build the asymmetry map: what tells a true scan from its mirror image, at each place of the template's left half.

    python training/build_asymmetry_map.py LABEL_MAPS --ds002748 RESULTS --ds000011 RESULTS --out src/morpho/weights

Takes the label maps and the folders of results of finished runs on two open data sets. Tissue of every person, and its
mirror image, is aligned with the template anew; left minus mirrored right tissue is what is learnt from. A ridge
discriminant separates people from mirror images. It is evaluated leaving out one person, and one source, at a time.
"""

from __future__ import annotations

import os

os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"  # read at import; more threads would sum in any order

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import build_subcortical_atlas as atlas
import label_maps as lm
import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage, stats

from morpho.atlas import TEMPLATE_SPACE, file_sha256, load_template
from morpho.images import like, load_image, mask_of, save_image
from morpho.itk import scratch_folder
from morpho.measure import laterality
from morpho.measure.register import TissueImages, register_to_template

FloatArray = NDArray[np.float32]

RIDGE = 0.5  # times the mean sum of squares of a person's asymmetry; from 0.1 to 2 the results hardly change
LABEL_BLUR_MM = 0.6
GRID_SPACING_MM = 2.0  # as the pipeline aligns
AFFINE_ALONE = (1, 0, 0)  # iterations of the deformable alignment, which is not used
BRAIN_MARGIN_MM = 4  # places this near to the template's brain count
FALSE_ALARMS = 1 / 200  # of true scans at most, by the threshold
THRESHOLD_STEP = 0.05

RESULT_FILES = {
    "brain_mask": "desc-brain_mask", "grey_matter": "label-GM_probseg", "white_matter": "label-WM_probseg",
    "csf": "label-CSF_probseg",
}  # fmt: skip
SOURCES = {
    "label_maps": atlas.SOURCE,
    "ds002748": {
        "what": "tissue of extracted brains, segmented by morpho",
        "reference": "OpenNeuro ds002748. Bezmaternykh DD et al. Neural Plast 2021. doi 10.1155/2021/8846097",
        "licence": "CC0",
    },
    "ds000011": {
        "what": "tissue of whole heads, segmented by morpho",
        "reference": "OpenNeuro ds000011. Foerde K et al. PNAS 2006. doi 10.1073/pnas.0602659103",
        "licence": "PDDL",
    },
}


@dataclass(frozen=True)
class Person:
    """Left minus mirrored right tissue of a person and of the mirror image, each of shape (2, 20, 49, 41)."""

    source: str
    name: str
    true: FloatArray
    mirrored: FloatArray


@dataclass(frozen=True)
class Discriminant:
    """Weight of each place and size of a usual asymmetry; people left out of the training score 1 on average."""

    weights: FloatArray
    usual_size: float

    def score(self, asymmetry: FloatArray) -> float:
        """Score as the pipeline computes it."""
        return laterality.score_asymmetry(asymmetry, self.weights, self.usual_size)


# --- people -------------------------------------------------------------------------------------------------------


def tissue_of_labels(file: Path) -> TissueImages:
    """Tissue shares inside the skull of a label map."""
    labels = atlas.read_brain(file)
    data = np.asanyarray(labels.dataobj)
    inside = data > 0
    fluid = atlas.label_table({lm.FLUID: 1.0})[data]
    white = atlas.label_table(atlas.WHITE_SHARE)[data]
    shares = (
        np.where(inside, ndimage.gaussian_filter(share, LABEL_BLUR_MM), 0)
        for share in (inside - fluid - white, white, fluid)
    )
    return TissueImages(like(labels, inside.astype(np.uint8)), *(like(labels, share) for share in shares))


def tissue_of_scan(grey_matter: Path) -> TissueImages:
    """Tissue shares of a scan, given one of the files that a finished run left."""
    files = {name: grey_matter.name.replace(RESULT_FILES["grey_matter"], part) for name, part in RESULT_FILES.items()}
    return TissueImages(**{name: load_image(grey_matter.with_name(file)) for name, file in files.items()})


def mirror(image: Nifti1Image) -> Nifti1Image:
    """Image whose data are mirrored along the axis nearest to left-right while its header stays."""
    codes = nib.aff2axcodes(image.affine)
    axis = next(axis for axis, code in enumerate(codes) if code in "LR")
    return like(image, np.flip(np.asanyarray(image.dataobj), axis))


def measure_asymmetry(tissue: TissueImages, template: TissueImages) -> FloatArray:
    """Align tissue affinely with the template and subtract the mirrored right half from the left one."""
    with scratch_folder() as folder:
        settings = {"resolution_mm": GRID_SPACING_MM, "iterations": AFFINE_ALONE, "folder": Path(folder)}
        transforms, _ = register_to_template(tissue, template, **settings)
        sampled = laterality.sample_tissue(tissue.grey_matter, tissue.white_matter, transforms.affine)
    left, right = laterality.split_sides(sampled)
    return left - right


def find_people(arguments: argparse.Namespace) -> Iterator[tuple[str, str, Callable[[], TissueImages]]]:
    """Source, name and reader of every person."""
    for file in sorted(arguments.label_maps.glob("seg_*.nii.gz")):
        yield "label_maps", file.name, lambda file=file: tissue_of_labels(file)
    for source in ("ds002748", "ds000011", "test"):
        folder = getattr(arguments, source)
        for file in sorted(folder.glob(f"sub-*/**/*_{RESULT_FILES['grey_matter']}.nii.gz")) if folder else ():
            yield source, file.name.partition("_label")[0], lambda file=file: tissue_of_scan(file)


def measure_people(arguments: argparse.Namespace) -> list[Person]:
    """Asymmetry of all people and of their mirror images; a line of progress for each."""
    loaded = load_template()
    template = TissueImages(**{field.name: getattr(loaded, field.name) for field in fields(TissueImages)})
    people = []
    for source, name, read in find_people(arguments):
        began, tissue = time.process_time(), read()
        mirrored = TissueImages(**{field.name: mirror(getattr(tissue, field.name)) for field in fields(TissueImages)})
        person = Person(source, name, *(measure_asymmetry(images, template) for images in (tissue, mirrored)))
        agreement = np.corrcoef(person.true.ravel(), -person.mirrored.ravel())[0, 1]
        seconds = time.process_time() - began
        sys.stdout.write(f"{source} {name} {seconds:.0f} s, r with minus its mirror image {agreement:.3f}\n")
        sys.stdout.flush()
        people.append(person)
    return people


def read_or_measure(arguments: argparse.Namespace) -> list[Person]:
    """People from the file of an earlier call, or measured and written to it."""
    file: Path | None = arguments.people
    if file is not None and file.is_file():
        with np.load(file) as stored:
            columns = [stored[field.name] for field in fields(Person)]
        return [Person(str(source), str(name), *arrays) for source, name, *arrays in zip(*columns, strict=True)]
    people = measure_people(arguments)
    if file is not None:
        np.savez_compressed(file, **{f.name: np.array([getattr(p, f.name) for p in people]) for f in fields(Person)})
    return people


# --- learning -----------------------------------------------------------------------------------------------------


def places_that_count() -> NDArray[np.bool_]:
    """Which places of the grid's left half lie in the template's brain or near it, shape (20, 49, 41)."""
    mask = load_template().brain_mask
    near = ndimage.binary_dilation(mask_of(mask), iterations=BRAIN_MARGIN_MM)
    places = np.stack(np.indices((laterality.N_LATERAL, *laterality.GRID_SHAPE[1:])), axis=-1)
    in_mask = apply_affine(np.linalg.inv(mask.affine) @ laterality.grid_affine(), places)
    x, y, z = np.moveaxis(np.rint(in_mask).astype(int), -1, 0)
    return np.asarray(near[x, y, z])


def train(people: list[Person], counts: NDArray[np.bool_]) -> Discriminant:
    """Ridge discriminant of people (1) and mirror images (-1), scaled so that people left out score 1 on average.

    An asymmetry and its negative are equally far from the origin on opposite sides, so that there is no intercept and
    people alone are enough.
    """
    data = np.stack([person.true[:, counts] for person in people]).reshape(len(people), -1).astype(np.float64)
    sizes = np.linalg.norm(data, axis=1)
    usual_size = float(np.median(sizes))
    data *= np.minimum(1, usual_size / sizes)[:, None]
    products = data @ data.T
    inverse = np.linalg.inv(products + RIDGE * np.trace(products) / len(people) * np.eye(len(people)))
    coefficients = inverse.sum(axis=1)
    left_out = 1 - coefficients / np.diag(inverse)  # closed form of the prediction without the person
    weights = np.zeros((2, *counts.shape), np.float32)
    weights[:, counts] = (coefficients @ data / left_out.mean()).reshape(2, -1)
    return Discriminant(weights, usual_size)


def score_left_out(people: list[Person], counts: NDArray[np.bool_], group: Callable[[Person], str]) -> FloatArray:
    """Scores of people and mirror images by discriminants trained without their group, shape (2, people)."""
    scores = np.zeros((2, len(people)), np.float32)
    for left_out in sorted({group(person) for person in people}):
        found = train([person for person in people if group(person) != left_out], counts)
        for number, person in enumerate(people):
            if group(person) == left_out:
                scores[:, number] = found.score(person.true), found.score(person.mirrored)
    return scores


# --- what it is worth ---------------------------------------------------------------------------------------------


def choose_threshold(*scores: FloatArray) -> float:
    """Highest step below which, by each set of scores of true scans, less than `FALSE_ALARMS` of further scans lie.

    ASSUME: scores of further scans are normal; the limit of prediction allows for the number of people.
    """
    limits = []
    for values in scores:
        n = len(values)
        reach = stats.t.ppf(1 - FALSE_ALARMS, n - 1) * np.sqrt(1 + 1 / n)
        limits.append(values.mean() - reach * values.std(ddof=1))
    return round(float(np.floor(min(limits) / THRESHOLD_STEP) * THRESHOLD_STEP), 2)


def evaluate(scores: FloatArray, threshold: float) -> dict[str, float]:
    """Describe scores of true and mirrored scans, shape (2, people), and the calls by the threshold."""
    true, mirrored = scores.astype(np.float64)
    means, spreads = scores.mean(axis=1), scores.std(axis=1, ddof=1)
    wrong, caught = stats.norm.cdf((threshold - means) / spreads)
    figures = {
        "auc": (true[:, None] > mirrored).mean(), "true_mean": means[0], "true_sd": spreads[0], "true_min": true.min(),
        "mirrored_mean": means[1], "mirrored_max": mirrored.max(), "r_true_minus_mirrored": -np.corrcoef(scores)[0, 1],
        "expected_share_wrongly_flipped": wrong, "expected_share_caught": caught,
    }  # fmt: skip
    counted = {"wrongly_flipped": int((true < threshold).sum()), "caught": int((mirrored < threshold).sum())}
    return {"n": len(true)} | counted | {name: round(float(value), 4) for name, value in figures.items()}


def describe(people: list[Person], found: Discriminant, threshold: float, results: dict[str, Any]) -> dict[str, Any]:
    """Describe the map: what, of whom, how, how good."""
    return {
        "what": "what left minus mirrored right grey matter and white matter count at each place of the template's "
        "left half; their sum over places is 1 on average in true scans, -1 in mirrored ones",
        "maps": ["grey_matter", "white_matter"],
        "template": f"{TEMPLATE_SPACE} (ICBM 2009a non-linear symmetric), {laterality.GRID_MM:g} mm, left half",
        "sources": SOURCES,
        "people": {source: [person.name for person in people if person.source == source] for source in SOURCES},
        "method": f"Tissue shares, smoothed by {laterality.SMOOTHING_MM:g} mm, affinely aligned; asymmetries larger "
        f"than usual scaled down; ridge discriminant, penalty {RIDGE:g} of the mean sum of squares.",
        "usual_size": round(found.usual_size, 4),
        "flipped_below": threshold,
        "evaluation": results,
    }


def write_map(found: Discriminant, description: dict[str, Any], out: Path) -> None:
    """Write the map, shape (20, 49, 41, 2), and what it is."""
    file = out / laterality.MAP_FILE.name
    image = nib.Nifti1Image(np.moveaxis(found.weights, 0, -1), laterality.grid_affine())
    save_image(image, file, kind="intensity")
    description |= {"sha256": file_sha256(file)}
    (out / "asymmetry_map.json").write_text(json.dumps(description, indent=2) + "\n")


def main() -> None:
    """Read the command line, build the map, evaluate and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("label_maps", type=Path, help="folder with seg_01.nii.gz to seg_20.nii.gz")
    parser.add_argument("--ds002748", type=Path, required=True, help="results of a run on ds002748")
    parser.add_argument("--ds000011", type=Path, required=True, help="results of a run on ds000011")
    parser.add_argument("--test", type=Path, help="results of a run on scans to test with, never trained on")
    parser.add_argument("--people", type=Path, help="file (.npz) for the asymmetries; read if it exists")
    parser.add_argument("--out", type=Path, required=True, help="folder for the map and its description")
    arguments = parser.parse_args()
    everybody = read_or_measure(arguments)
    people = [person for person in everybody if person.source in SOURCES]
    test = [person for person in everybody if person.source not in SOURCES]
    counts = places_that_count()
    found = train(people, counts)
    scores = {
        "leave_one_person_out": score_left_out(people, counts, lambda person: f"{person.source} {person.name}"),
        "leave_one_source_out": score_left_out(people, counts, lambda person: person.source),
    }
    threshold = choose_threshold(*(values[0] for values in scores.values()))
    if test:
        scores["test"] = np.array([[found.score(p.true) for p in test], [found.score(p.mirrored) for p in test]])
    results = {name: evaluate(values, threshold) for name, values in scores.items()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_map(found, describe(people, found, threshold, results), arguments.out)
    sys.stdout.write(json.dumps(results | {"flipped_below": threshold}, indent=2) + "\n")


if __name__ == "__main__":
    main()
