"""A faulty copy is judged in the place of its scan, and counts as named only by codes that the scan did not have."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from detect_faults import (
    Cohort,
    Verdict,
    judge_copy,
    make_row,
    read_cohort,
    summarise,
    write_copy,
)
from faults import Anatomy, Planned, Scan
from measuring import BenchmarkError
from nibabel.nifti1 import Nifti1Image
from scan_stages import files_of

from morpho.failures import Failure
from morpho.images import array_of, load_image
from morpho.quality_metrics import METRICS

NAMES = [f"sub-{number:02d}" for number in range(12)]
CLEAN = Verdict("flagged", (), ("thick_voxels",), "thick voxels")


@pytest.fixture
def cohort(rng: np.random.Generator) -> Cohort:
    """Twelve extracted brains of ordinary quality."""
    usual = {
        "registration_correlation": 0.85,
        "structure_overlap": 0.75,
        "brain_mask_volume_ml": 1300,
        "csf_share": 0.25,
    }
    usual |= {"contrast_to_noise": 4, "white_to_grey_contrast": 1.4, "noise_white_percent": 1, "hemisphere_ratio": 0.98}
    usual |= {
        "mirror_correlation": 0.85,
        "laterality_score": 1.2,
        "mask_parts": 1,
        "edge_width_mm": 2,
        "csf_share": 0.25,
    }
    metrics = pd.DataFrame({name: usual.get(name, np.nan) * rng.normal(1, 0.01, 12) for name in METRICS})
    metrics = metrics.assign(scan=NAMES, input_kind="extracted", mask_parts=1.0)
    volumes = {"hippocampus_L_mm3": rng.normal(3500, 200, 12), "affine_tiv_whole_mm3": rng.normal(1.4e6, 1e5, 12)}
    people = pd.DataFrame({"participant_id": NAMES, "session_id": None, "scan": NAMES, "input_kind": "extracted"})
    scans = people.assign(chosen=True)
    return Cohort(metrics[["scan", "input_kind", *METRICS]], people.assign(**volumes), scans)


def judged(cohort: Cohort, folder: Path, **changed: float) -> Verdict:
    row = cohort.metrics.iloc[[3]].drop(columns="scan").assign(**changed)
    pd.DataFrame({"roi": ["hippocampus"], "hemisphere": ["L"], "volume_mm3": [3400.0]}).to_csv(
        files_of(Path(), folder).volumes, sep="\t", index=False
    )
    return judge_copy("sub-03", row, folder, cohort)


def test_unchanged_copy_is_judged_as_its_scan(cohort: Cohort, tmp_path: Path) -> None:
    assert judged(cohort, tmp_path).codes == set()


def test_noisy_copy_is_flagged_by_name(cohort: Cohort, tmp_path: Path) -> None:
    verdict = judged(cohort, tmp_path, noise_white_percent=12.0)
    assert verdict.verdict == "flagged"
    assert "noisy" in verdict.flags
    assert "noise_white_percent 12" in verdict.reason


def test_mirrored_copy_fails_by_name(cohort: Cohort, tmp_path: Path) -> None:
    verdict = judged(cohort, tmp_path, laterality_score=-1.2)
    assert verdict.verdict == "failed"
    assert verdict.hard_failures == ("left_right_flipped",)


def test_copy_that_cannot_be_measured_fails_by_its_code(cohort: Cohort, tmp_path: Path) -> None:
    failure = Failure("preprocess", "no brain", "a.log", "not_a_brain")
    verdict = judge_copy("sub-03", failure, tmp_path, cohort)
    assert (verdict.verdict, verdict.hard_failures) == ("failed", ("not_a_brain",))


def test_only_new_codes_count() -> None:
    """The clean scan is flagged for its voxels already."""
    noisy = Verdict("flagged", (), ("thick_voxels", "noisy"), "noisy")
    row = make_row("sub-03", "noise_percent", 5, noisy, CLEAN, frozenset({"noisy"}))
    assert (row["added"], row["caught"], row["named"]) == ("noisy", True, True)
    same = make_row("sub-03", "noise_percent", 5, CLEAN, CLEAN, frozenset({"thick_voxels"}))
    assert (same["added"], same["caught"], same["named"]) == ("n/a", False, False)
    other = make_row("sub-03", "noise_percent", 5, noisy, CLEAN, frozenset({"blurred"}))
    assert (other["caught"], other["named"]) == (True, False)


def test_counts_by_strength() -> None:
    """Three strengths of two faults: weak 1 of 2, middle 1 of 2, strong 2 of 2; a mirrored scan has no degrees."""
    rows = [
        {"fault": fault, "strength": strength, "caught": True, "named": named}
        for fault, strengths, names in (
            ("none", (0,), (False,)),
            ("noise_percent", (5, 10, 20), (False, True, True)),
            ("ghost_percent", (5, 10, 20), (True, False, True)),
            ("mirrored", (1,), (True,)),
        )
        for strength, named in zip(strengths, names, strict=True)
    ]
    found = summarise(pd.DataFrame(rows))
    assert found == {
        "copies": 7, "caught": 7, "named": 5, "weak_named": "1/2", "middle_named": "1/2", "strong_named": "2/2",
    }  # fmt: skip


def test_copy_depends_on_its_name_alone_and_is_made_once(tmp_path: Path) -> None:
    image = Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4))
    scan = Scan(image, Anatomy(np.ones((4, 4, 4), bool), np.ones((4, 4, 4), bool), array_of(image), 1.0))
    shape = image.shape
    planned = Planned(
        lambda _, __, random: Nifti1Image(random.random(shape).astype(np.float32), np.eye(4)), (1,), frozenset()
    )
    first = write_copy(scan, "a", planned, 1, tmp_path / "one")
    again = write_copy(scan, "a", planned, 1, tmp_path / "two")
    other = write_copy(scan, "b", planned, 1, tmp_path / "three")
    assert first.read_bytes() == again.read_bytes()
    assert not np.array_equal(array_of(load_image(first)), array_of(load_image(other)))
    before = first.stat().st_mtime_ns
    write_copy(scan, "a", planned, 1, tmp_path / "one")
    assert first.stat().st_mtime_ns == before


def test_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"There is no .*metrics\.tsv.*finished run"):
        read_cohort(tmp_path)
