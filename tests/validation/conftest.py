"""A simulated study, tables only, in which every claim that T1w scans can answer is planted with a known size.

Volumes are a mean per region, plus head size, age, sex and site, plus what is planted, plus noise. What is planted
among patients is centred among them, so that it leaves the difference between groups alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml

from morpho.config import drop_removed
from morpho.infer.claims.claims import ClaimsFile
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.study import Study, prepare_study

ROOT = Path(__file__).parents[2]
CONFIG = drop_removed(yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8")))
CLAIMS = yaml.safe_load((ROOT / "config" / "claims.yaml").read_text(encoding="utf-8"))

SD_MM3 = 250.0  # noise of a volume among controls
CHANGE_SD_MM3 = 60.0  # noise of the change between two scans
SIDE_SD_MM3 = 60.0  # half of the noise of left minus right
WEEKS = 52.0  # between the scans
PATIENTS_NOISE = 1.15  # noise of patients' volumes, that of the controls being 1
ROIS = CONFIG["models"]["families"]["primary"]["rois"]
FREE_ROIS = ("superior_frontal", "inferior_frontal", "frontal_pole")  # nothing is planted in these
MEAN_MM3 = 4000.0

# What is planted, in units of the noise (SD_MM3; of change CHANGE_SD_MM3). Numbers are slopes per standard deviation.
GROUP = {"hippocampus": -0.7, "amygdala": 0.4, "rostral_anterior_cingulate": -0.6, "dlpfc": -0.8, "vmpfc": -0.8}
GROUP_IN_WOMEN = {"hippocampus": -0.8, "dlpfc": -0.8, "vmpfc": -0.8}  # minus that in men
GROUP_PER_DECADE = {"hippocampus": -0.2, "rostral_anterior_cingulate": -0.2}
AMONG_PATIENTS: Mapping[str, Mapping[str, float]] = {
    "recurrent": {"hippocampus": -0.5, "dlpfc": -0.4, "vmpfc": -0.4},
    "resistant": {"dlpfc": -0.5, "vmpfc": -0.5},
    "anxious": {"dlpfc": -0.5, "vmpfc": -0.5},
    "psychotic": {"hippocampus": -0.6, "vmpfc": -0.6},
    "severity": {"hippocampus": -0.35, "dlpfc": -0.35, "vmpfc": -0.35},
    "log_illness": {"hippocampus": -0.35},
    "s_alleles": {"amygdala": -0.35},
    "log_crp": {"hippocampus": -0.3, "dlpfc": -0.3, "vmpfc": -0.3},
}
STRESS = {"hippocampus": -0.25, "dlpfc": -0.25, "vmpfc": -0.25}  # of everybody, for each of three scales
COGNITION = ("hippocampus", "dlpfc")  # regions whose volume makes cognition
LOG_ODDS_RELAPSE = {"hippocampus": -0.7}  # per standard deviation of volume among patients
LOG_ODDS_RESPONSE = {"rostral_anterior_cingulate": 0.7}
CHANGE: Mapping[str, Mapping[str, float]] = {
    "responder": {"hippocampus": 1.0, "dlpfc": 0.8, "vmpfc": 0.8},
    "remitter": {"hippocampus": 0.6},
    "ect": {"hippocampus": 1.8},
    "arm": {"dlpfc": 0.8},  # mindfulness minus citalopram
}
PROGRESSION = {"hippocampus": -0.3, "rostral_anterior_cingulate": -0.6, "vmpfc": -0.6}  # patients minus controls

Values = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Trait:
    """A trait of patients: what the table holds, and the number by which volumes go (0 among controls)."""

    columns: Mapping[str, Values]
    effect: Numbers


def _mark(
    is_true: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_], words: tuple[str, str] = ("yes", "no")
) -> Values:
    """Write words for true and false, and nothing where nothing is known."""
    return np.where(known, np.where(is_true, *words), None)


def _centre(values: Numbers, is_patient: npt.NDArray[np.bool_]) -> Numbers:
    """Centre values among the patients; controls have 0."""
    return np.where(is_patient, values - values[is_patient].mean(), 0.0)


def _standardise(values: Numbers) -> Numbers:
    """Centre values and divide them by their standard deviation."""
    return (values - values.mean()) / values.std(ddof=1)


def _draw_traits(rng: np.random.Generator, is_patient: npt.NDArray[np.bool_]) -> dict[str, _Trait]:
    """Draw what is known of patients, each trait independent of the others."""
    n = len(is_patient)
    yes = {name: rng.random(n) < share for name, share in
           {"recurrent": 0.5, "resistant": 0.4, "anxious": 0.4, "psychotic": 0.3}.items()}  # fmt: skip
    z = {name: rng.standard_normal(n) for name in ("severity", "log_illness", "log_crp")}
    alleles = rng.binomial(2, 0.45, n)
    has_first_scale = rng.random(n) < 0.85
    written: dict[str, dict[str, Values]] = {
        "recurrent": {
            "episode_status": _mark(yes["recurrent"], is_patient, ("recurrent", "first")),
            "n_episodes": np.where(is_patient, np.where(yes["recurrent"], rng.integers(2, 6, n), 1), np.nan),
        },
        "resistant": {"treatment_resistant": _mark(yes["resistant"], is_patient)},
        "anxious": {"comorbid_anxiety": _mark(yes["anxious"], is_patient)},
        "psychotic": {"psychotic": _mark(yes["psychotic"], is_patient)},
        "severity": {
            "severity_HAMD17": np.where(is_patient & has_first_scale, 22 + 5 * z["severity"], np.nan),
            "severity_HADS-depr": np.where(is_patient, 12 + 3 * z["severity"], np.nan),
        },
        "log_illness": {"illness_months": np.where(is_patient, np.expm1(3 + 0.7 * z["log_illness"]).clip(0), np.nan)},
        "s_alleles": {"httlpr": np.array(["LL", "SL", "SS"], dtype=object)[alleles]},
        "log_crp": {"crp": np.exp(0.5 + 0.9 * z["log_crp"])},
    }
    numbers = {**{name: values.astype(float) for name, values in yes.items()}, **z, "s_alleles": _standardise(alleles)}
    return {name: _Trait(written[name], _centre(numbers[name], is_patient)) for name in written}


def _draw_people(rng: np.random.Generator, n_per_group: int) -> pd.DataFrame:
    """Draw group, site, sex, age, head size, and scores that have nothing to do with volumes unless planted."""
    n = 2 * n_per_group
    is_patient = np.arange(n) % 2 == 1
    is_young = rng.random(n) < 0.3
    is_man = rng.random(n) < 0.5
    z = rng.standard_normal((8, n))
    medication = rng.choice(np.array(["naive", "free", "current"], dtype=object), n)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:04}" for number in range(n)],
            "group": _mark(is_patient, np.ones(n, dtype=bool), ("patient", "control")),
            "site": rng.choice(np.array(["north", "south", "west"], dtype=object), n),
            "sex": _mark(is_man, np.ones(n, dtype=bool), ("M", "F")),
            "age_years": np.where(is_young, rng.uniform(14, 21.9, n), rng.uniform(22, 65, n)),
            "tiv_whole_mm3": 1.5e6 + 1.2e5 * z[0] + 1e5 * is_man,
            "ctq_total": 40 + 10 * z[1],
            "pss": 20 + 6 * z[2],
            "cortisol": 12 + 3 * z[3],
            "bmi": 25 + 4 * z[4],
            "education_years": 13 + 2 * z[5],
            "anxiety_total": np.where(is_patient, 10 + 3 * z[6], np.nan),
            "RRS-sum": np.where(is_patient, 50 + 9 * z[7], np.nan),
            "episode_months": np.where(is_patient, rng.exponential(8, n), np.nan),
            "age_onset_years": np.where(is_patient, rng.uniform(12, 40, n), np.nan),
            "state": _mark(rng.random(n) < 0.7, is_patient, ("acute", "remitted")),
            "medication": np.where(is_patient, medication, None),
            "bdnf": rng.choice(np.array(["VV", "VM", "MM"], dtype=object), n),
            **{f"PC{number}": rng.standard_normal(n) for number in range(1, 5)},
        }
    )


def _plant(
    people: pd.DataFrame, traits: Mapping[str, _Trait], roi: str, rng: np.random.Generator, size: float
) -> Numbers:
    """Make the mean volume of a region; `size` multiplies what is planted."""
    is_patient = (people["group"] == "patient").to_numpy()
    is_woman = (people["sex"] == "F").to_numpy()
    decades = ((people["age_years"] - people["age_years"].mean()) / 10).to_numpy()
    planted = is_patient * (
        GROUP.get(roi, 0.0)
        + GROUP_IN_WOMEN.get(roi, 0.0) * (is_woman - is_woman[is_patient].mean())
        + GROUP_PER_DECADE.get(roi, 0.0) * (decades - decades[is_patient].mean())
    )
    planted += sum(AMONG_PATIENTS[name].get(roi, 0.0) * trait.effect for name, trait in traits.items())
    planted += sum(
        STRESS.get(roi, 0.0) * _standardise(people[name].to_numpy()) for name in ("ctq_total", "pss", "cortisol")
    )
    noise = rng.standard_normal(len(people)) * np.where(is_patient & (size > 0), PATIENTS_NOISE, 1.0)
    usual = -0.2 * decades - 0.1 * is_woman + 0.6 * _standardise(people["tiv_whole_mm3"].to_numpy())
    usual += people["site"].map({"north": 0.0, "south": 0.8, "west": -0.5}).to_numpy()
    return np.asarray(MEAN_MM3 + SD_MM3 * (usual + size * planted + noise), dtype=np.float64)


def _draw_event(rng: np.random.Generator, people: pd.DataFrame, log_odds: Mapping[str, float], size: float) -> Values:
    """Draw an event of patients whose log odds go with volumes."""
    is_patient = (people["group"] == "patient").to_numpy()
    logit = np.zeros(len(people))
    for roi, slope in log_odds.items():
        volume = people[f"{roi}_mean_mm3"]
        logit += size * slope * ((volume - volume[is_patient].mean()) / volume[is_patient].std()).to_numpy()
    return rng.random(len(people)) < 1 / (1 + np.exp(-logit))


def _draw_course(rng: np.random.Generator, people: pd.DataFrame, size: float) -> pd.DataFrame:
    """Draw treatment and what came of it, from the volumes before it; truth is in columns that begin with "is_"."""
    n = len(people)
    is_patient = (people["group"] == "patient").to_numpy()
    responds = _draw_event(rng, people, LOG_ODDS_RESPONSE, size)
    remits = responds & (rng.random(n) < 0.5)
    relapses = _draw_event(rng, people, LOG_ODDS_RELAPSE, size)
    has_ect, is_mindful = rng.random(n) < 0.25, rng.random(n) < 0.5
    improved = -np.where(responds, 60, 15) + 10 * rng.standard_normal(n)
    cognition = {}
    for name in ("verbal memory", "2-back"):
        score = rng.standard_normal(n)
        for roi in COGNITION:
            score += size * 0.5 * _standardise(people[f"{roi}_mean_mm3"].to_numpy())
        cognition[name] = 100 + 15 * score
    drawn = {
        "responder": _mark(responds, is_patient),
        "remitter": _mark(remits, is_patient),
        "relapse": _mark(relapses, is_patient),
        "months_to_relapse": np.where(is_patient, np.where(relapses, rng.uniform(1, 24, n), 24.0), np.nan),
        "treatment": _mark(is_mindful, is_patient, ("mindfulness", "citalopram")),
        "ect_sessions": np.where(is_patient, has_ect * rng.integers(6, 13, n), np.nan),
        "ect_electrode": _mark(rng.random(n) < 0.5, is_patient & has_ect, ("RUL", "BL")),
        "symptom_change_percent": np.where(is_patient, improved, np.nan),
    }
    truth = {"is_responder": responds, "is_remitter": remits, "is_ect": has_ect, "is_arm": is_mindful}
    return people.assign(**drawn, **cognition, **truth)


def _add_sides(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """Add left and right volumes, whose mean is the mean, and the volumes made of several regions."""
    means = [str(name) for name in people if str(name).endswith("_mean_mm3")]
    sides = {}
    for name in means:
        half = SIDE_SD_MM3 * rng.standard_normal(len(people))
        sides |= {name.replace("mean", "L"): people[name] + half, name.replace("mean", "R"): people[name] - half}
    cingulate = people["rostral_anterior_cingulate_mean_mm3"] + people["caudal_anterior_cingulate_mean_mm3"]
    prefrontal = people["dlpfc_mean_mm3"] + people["vmpfc_mean_mm3"] + people["lateral_orbitofrontal_mean_mm3"]
    brain = 0.75 * people["tiv_whole_mm3"] + 3e4 * rng.standard_normal(len(people))
    whole = {"anterior_cingulate_mean_mm3": cingulate, "prefrontal_cortex_mean_mm3": prefrontal}
    whole |= {"total_grey_matter_whole_mm3": 0.55 * brain, "total_white_matter_whole_mm3": 0.45 * brain}
    return people.assign(**sides, **whole, brain_volume_whole_mm3=brain)


def _scan_again(rng: np.random.Generator, people: pd.DataFrame, size: float) -> pd.DataFrame:
    """Scan all patients and every second control again."""
    again = people[(people["group"] == "patient") | (np.arange(len(people)) % 4 == 0)].copy()
    is_patient = (again["group"] == "patient").to_numpy()
    for roi in (*ROIS, *FREE_ROIS):
        change = rng.standard_normal(len(again)) + size * PROGRESSION.get(roi, 0.0) * is_patient
        for name, effects in CHANGE.items():
            change += size * effects.get(roi, 0.0) * _centre(again[f"is_{name}"].to_numpy(dtype=float), is_patient)
        again[f"{roi}_mean_mm3"] += CHANGE_SD_MM3 * change
    return again.assign(session_id="ses-2", weeks=WEEKS)


def _simulate_study(
    seed: int,
    *,
    planted: bool,
    n_per_group: int = 400,
    n_permutations: int = 19,
    prepare: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> Study:
    """Simulate a study of two groups of one size; `prepare` may change the cohort table before it becomes a study."""
    rng = np.random.default_rng(seed)
    size = 1.0 if planted else 0.0
    people = _draw_people(rng, n_per_group)
    traits = _draw_traits(rng, (people["group"] == "patient").to_numpy())
    columns = {name: values for trait in traits.values() for name, values in trait.columns.items()}
    volumes = {f"{roi}_mean_mm3": _plant(people, traits, roi, rng, size) for roi in (*ROIS, *FREE_ROIS)}
    first = _draw_course(rng, people.assign(**columns, **volumes), size).assign(session_id="ses-1", weeks=0.0)
    scans = [_add_sides(rng, table) for table in (first, _scan_again(rng, first, size))]
    cohort = pd.concat(scans, ignore_index=True).drop(columns=[f"is_{name}" for name in CHANGE])
    cohort.insert(0, "scan", cohort["participant_id"] + "_" + cohort["session_id"])
    cohort = cohort if prepare is None else prepare(cohort)
    models = CONFIG["models"] | {"n_permutations": n_permutations}
    variables = CONFIG["participants"]["variables"] | {
        "verbal memory": {"column": "verbal memory", "domain": "cognition"},
        "2-back": {"column": "2-back", "domain": "cognition"},
        "RRS-sum": {"column": "RRS-sum", "domain": "symptoms"},
    }
    severity = {"HAMD17": "hamd_total", "HADS-depr": "HADS-depr"}
    return prepare_study(cohort, models, {"variables": variables, "severity": severity})[0]


@pytest.fixture(scope="session")
def simulate_study() -> Callable[..., Study]:
    """Simulate a study: see `_simulate_study`."""
    return _simulate_study


@pytest.fixture(scope="session")
def shipped_claims() -> ClaimsFile:
    return parse_claims(CLAIMS, CONFIG["models"]["families"])
