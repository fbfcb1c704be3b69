"""The methods text: counts, models and families of what was run, and nothing of what was not."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pandas as pd
import pytest

from morpho.present.methods import MethodsFacts, collect_claim_facts, collect_facts, write_methods


@pytest.fixture
def facts(study: ModuleType, effects: pd.DataFrame, associations: pd.DataFrame) -> MethodsFacts:
    return collect_facts(
        scans=study.make_scans(),
        cohort=study.make_cohort(),
        effects=effects,
        associations=associations,
        precision=study.make_precision(),
        exclusions=study.make_exclusions(),
        claims=collect_claim_facts(study.make_claims(), study.make_claim_tests(), file="claims.yaml", sha256="abc123"),
        config=study.load_config(),
        versions=study.VERSIONS,
    )


def test_methods_name_counts_models_and_families(facts: MethodsFacts, study: ModuleType) -> None:
    text = write_methods(facts, template=study.load_template("methods.jinja"))
    for part in (
        "62 T1-weighted scans of 61 participants were found; 61 were chosen",
        "and 60 were measured with morpho 1.2.3. In 3 of them the brain had been extracted before",
        "between 33 patient and 26 control participants",
        "adjusted for age, sex, affine head size and site (2 sites)",
        f"Model: {study.FORMULA}.",
        "Group was coded 0 (control) and 1 (patient), sex -1 and 1; numeric covariates were centred.",
        "with HC3 standard errors beside them",
        "The smallest effect of interest was g = 0.2",
        "5000 permutations of residuals within sites (Freedman and Lane 1983; seed 2016)",
        "Left out: 1 scan or person at the stage measure and 1 person from some or all models.",
        "with 80 % probability was g = 0.74 (patient - control) and partial r = 0.49 (severity BDI).",
        "6 of the 8 claims of claims.yaml (SHA-256 abc123) were tested by 3 tests: linear models of one volume; a",
        f"Head size: {study.HEAD_SIZE_NOTE}.",
        "primary, 4 tests: hippocampus, amygdala, rostral anterior cingulate and dorsolateral PFC (mean of left",
        "totals, 1 test: brain volume (whole brain).",
        "BDI (n = 33, adjusted for age, sex and affine head size) was related",
    ):
        assert part in text
    assert "  " not in text
    assert "{" not in text


def test_methods_say_nothing_of_what_was_not_done(facts: MethodsFacts, study: ModuleType) -> None:
    single = replace(
        facts, n_found=1, n_participants=1, n_chosen=1, n_measured=1, n_extracted=1, formulas=(), sizes={}, families=(),
        severity=(), head_size_notes=(), detectable=(), exclusions=(), claims=None,
    )  # fmt: skip
    text = write_methods(single, template=study.load_template("methods.jinja"))
    assert "1 T1-weighted scan of 1 participant was found; 1 was chosen" in text
    assert "The brains had been extracted before they came to morpho" in text
    heads = [paragraph.partition(". ")[0] for paragraph in text.split("\n\n")]
    assert heads == ["Images", "Measurement", "Software"]


def test_methods_of_a_table_of_volumes_do_not_speak_of_scans(
    study: ModuleType, effects: pd.DataFrame, facts: MethodsFacts
) -> None:
    listed = study.make_cohort().assign(input_kind="table")
    scans = study.make_scans().iloc[:60].assign(path="my volumes.tsv")
    from_table = collect_facts(
        scans=scans, cohort=listed, effects=effects, associations=study.make_associations(study.make_residuals()),
        precision=study.make_precision().iloc[:0], exclusions=study.make_exclusions().iloc[:0], claims=facts.claims,
        config=study.load_config(), versions=study.VERSIONS,
    )  # fmt: skip
    text = write_methods(from_table, template=study.load_template("methods.jinja"))
    assert text.startswith("Volumes. Regional volumes of 60 participants were taken from the table my volumes.tsv")
    for word in ("T1-weighted", "U-Net", "Precision.", "Left out"):
        assert word not in text


def test_claims_without_any_fitted_test_are_not_in_the_methods(study: ModuleType) -> None:
    tests = study.make_claim_tests()
    what = {"file": "claims.yaml", "sha256": "abc"}
    assert collect_claim_facts(study.make_claims(), tests.assign(status="refused"), **what) is None
    assert collect_claim_facts(study.make_claims(), tests.iloc[:0], **what) is None


def test_facts_of_an_empty_comparison_take_the_groups_from_the_configuration(
    study: ModuleType, effects: pd.DataFrame, associations: pd.DataFrame
) -> None:
    empty = collect_facts(
        scans=study.make_scans(), cohort=study.make_cohort(), effects=effects.iloc[:0],
        associations=associations.iloc[:0], precision=study.make_precision().iloc[:0],
        exclusions=study.make_exclusions().iloc[:0], claims=None, config=study.load_config(), versions=study.VERSIONS,
    )  # fmt: skip
    assert (empty.reference_group, empty.comparison_group, empty.sizes) == ("control", "patient", {})
