"""A cohort of ordinary scans: metrics, volumes with known dependencies, and the scans table."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from morpho.quality_metrics import METRICS

SCALES = {"mask_parts": (1.0, 0.0), "voxel_size_max_mm": (1.0, 0.0), "voxel_volume_mm3": (1.0, 0.0)}


def make_metrics(n: int, rng: np.random.Generator, kind: str = "whole_head") -> pd.DataFrame:
    """Make normal metrics, mean 20 and standard deviation 1; counts and voxels are the same for all."""
    table = pd.DataFrame({name: 20 + rng.standard_normal(n) for name in METRICS})
    for name, (value, _) in SCALES.items():
        table[name] = value
    scans = [f"sub-{number:03}" for number in range(n)]
    return table.assign(scan=scans, input_kind=kind)


def make_cohort(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make volumes that follow head size, sex and age; groups and sites alternate."""
    names = [f"sub-{number:03}" for number in range(n)]
    tiv, age, is_man = rng.normal(1.5e6, 1.2e5, n), rng.uniform(20, 60, n), rng.random(n) < 0.5
    cohort = pd.DataFrame(
        {
            "participant_id": names,
            "session_id": "",
            "scan": names,
            "input_kind": "whole_head",
            "group": np.where(np.arange(n) % 2, "patient", "control"),
            "sex": np.where(is_man, "M", "F"),
            "age_years": age,
        }
    )
    for roi in ("hippocampus", "amygdala"):
        common = 2e-3 * (tiv - 1.5e6) + 150 * is_man - 8 * (age - 40)
        for side in "LR":
            cohort[f"{roi}_{side}_mm3"] = 3400 + common + 250 * rng.standard_normal(n)
        cohort[f"{roi}_mean_mm3"] = (cohort[f"{roi}_L_mm3"] + cohort[f"{roi}_R_mm3"]) / 2
    return cohort.assign(tiv_whole_mm3=tiv, affine_tiv_whole_mm3=tiv + rng.normal(0, 1e4, n))


def make_scans(scans: list[str], chosen: bool = True) -> pd.DataFrame:
    """Make the scans table of people with one session."""
    return pd.DataFrame({"participant_id": scans, "session_id": "", "scan": scans, "chosen": chosen})


@pytest.fixture
def metrics_of(rng: np.random.Generator) -> Callable[..., pd.DataFrame]:
    return lambda n, kind="whole_head": make_metrics(n, rng, kind)


@pytest.fixture
def cohort_of(rng: np.random.Generator) -> Callable[[int], pd.DataFrame]:
    return lambda n: make_cohort(n, rng)


@pytest.fixture
def scans_of() -> Callable[[list[str]], pd.DataFrame]:
    return make_scans
