"""Other sets of scans: who is in them, the same scans are never fitted twice, effects land in their rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.errors import DesignError
from morpho.infer.claims.claims import ClaimsFile
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.claims.tables import tabulate_claims
from morpho.infer.models import associate_severity, compare_groups
from morpho.infer.quality.decisions import decide_scans
from morpho.infer.quality.dictionaries import SCAN_DECISIONS
from morpho.infer.quality.set_names import SET_COLUMNS, SETS
from morpho.infer.quality.sets import EFFECT_TABLES, EffectColumns, StudySets, add_effects, prepare_sets, run_others
from morpho.infer.study import Study
from morpho.tables import read_table, write_table

FAMILIES = {"primary": {"rois": ["hippocampus", "amygdala"], "hemispheres": ["mean"]}}
MODELS: dict[str, Any] = {
    "reference_group": "control", "comparison_group": "patient", "covariates": ["age", "sex"], "head_size": "tiv",
    "head_size_substitute": "affine_tiv", "families": FAMILIES, "min_group_size": 3, "min_residual_df": 3,
    "confidence": 0.95, "n_permutations": 49, "seed": 1, "age_model": "linear", "smallest_effects": {
        "g": 0.2, "partial_r": 0.1, "partial_eta_squared": 0.01, "log_variance_ratio": 0.1,
    },
}  # fmt: skip
PARTICIPANTS: dict[str, Any] = {"variables": {}, "severity": {"BDI": "BDI"}}
CohortOf = Callable[[int], pd.DataFrame]


@pytest.fixture
def cohort(cohort_of: CohortOf, rng: np.random.Generator) -> pd.DataFrame:
    cohort = cohort_of(40)
    score = np.where(cohort["group"] == "patient", rng.uniform(10, 40, 40), np.nan)
    return cohort.assign(severity_BDI=score)


def decide(
    cohort: pd.DataFrame,
    failed: tuple[int, ...] = (),
    flagged: tuple[int, ...] = (),
    human: dict[int, str] | None = None,
) -> pd.DataFrame:
    """Decide about the scans of a cohort, of which some failed or were flagged, and some rated by one person."""
    verdicts = ["failed" if n in failed else "flagged" if n in flagged else "passed" for n in range(len(cohort))]
    metrics = pd.DataFrame({"scan": cohort["scan"], "verdict": verdicts, "reason": ""})
    scans = cohort[["participant_id", "session_id", "scan"]].assign(chosen=True)
    rated = (
        pd.DataFrame({"scan": cohort["scan"].iloc[list(human)], "decision": list(human.values())}) if human else None
    )
    if rated is not None:
        rated = rated.assign(rater="A", reason="", date=pd.Timestamp("2024-01-01"))
    return decide_scans(scans, cohort["scan"], metrics, rated)


def prepare(cohort: pd.DataFrame, decisions: pd.DataFrame) -> StudySets:
    return prepare_sets(cohort, decisions, MODELS, PARTICIPANTS)


def scans_of(study: Study) -> set[int]:
    return {int(name.removeprefix("sub-")) for name in study.people["scan"]}


def test_who_is_in_which_set(cohort: pd.DataFrame) -> None:
    """0 failed, 1 failed and was kept by people, 2 and 3 flagged, 3 and 4 excluded by people."""
    decisions = decide(
        cohort, failed=(0, 1), flagged=(2, 3), human={1: "keep", 3: "exclude", 4: "exclude", 5: "unsure"}
    )
    studies = prepare(cohort, decisions)
    everyone = set(range(40))
    assert scans_of(studies.main) == everyone - {0, 3, 4}
    assert {name: everyone - scans_of(study) for name, study in studies.others.items()} == {
        "all_scans": set(),
        "unflagged": {0, 1, 2, 3, 4},
        "human": {3, 4},
    }


def test_sets_that_are_not_known_are_absent(cohort: pd.DataFrame) -> None:
    """No human set without a table of decisions; with volumes from a table, no automatic one."""
    assert set(prepare(cohort, decide(cohort)).others) == {"all_scans", "unflagged"}
    scans = cohort[["participant_id", "session_id", "scan"]].assign(chosen=True)
    assert prepare(cohort, decide_scans(scans, cohort["scan"], None, None)).others == {}
    human = pd.DataFrame({"scan": ["sub-003"], "decision": ["exclude"], "rater": ["A"], "reason": [""]})
    human = human.assign(date=pd.Timestamp("2024-01-01"))
    others = prepare(cohort, decide_scans(scans, cohort["scan"], None, human)).others
    assert set(others) == {"all_scans", "human"}
    assert 3 in scans_of(others["all_scans"])


def test_decisions_read_from_disk_are_those_that_were_written(cohort: pd.DataFrame, tmp_path: Path) -> None:
    decisions = decide(cohort, failed=(0,), flagged=(2,), human={3: "exclude"})
    write_table(decisions, tmp_path / "d.tsv", SCAN_DECISIONS)
    ours, theirs = prepare(cohort, decisions), prepare(cohort, read_table(tmp_path / "d.tsv"))
    assert scans_of(ours.main) == scans_of(theirs.main)
    assert {n: scans_of(s) for n, s in ours.others.items()} == {n: scans_of(s) for n, s in theirs.others.items()}


def test_a_scan_without_decision_is_refused(cohort: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match="no row for sub-039"):
        prepare(cohort, decide(cohort).iloc[:-1])


def test_all_sets_use_the_head_size_of_the_main_one(cohort: pd.DataFrame) -> None:
    """One failed scan has no TIV; the main set has TIV for all, and so do the others use it."""
    cohort.loc[0, "tiv_whole_mm3"] = np.nan
    studies = prepare(cohort, decide(cohort, failed=(0,)))
    columns = {study.settings.head_size.column for study in (studies.main, *studies.others.values())}
    assert columns == {"tiv_whole_mm3"}
    assert studies.main.settings.n_permutations == 49
    assert studies.others["all_scans"].settings.n_permutations == 0


def test_a_person_whose_first_scan_is_left_out_enters_with_the_next(cohort: pd.DataFrame) -> None:
    first, second = cohort.assign(session_id="ses-1"), cohort.assign(session_id="ses-2")
    both = pd.concat([first, second], ignore_index=True)
    both["scan"] = both["participant_id"] + "_" + both["session_id"]
    studies = prepare(both, decide(both, failed=(4,)))
    chosen = studies.main.people.set_index("participant_id")["session_id"]
    assert chosen["sub-004"] == "ses-2"
    assert (chosen.drop("sub-004") == "ses-1").all()
    assert studies.main.visits.query("participant_id == 'sub-004'")["visit"].tolist() == [0]
    assert len(studies.left_out) == 39


def test_the_same_scans_are_never_fitted_twice(cohort: pd.DataFrame) -> None:
    studies = prepare(cohort, decide(cohort, human={3: "keep"}))
    assert all(study is studies.main for study in studies.others.values())
    calls: list[Study] = []
    found = run_others(studies.main, studies.others, "main", lambda study: calls.append(study) or "again")
    assert found == dict.fromkeys(SETS, "main")
    studies = prepare(cohort, decide(cohort, failed=(1,), human={1: "exclude"}))
    found = run_others(studies.main, studies.others, "main", lambda study: calls.append(study) or "again")
    assert found == {"all_scans": "again", "unflagged": "main", "human": "main"}
    assert len(calls) == 1
    assert studies.change(lambda study: replace(study, domains={})).others["human"].domains == {}


WHERE = EffectColumns(("roi", "site"), "g", "low", "high", ("a", "b"))


def test_effects_land_in_the_rows_of_their_keys_missing_keys_included() -> None:
    table = pd.DataFrame({"roi": ["x", "x", "y"], "site": ["s", np.nan, "s"], "g": [1.0, 2.0, 3.0]})
    other = pd.DataFrame(
        {
            "roi": ["y", "x", "z"],
            "site": ["s", np.nan, "s"],
            "g": [30, 20, 40],
            "low": 0.5,
            "a": [1, 2, 3],
            "b": [4, 5, 6],
        }
    )
    added = add_effects(table, {"human": other}, WHERE)
    assert list(added) == ["roi", "site", "g", *SET_COLUMNS]
    assert added["effect_human"].fillna(-1).tolist() == [-1, 20, 30]
    assert added["n_human"].fillna(-1).tolist() == [-1, 7, 5]
    assert added["ci_low_human"].fillna(-1).tolist() == [-1, 0.5, 0.5]
    assert added["ci_high_human"].isna().all()
    assert added[[name for name in SET_COLUMNS if not name.endswith("human")]].isna().all(axis=None)
    assert add_effects(table.iloc[:0], {"human": other.iloc[:0]}, WHERE).empty


def test_each_set_has_what_the_analysis_of_its_scans_alone_gives(cohort: pd.DataFrame) -> None:
    decisions = decide(cohort, failed=(0, 1), flagged=(2, 3), human={0: "exclude", 5: "exclude"})
    studies = prepare(cohort, decisions)
    effects = compare_groups(studies.main, studies.others).effects
    scales = associate_severity(studies.main, studies.others).associations
    for name, out in (("all_scans", []), ("unflagged", [0, 1, 2, 3, 5]), ("human", [0, 5])):
        alone = prepare(cohort.drop(index=out), decide(cohort.drop(index=out))).main
        truth = compare_groups(alone).effects
        assert effects[f"effect_{name}"].to_numpy() == pytest.approx(truth["g"].to_numpy())
        assert effects[f"ci_low_{name}"].to_numpy() == pytest.approx(truth["g_ci_low"].to_numpy())
        assert effects[f"n_{name}"].tolist() == [40 - len(out)] * 2
        truth = associate_severity(alone).associations
        assert scales[f"effect_{name}"].to_numpy() == pytest.approx(truth["partial_r"].to_numpy())
        assert scales[f"n_{name}"].tolist() == truth["n"].tolist()


def test_variants_have_the_sets_that_differ(cohort: pd.DataFrame) -> None:
    studies = prepare(cohort, decide(cohort, failed=(0,), human={1: "keep"}))
    result = compare_groups(studies.main, studies.others)
    variants = result.sensitivity.query("roi == 'amygdala'").set_index("variant")
    assert {"all_scans", "human"} <= set(variants.index)
    assert "unflagged" not in variants.index
    assert variants.loc["all_scans", "n"] == 40
    row = result.effects.set_index("roi").loc["amygdala"]
    assert variants.loc["all_scans", "estimate"] == row["effect_all_scans"]
    assert row["effect_unflagged"] == row["g"]


@pytest.fixture
def claims() -> ClaimsFile:
    difference = {"formula": "volume ~ group + covariates", "effect": {"difference": ["group", "patient", "control"]}}
    slope = {"formula": "volume ~ age_years + sex", "effect": {"slope": "age_years"}}
    joint = {"formula": "volume ~ group * sex + covariates", "effect": {"joint": ["group", "sex"]}}
    kinds = [{"test": kind, "kind": kind, "families": ["primary"]} for kind in ("sites", "subgroups", "variability")]
    tests = [
        {"test": "difference", **difference, "decides": ["hippocampus"]},
        {"test": "slope", **slope},
        {"test": "joint", **joint},
    ]
    entry = {"claim": "c", "review": "r", "evidence": {"says": "s", "source": "s"}, "tests": [*tests, *kinds]}
    return parse_claims({"variables": {}, "populations": {"everyone": {}}, "claims": {"C1": entry}}, FAMILIES)


def test_tables_of_claims_have_the_effects_of_all_sets_and_verdicts_of_the_main_one(
    cohort: pd.DataFrame, claims: ClaimsFile
) -> None:
    cohort["site"] = np.where(np.arange(40) % 4 < 2, "a", "b")
    studies = prepare(cohort, decide(cohort, failed=(0, 1), human={0: "exclude", 1: "exclude"}))
    tables = tabulate_claims(studies.main, claims, studies.others)
    plain = tabulate_claims(studies.main, claims)
    alone = tabulate_claims(prepare(cohort, decide(cohort)).main, claims)
    pd.testing.assert_frame_equal(tables["claims"][0], plain["claims"][0])
    for name in (
        "claim_tests",
        "contrasts",
        "associations",
        "interactions",
        "site_effects",
        "site_pooled",
        "subgroups",
        "variability",
    ):
        table, dictionary = tables[name]
        where = EFFECT_TABLES[name]
        assert len(table)
        assert table.duplicated(list(where.keys)).sum() == 0
        assert set(table) <= set(dictionary)
        pd.testing.assert_frame_equal(
            table.drop(columns=list(SET_COLUMNS)), plain[name][0].drop(columns=list(SET_COLUMNS))
        )
        for column, set_name in ((where.effect, "effect"), (where.ci_low, "ci_low"), (where.ci_high, "ci_high")):
            ours = table[f"{set_name}_all_scans"].to_numpy(dtype=float)
            assert ours == pytest.approx(alone[name][0][column].to_numpy(dtype=float), nan_ok=True)
            same = table[f"{set_name}_human"].to_numpy(dtype=float)
            assert same == pytest.approx(table[column].to_numpy(dtype=float), nan_ok=True)
        assert table["effect_all_scans"].notna().any()
        counts = sum(alone[name][0][column].astype(float) for column in where.n)
        assert table["n_all_scans"].astype(float).to_numpy() == pytest.approx(counts.to_numpy(), nan_ok=True)


def test_an_empty_set_is_refused_rows_not_a_crash(cohort: pd.DataFrame, claims: ClaimsFile) -> None:
    """All scans flagged: nobody is unflagged."""
    studies = prepare(cohort, decide(cohort, flagged=tuple(range(40))))
    effects = compare_groups(studies.main, studies.others).effects
    assert effects["effect_unflagged"].isna().all()
    assert effects["effect_all_scans"].equals(effects["g"])
    tables = tabulate_claims(studies.main, claims, studies.others)
    assert tables["claim_tests"][0]["effect_unflagged"].isna().all()
    assert associate_severity(studies.main, studies.others).associations["effect_unflagged"].isna().all()
