"""A made-up cohort of any size: people, volumes and metrics of their scans, and the files that stand for them.

Nothing is measured. Volumes and metrics are drawn around what adults have, with sites, age, sex, head size and a small
hippocampus in patients in them; every clinical variable that morpho knows has values, some of them missing, so that all
claims are tested. A tenth of the people comes twice.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from measuring import BRAIN_MASK, GREY_MATTER, PREPROCESSED, REGIONS, VOLUMES

from morpho.quality_metrics import METRICS
from morpho.rois import TOTALS, read_rois

SECOND_VISITS = 0.1  # share of people
MISSING = 0.03  # share of the cells of each clinical variable
PLANTED = -0.02  # share of the hippocampus that patients lack
PEOPLE_PER_SITE = 50  # until there are 20 sites
MOST_SITES = 20
VOLUMES_MM3 = {"hippocampus": 4000, "amygdala": 1700, "prefrontal_cortex": 60_000, "anterior_cingulate": 6000}
TOTALS_MM3 = {
    "total_grey_matter": 620_000,
    "total_white_matter": 480_000,
    "total_csf": 330_000,
    "brain_volume": 1_100_000,
    "tiv": 1_450_000,
    "affine_tiv": 1_420_000,
}
OTHER_MM3 = 9000
IMAGES = (
    PREPROCESSED, BRAIN_MASK, GREY_MATTER, "label-WM_probseg.nii.gz", REGIONS,
)  # fmt: skip
# Middle of what config/config.yaml says of 30 adults, and about a third of the way to the next limit.
METRIC_VALUES = {
    "brain_mask_volume_ml": (1400, 100), "grey_matter_ml": (620, 50), "white_matter_ml": (480, 45), "csf_ml": (330, 30),
    "grey_to_white_ratio": (1.3, 0.06), "csf_share": (0.25, 0.015), "tiv_ml": (1450, 110), "affine_tiv_ml": (1420, 105),
    "tiv_difference_percent": (-6, 1.5), "contrast_to_noise": (4.3, 0.4), "white_to_grey_contrast": (1.5, 0.05),
    "white_matter_snr": (22, 2), "noise_white_percent": (1.8, 0.3), "noise_air_percent": (1.9, 0.2),
    "ghost_percent": (1.1, 0.15), "air_artefact_percent": (1.8, 0.3), "brain_ghost_percent": (0.6, 0.2),
    "bias_field_percent": (33, 4), "blur_fwhm_mm": (2.2, 0.2), "edge_width_mm": (2.4, 0.2), "mask_parts": (1, 0),
    "mask_holes_mm3": (0, 0), "edge_contact_mm2": (100, 60), "defacing_contact_mm2": (0, 0),
    "laterality_score": (1, 0.2), "mirror_correlation": (0.86, 0.02), "hemisphere_ratio": (0.98, 0.01),
    "registration_correlation": (0.85, 0.02), "structure_overlap": (0.74, 0.03),
    "structure_odd_signal_percent": (3, 1), "hippocampus_asymmetry_percent": (4, 2.5), "asymmetry_percent": (25, 6),
    "jacobian_low": (0.4, 0.04), "jacobian_high": (2.1, 0.12), "voxel_size_max_mm": (1.2, 0.05),
    "voxel_volume_mm3": (1.1, 0.05),
}  # fmt: skip

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """People (one row per scan, as in participants.tsv), and a row of volumes and of metrics per scan.

    Columns of `volumes` are (roi, hemisphere); `metrics` has those of `morpho.quality_metrics.METRICS`.
    """

    people: pd.DataFrame
    volumes: pd.DataFrame
    metrics: pd.DataFrame

    @property
    def scans(self) -> list[str]:
        """Names of the scans, as in file names."""
        return (self.people["participant_id"] + "_" + self.people["session_id"]).tolist()


def simulate_cohort(
    n: int, rois: str | Path, rng: np.random.Generator, *, second_visits: float = SECOND_VISITS
) -> Cohort:
    """Draw a cohort of n people; those who come twice have two rows.

    Parameters
    ----------
    n
        People; half of them patients.
    rois
        Table of regions (``config/rois.tsv``).
    rng
        Source of everything random.
    second_visits
        Share of people who come twice.
    """
    first = _draw_people(n, rng)
    again = first.sample(frac=second_visits, random_state=rng)
    again = again.assign(session_id="ses-2", weeks=rng.integers(8, 60, len(again)).astype(float))
    again["hamd"] = (again["hamd"] * rng.uniform(0.2, 1.1, len(again))).round()
    people = pd.concat([first, again]).sort_values(["participant_id", "session_id"])
    volumes = _draw_volumes(people, list(dict.fromkeys(read_rois(rois)["roi"])), rng)
    drawn = {name: rng.normal(*METRIC_VALUES.get(name, (1.0, 0.1)), len(people)) for name in METRICS}
    return Cohort(people.reset_index(drop=True), volumes, pd.DataFrame(drawn).clip(lower=0, upper=None))


def _draw_people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """One row per person: group, site and covariates of all, clinical variables of patients, with gaps."""
    is_patient = rng.random(n) < 0.5
    site = rng.integers(min(MOST_SITES, max(2, n // PEOPLE_PER_SITE)), size=n)
    age = np.clip(rng.normal(40, 13, n), 15, 80).round(1)
    everyone = {
        "education_years": np.clip(rng.normal(14, 3, n), 6, 24).round(),
        "crp": rng.lognormal(0.3, 0.8, n).round(2),
        "bmi": rng.normal(25, 4, n).round(1),
        "5-HTTLPR": rng.choice(["LL", "SL", "SS"], n, p=[0.35, 0.45, 0.2]),
        "bdnf": rng.choice(["VV", "VM", "MM"], n, p=[0.65, 0.3, 0.05]),
        "ctq_total": rng.integers(25, 90, n).astype(float),
        "pss": rng.integers(0, 40, n).astype(float),
        "cortisol": rng.lognormal(2.5, 0.3, n).round(2),
        **{f"PC{number}": rng.normal(0, 1, n).round(4) for number in range(1, 5)},
    }
    table = pd.DataFrame(everyone | _draw_illness(age, rng))
    table.loc[~is_patient, list(_draw_illness(age[:1], rng))] = np.nan
    table = table.mask(rng.random(table.shape) < MISSING)
    who = {
        "participant_id": [f"sub-{number:06d}" for number in range(1, n + 1)],
        "session_id": "ses-1",
        "group": np.where(is_patient, "patient", "control"),
        "age": age,
        "sex": rng.choice(["F", "M"], n, p=[0.55, 0.45]),
        "site": [f"site{number:02d}" for number in site],
        "weeks": 0.0,
    }
    return pd.DataFrame(who).join(table)


def _draw_illness(age: Array, rng: np.random.Generator) -> dict[str, npt.NDArray[np.generic]]:
    """Clinical variables, as if everybody were ill."""
    n = len(age)
    onset = np.clip(age - rng.gamma(2, 5, n), 8, None).round(1)
    return {
        "hamd": np.clip(rng.normal(17, 6, n), 0, 45).round(),
        "bdi": np.clip(rng.normal(24, 9, n), 0, 63).round(),
        "episode_status": rng.choice(["first", "recurrent"], n, p=[0.35, 0.65]),
        "n_episodes": rng.integers(1, 9, n).astype(float),
        "age_onset_years": onset,
        "illness_months": ((age - onset) * 12).round(),
        "episode_months": rng.gamma(2, 4, n).round(1),
        "state": rng.choice(["acute", "remitted"], n, p=[0.7, 0.3]),
        "medication": rng.choice(["naive", "free", "current"], n, p=[0.2, 0.25, 0.55]),
        "treatment_resistant": rng.choice(["yes", "no"], n, p=[0.25, 0.75]),
        "comorbid_anxiety": rng.choice(["yes", "no"], n),
        "psychotic": rng.choice(["yes", "no"], n, p=[0.1, 0.9]),
        "anxiety_total": rng.integers(0, 50, n).astype(float),
        "treatment": rng.choice(["drug", "psychotherapy"], n),
        "ect_sessions": np.where(rng.random(n) < 0.1, rng.integers(4, 14, n), 0).astype(float),
        "ect_electrode": rng.choice(["RUL", "BL"], n),
        "responder": rng.choice(["yes", "no"], n),
        "remitter": rng.choice(["yes", "no"], n, p=[0.35, 0.65]),
        "symptom_change_percent": rng.normal(-40, 30, n).round(1),
        "relapse": rng.choice(["yes", "no"], n, p=[0.3, 0.7]),
        "months_to_relapse": rng.gamma(2, 8, n).round(1),
    }


def _draw_volumes(people: pd.DataFrame, rois: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """One row per scan; the same person has nearly the same volumes twice."""
    persons, who = np.unique(people["participant_id"], return_inverse=True)
    head = rng.normal(1, 0.07, len(persons))[who] + 0.06 * (people["sex"].to_numpy() == "M")
    sites, site = np.unique(people["site"], return_inverse=True)
    shared = head * (1 - 0.002 * (people["age"].to_numpy() - 40))
    columns: dict[tuple[str, str], Array] = {}
    for roi in rois:
        own = 1 + rng.normal(0, 0.08, len(persons))[who] + rng.normal(0, 0.02, len(sites))[site]
        planted = 1 + (PLANTED if roi == "hippocampus" else 0.0) * (people["group"].to_numpy() == "patient")
        for side in ("L", "R"):
            noise = rng.normal(1, 0.02, len(people))
            columns[roi, side] = VOLUMES_MM3.get(roi, OTHER_MM3) * shared * own * planted * noise
        columns[roi, "mean"] = (columns[roi, "L"] + columns[roi, "R"]) / 2
    for total in TOTALS:
        columns[total, "whole"] = TOTALS_MM3[total] * head * rng.normal(1, 0.02, len(people))
    return pd.DataFrame(columns)


def write_tables(cohort: Cohort, folder: Path) -> dict[str, Path]:
    """Write a cohort as the tables that stand for scans: ``volumes.tsv`` (wide) and ``participants.tsv``."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.tsv" for name in ("volumes", "participants")}
    wide = cohort.volumes.set_axis([f"{roi}_{side}_mm3" for roi, side in cohort.volumes.columns], axis=1)
    keyed = pd.concat([cohort.people[["participant_id", "session_id"]], wide], axis=1)
    keyed.to_csv(files["volumes"], sep="\t", index=False, float_format="%.3f")
    cohort.people.to_csv(files["participants"], sep="\t", index=False, na_rep="n/a")
    return files


def write_bids(cohort: Cohort, folder: Path) -> None:
    """Write a BIDS folder whose scans are no images, older than all else, and its participants.tsv."""
    for person, session in cohort.people[["participant_id", "session_id"]].itertuples(index=False):
        t1w = folder / person / session / "anat" / f"{person}_{session}_T1w.nii.gz"
        t1w.parent.mkdir(parents=True)
        t1w.write_bytes(b"stand-in")  # never opened: what is made from it is there already, or is only planned
        os.utime(t1w, (0, 0))
    cohort.people.to_csv(folder / "participants.tsv", sep="\t", index=False, na_rep="n/a")


def write_measured(cohort: Cohort, folder: Path, shared: Path) -> None:
    """Write what measuring leaves of every scan: tables, record, costs; images and pictures are links to one of each.

    Parameters
    ----------
    cohort
        People, volumes and metrics.
    folder
        Output folder of morpho.
    shared
        Folder for the files that all scans share.
    """
    shared.mkdir(parents=True, exist_ok=True)
    files = _write_shared(shared)
    record = json.dumps({"MeasuredWith": {"Code": "stand-in"}, "Software": {"morpho": "stand-in"}, "Stages": {}})
    places = [f"{roi}\t{side}" for roi, side in cohort.volumes.columns]
    metrics = cohort.metrics.assign(mask_parts=1)
    rows = zip(cohort.scans, cohort.volumes.to_numpy(), metrics.itertuples(index=False), strict=True)
    for scan, volumes, values in rows:
        place = folder.joinpath(*scan.split("_"))
        for name in ("anat", "figures"):
            (place / name).mkdir(parents=True)
        lines = [f"{where}\t500\t{value:.3f}" for where, value in zip(places, volumes, strict=True)]
        table = "\n".join(["roi\themisphere\tn_voxels\tvolume_mm3", *lines, ""])
        (place / "anat" / f"{scan}_{VOLUMES}").write_text(table)
        cells = "\t".join(["whole_head", *(f"{value:.6g}" for value in values)])
        head = "\t".join(["input_kind", *metrics.columns])
        (place / "anat" / f"{scan}_desc-quality_metrics.tsv").write_text(f"{head}\n{cells}\n")
        (place / "anat" / f"{scan}_desc-stages_provenance.json").write_text(record)
        for name, source in files.items():
            os.link(source, place / name.format(scan=scan))
        for rule in ("measure_scan", "plot_overlay"):
            log = folder.joinpath("logs", rule, *scan.split("_"), f"{scan}.benchmark.tsv")
            log.parent.mkdir(parents=True)
            log.write_text("s\tmax_rss\tcpu_time\n60.0\t900.0\t50.0\n")


def _write_shared(folder: Path) -> dict[str, Path]:
    """Write one file of each kind; gives its name below the folder of a scan -> file. Pictures have a usual size."""
    content = {
        **{f"anat/{{scan}}_{name}": b"stand-in" for name in IMAGES},
        "figures/{scan}_desc-regions_T1w.png": b"stand-in",
        "figures/{scan}_desc-regions_T1w.webp": b"\0" * 68_000,
        "figures/{scan}_desc-thumbnail_T1w.webp": b"\0" * 6_500,
    }
    files = {name: folder / f"{number}" for number, name in enumerate(content)}
    for name, path in files.items():
        path.write_bytes(content[name])
    return files
