"""Synthetic cohorts with known effects: who is in them, what was planted, and whether it was found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from morpho.phantom import Person, Scanner
from morpho.phantom_maps import HIPPOCAMPUS_LABEL
from morpho.tables import describe_column

USUAL_HIPPOCAMPUS = 0.90  # share of the template's hippocampus that an average healthy person has
ANISOTROPIC_SCAN = 5
HEAD_SCALE = {"F": 0.91, "M": 0.95}  # linear size against the template
NATURAL_SD_PERCENT = 3.0  # of the hippocampus between healthy people, beside head size and folding
DEMO_DESCRIPTION = {
    "Name": "Simulated cohort with planted effects",
    "BIDSVersion": "1.10.0",
    "DatasetType": "raw",
    "License": "CC0",
    "Authors": ["morpho.phantom"],
}


@dataclass(frozen=True)
class PlantedEffects:
    """What is true of a synthetic cohort.

    `hippocampus_percent` is the difference patients minus controls; `severity_percent_per_point` the change of the
    hippocampus per point of the scale around the patients' mean; the amygdala differs by nothing.
    """

    hippocampus_percent: float = -8.0
    severity_percent_per_point: float = -0.8
    age_percent_per_year: float = -0.2


def simulate_participants(n_per_group: int, effects: PlantedEffects, seed: int) -> tuple[pd.DataFrame, list[Person]]:
    """Draw a cohort of twins with known effects.

    Each patient is the twin of a control: same age, sex, head and folding, another position in the scanner. So the
    groups differ by what was planted and by nothing else, as they would in a very large cohort.

    Parameters
    ----------
    n_per_group
        People per group.
    effects
        What is to be true.
    seed
        Seed of all that is random.

    Returns
    -------
    participants
        Columns participant_id, group (control, patient), sex (F, M), age (years), hamd (patients only).
    people
        Anatomy of each participant, in the same order.
    """
    rng = np.random.default_rng(seed)
    ages = np.round(np.linspace(22, 58, n_per_group) + rng.uniform(-2, 2, n_per_group))
    severity = rng.permutation(np.round(np.linspace(12, 30, n_per_group)))
    rows: list[dict[str, object]] = []
    people = []
    for pair, age in enumerate(ages):
        sex = "F" if pair % 2 == 0 else "M"
        anatomy = int(rng.integers(2**31))
        head_scale = float(rng.normal(HEAD_SCALE[sex], 0.015))
        healthy_percent = effects.age_percent_per_year * (age - ages.mean()) + rng.normal(0, NATURAL_SD_PERCENT)
        disease_percent = effects.hippocampus_percent
        disease_percent += effects.severity_percent_per_point * (severity[pair] - severity.mean())
        for group, percent, score in (("control", 0.0, pd.NA), ("patient", disease_percent, int(severity[pair]))):
            name = f"sub-{len(rows) + 1:02d}"
            rows.append({"participant_id": name, "group": group, "sex": sex, "age": int(age), "hamd": score})
            scale = USUAL_HIPPOCAMPUS * (1 + healthy_percent / 100) * (1 + percent / 100)
            tilt = tuple(rng.normal(0, 4, 3).tolist())
            people.append(Person(float(scale), head_scale, (tilt[0], tilt[1], tilt[2]), warp_mm=1.2, seed=anatomy))
    return pd.DataFrame(rows), people


def demo_scanner(number: int) -> Scanner:
    """Scanner of the demo's scan `number`: 2 mm voxels in changing orientations; one scan has thick slices."""
    if number == ANISOTROPIC_SCAN:
        return Scanner(voxel_size_mm=(1.5, 1.5, 3.0), axis_codes="LPS", white_matter_signal=900.0, seed=number)
    codes = ("RAS", "LAS", "PSR", "LPI")[number % 4]
    return Scanner(axis_codes=codes, white_matter_signal=400.0 + 50 * (number % 5), seed=number)


def list_planted(
    participants: pd.DataFrame,
    people: Sequence[Person],
    volumes: Sequence[Mapping[tuple[str, str], float]],
    effects: PlantedEffects,
) -> pd.DataFrame:
    """List what is true of a synthetic cohort, in the units of the effect tables.

    Parameters
    ----------
    participants, people
        From `simulate_participants`.
    volumes
        True volumes of each person (mm3) by region and hemisphere.
    effects
        What was planted.

    Returns
    -------
    Columns question, roi, unit, planted: the group differences in percent, and the slopes on severity in mm3 per
    point at the mean true volume of patients without disease.
    """
    whole = [
        np.mean([mm3 for (name, _), mm3 in table.items() if name == HIPPOCAMPUS_LABEL]) / person.hippocampus_scale
        for person, table, group in zip(people, volumes, participants["group"], strict=True)
        if group == "patient"
    ]
    slope = effects.severity_percent_per_point / 100 * USUAL_HIPPOCAMPUS * float(np.mean(whole))
    rows = [
        ("group difference", "hippocampus", "percent", effects.hippocampus_percent),
        ("group difference", "amygdala", "percent", 0.0),
        ("severity slope", "hippocampus", "mm3 per point", slope),
        ("severity slope", "amygdala", "mm3 per point", 0.0),
    ]
    return pd.DataFrame(rows, columns=["question", "roi", "unit", "planted"])


def compare_planted(truth: pd.DataFrame, effects: pd.DataFrame, associations: pd.DataFrame) -> pd.DataFrame:
    """Set what the models found beside what was planted.

    Parameters
    ----------
    truth
        From `list_planted`.
    effects, associations
        Tables of the models; the means of both hemispheres are taken.

    Returns
    -------
    `truth` with recovered, ci_low, ci_high and inside ("yes" if the interval holds the planted value).
    """
    found = {
        "group difference": (effects, ["percent", "percent_ci_low", "percent_ci_high"]),
        "severity slope": (
            associations, ["slope_mm3_per_point", "slope_ci_low_mm3", "slope_ci_high_mm3"],
        ),
    }  # fmt: skip
    rows = []
    for row in truth.to_dict("records"):
        table, columns = found[row["question"]]
        value, low, high = table.loc[(table["roi"] == row["roi"]) & (table["hemisphere"] == "mean"), columns].iloc[0]
        inside = "yes" if low <= row["planted"] <= high else "no"
        rows.append({**row, "recovered": value, "ci_low": low, "ci_high": high, "inside": inside})
    return pd.DataFrame(rows).round(2)


def describe_truth() -> dict[str, dict[str, object]]:
    """Describe the columns of the tables of planted and recovered effects."""
    return {
        "question": describe_column("What was asked"),
        "roi": describe_column("Region, mean of both hemispheres"),
        "unit": describe_column("Unit of the numbers in this row"),
        "planted": describe_column("Effect put into the simulated cohort"),
        "recovered": describe_column("Effect that the models found"),
        "ci_low": describe_column("Lower end of the confidence interval"),
        "ci_high": describe_column("Upper end of the confidence interval"),
        "inside": describe_column("Whether the interval holds the planted effect"),
    }


def describe_demo_participants() -> dict[str, dict[str, object]]:
    """Describe the columns of the simulated participants table."""
    return {
        "participant_id": describe_column("Simulated participant"),
        "group": describe_column("Group", levels={"control": "healthy", "patient": "with simulated depression"}),
        "sex": describe_column("Sex", levels={"F": "female", "M": "male"}),
        "age": describe_column("Age", units="years"),
        "hamd": describe_column("Simulated severity, patients only", units="points of HAMD17"),
    }
