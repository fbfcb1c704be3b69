"""All statistics on tables alone, run as a user runs them: no scan, odd column names, own claim, shared, combined."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
REGIONS = CONFIG["models"]["families"]["primary"]["rois"]
N_PER_GROUP = 60
SD_MM3, EFFECT_MM3, SLOPE_MM3 = 250.0, -250.0, -20.0

OWN_CLAIM = {
    "claim": "Moderate episodes go with a smaller amygdala than mild ones.",
    "review": "own question",
    "evidence": {"says": "nothing published", "source": "none"},
    "tests": [
        {
            "test": "moderate_mild",
            "formula": 'volume ~ Q("ICD-10") + covariates',
            "effect": {"difference": ["ICD-10", "moderate", "mild"]},
            "population": "patients",
            "decides": ["amygdala"],
            "says": {"direction": "negative"},
        }
    ],
}


def run_snakemake(folder: Path, *arguments: str, snakefile: str = "Snakefile") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / snakefile), "--cores", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    profile = ["--workflow-profile", str(ROOT / "profiles/default")]
    return subprocess.run(
        [*command, *profile, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def write_tables(folder: Path) -> None:
    """Write volumes and participants: smaller hippocampi in patients, smaller amygdalae in moderate episodes."""
    rng = np.random.default_rng(4)
    n = 2 * N_PER_GROUP
    is_patient = np.arange(n) % 2 == 1
    names = [f"sub-{number:03}" for number in range(n)]
    score = np.where(is_patient, rng.uniform(10, 40, n), np.nan)
    is_moderate = is_patient & (np.arange(n) % 4 == 1)
    volumes = pd.DataFrame({"participant_id": names, "eTIV": rng.normal(1.5e6, 1e5, n)})
    for roi in REGIONS:
        sides = rng.normal(3500, SD_MM3, n)[:, None] + rng.normal(0, 30, (n, 2))
        if roi == "hippocampus":
            sides += (EFFECT_MM3 * is_patient + SLOPE_MM3 * np.nan_to_num(score - 25))[:, None]
        if roi == "amygdala":
            sides += (2 * EFFECT_MM3 * is_moderate)[:, None]
        volumes[[f"{roi}_L_mm3", f"{roi}_R_mm3"]] = sides
    participants = pd.DataFrame(
        {
            "participant_id": names,
            "group": np.where(is_patient, "MDD", "HC"),
            "age": rng.integers(18, 60, n),
            "sex": rng.choice(["f", "m"], n),
            "site": rng.choice(["1", "2"], n),
            "HADS-depr": score.round(),
            "ICD-10": np.select([is_moderate, is_patient], ["F32.1", "F32.0"], "n/a"),
        }
    )
    volumes.to_csv(folder / "my volumes.tsv", sep="\t", index=False)
    participants.to_csv(folder / "people.tsv", sep="\t", index=False, na_rep="n/a")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("Étude sans images")
    write_tables(folder)
    claims = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
    claims["claims"] = {name: claims["claims"][name] for name in ("C01", "C05", "C08", "X01")} | {"own": OWN_CLAIM}
    (folder / "claims.yaml").write_text(yaml.safe_dump(claims, sort_keys=False), encoding="utf-8")
    levels = {"mild": ["F32.0"], "moderate": ["F32.1"]}
    settings = {
        "participants": {
            "severity": {"HADS-depr": "HADS-depr"},
            "variables": {"ICD-10": {"column": "ICD-10", "levels": levels}},
        },
        "models": {"claims": str(folder / "claims.yaml"), "n_permutations": 200},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    run = run_snakemake(folder, "statistics", *arguments_of(folder))
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def arguments_of(folder: Path) -> list[str]:
    tables = [f"volumes={folder / 'my volumes.tsv'}", f"participants={folder / 'people.tsv'}"]
    return ["--configfile", str(folder / "my.yaml"), "--config", *tables, f"output_dir={folder / 'out'}"]


def read(study: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(study / "out" / "group" / f"{name}.tsv", sep="\t", na_values="n/a", keep_default_na=False)


def test_planted_effects_come_back_with_the_right_verdict(study: Path) -> None:
    claims = read(study, "claims").set_index("claim_id")
    assert claims.loc[["C01", "C05", "own"], "verdict"].tolist() == ["consistent"] * 3
    assert claims.loc["C08", "status"] == "not_testable"
    assert claims.loc["C08", "needs"] == "episode_status"
    assert claims.loc["X01", "status"] == "out_of_reach"


def test_every_region_has_its_row_and_those_not_measured_say_so(study: Path) -> None:
    effects = read(study, "group_comparison")
    primary = effects[effects["family"] == "primary"]
    assert primary["roi"].tolist() == REGIONS
    assert (primary["status"] == "fitted").all()
    parts = effects[effects["family"] == "parts"]
    assert parts["reason"].str.contains("not measured").all()
    hippocampus = primary.iloc[0]
    assert hippocampus["ci_low_mm3"] < EFFECT_MM3 < hippocampus["ci_high_mm3"]


def test_every_table_has_its_dictionary(study: Path) -> None:
    tables = sorted((study / "out" / "group").glob("*.tsv"))
    assert len(tables) > 25
    for table in tables:
        described = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
        header = table.read_text(encoding="utf-8").splitlines()[0].split("\t")
        assert list(described) == [*header, "MadeWith"], table.name


def test_a_second_run_has_nothing_to_do_and_another_claim_reruns_claims_alone(study: Path) -> None:
    again = run_snakemake(study, "statistics", "--dry-run", *arguments_of(study))
    assert "Nothing to be done" in again.stdout + again.stderr
    path = study / "claims.yaml"
    before, changed_at = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(before.replace("own question", "another question"), encoding="utf-8")
    planned = run_snakemake(study, "statistics", "--dry-run", "--quiet", "rules", *arguments_of(study))
    path.write_text(before, encoding="utf-8")
    os.utime(path, ns=(changed_at.st_atime_ns, changed_at.st_mtime_ns))
    assert "test_claims" in planned.stdout + planned.stderr
    assert "compare_groups" not in planned.stdout + planned.stderr


def test_what_is_shared_names_nobody_and_can_be_combined(study: Path) -> None:
    export = study / "out" / "enigma_export" / "patient_control.tsv"
    assert "sub-" not in export.read_text(encoding="utf-8")
    studies = f"studies=here={export},there={export}"
    combined = study / "combined.tsv"
    arguments = ["--config", f"output={combined}", studies]
    run = run_snakemake(study, *arguments, snakefile="workflow/combine.smk")
    assert run.returncode == 0, run.stdout + run.stderr
    pooled = pd.read_csv(combined, sep="\t", na_values="n/a").set_index("Structure")
    own = pd.read_csv(export, sep="\t", na_values="n/a").set_index("Structure")
    effect = pooled.filter(regex="^(d|mean|d_icv|effect)$").loc["M_hippocampus"].iloc[0]
    assert effect == pytest.approx(own.loc["M_hippocampus", "d_icv"], rel=1e-9)


def test_a_claims_file_with_a_mistake_is_refused_before_anything_runs(study: Path, tmp_path: Path) -> None:
    claims = yaml.safe_load((study / "claims.yaml").read_text(encoding="utf-8"))
    claims["claims"]["own"]["tests"][0]["population"] = "patient"
    claims["claims"]["own"]["tests"][0]["decides"] = ["amigdala"]
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(claims), encoding="utf-8")
    settings = yaml.safe_load((study / "my.yaml").read_text(encoding="utf-8"))
    settings["models"]["claims"] = str(tmp_path / "claims.yaml")
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = arguments_of(study)
    run = run_snakemake(study, "statistics", "--dry-run", "--configfile", str(tmp_path / "my.yaml"), *arguments[2:])
    assert run.returncode != 0
    said = run.stdout + run.stderr
    assert "unknown population 'patient'" in said
    assert "decides on amigdala" in said
