"""Simulated cohorts run through the models and presented: complete, without participants, one group, no severity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.infer.claims.engine import run_claims
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.claims.tables import split_results
from morpho.infer.claims.verdicts import MEANINGS
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS, PARTIAL_RESIDUALS, SENSITIVITY, SEVERITY
from morpho.infer.models import associate_severity, compare_groups
from morpho.infer.sensitivity_names import VARIANTS
from morpho.infer.sharing.precision import COUNTS, PRECISION, TEXTS, describe_precision, plan_tests, say_precision
from morpho.infer.sharing.references import COMPARISON_COLUMNS, compare_with_published
from morpho.infer.sharing.sample import SAMPLE, describe_sample, render_sample
from morpho.infer.sites.dictionaries import SITES
from morpho.infer.sites.sites import describe_sites
from morpho.infer.study import prepare_study
from morpho.present.captions import caption_claims, caption_severity_association, caption_specification
from morpho.present.claim_figure import plot_claims
from morpho.present.figures import (
    plot_effects_forest,
    plot_group_distributions,
    plot_severity_association,
)
from morpho.present.methods import collect_claim_facts, collect_facts, write_methods
from morpho.present.pictures import choose_figures
from morpho.present.rendering import render_figure
from morpho.present.report import render_pages
from morpho.present.report_content import ReportContent, ReportOptions, ReportTables, ReportWords
from morpho.present.specification import plot_specification
from morpho.present.style import FigureStyle
from morpho.reference_data import load_recovery, load_references
from morpho.tables import read_table, write_table

N, N_CONTROLS = 44, 20
SCALE = "HADS-depr"
FAMILIES = {
    "primary": {"rois": ["hippocampus", "dlpfc"], "hemispheres": ["mean"]},
    "totals": {"rois": ["brain_volume"], "hemispheres": ["whole"]},
}
GROUP_TEST = {"formula": "volume ~ group + covariates", "effect": {"difference": ["group", "patient", "control"]}}
CLAIMS: dict[str, Any] = {
    "variables": {},
    "populations": {"everyone": {}, "patients": {"group": "patient"}},
    "claims": {
        "C01": {
            "claim": "The hippocampus is smaller.", "review": "Part 1", "confirmatory": True,
            "evidence": {"says": "d = -0.144", "source": "Schmaal 2016"},
            "tests": [
                GROUP_TEST | {"test": "group", "families": ["primary"], "decides": ["hippocampus"],
                              "says": {"direction": "negative", "size": -0.14}},
            ],
        },
        "C02": {
            "claim": "A small hippocampus foretells relapse.", "review": "Part 2",
            "evidence": {"says": "none", "source": "none"},
            "tests": [
                {"test": "relapse", "kind": "outcome", "options": {"event": "relapse"}, "families": ["primary"],
                 "decides": ["hippocampus"], "population": "patients", "needs": ["relapse"],
                 "says": {"direction": "negative"}},
            ],
        },
        "X01": {"claim": "Networks differ.", "review": "Part 3", "out_of_reach": "Takes functional MRI.",
                "evidence": {"says": "none", "source": "none"}},
    },
}  # fmt: skip


@dataclass(frozen=True)
class Presented:
    """What a study leads to: the page, the methods text, and the tables as they were read back."""

    html: str
    methods: str
    tables: dict[str, pd.DataFrame]


def simulate_cohort() -> pd.DataFrame:
    """Two sites, two groups, a hippocampus that is smaller in patients."""
    rng = np.random.default_rng(5)
    is_patient = np.arange(N) >= N_CONTROLS
    names = [f"sub-{number:02}" for number in range(N)]
    tiv_mm3 = rng.normal(1.5e6, 1e5, N)
    return pd.DataFrame(
        {
            "participant_id": names, "session_id": "", "scan": names, "input_kind": "table",
            "group": np.where(is_patient, "patient", "control"), "sex": rng.choice(["F", "M"], N),
            "age_years": rng.uniform(20, 60, N), "site": rng.choice(["north", "south"], N),
            f"severity_{SCALE}": np.where(is_patient, rng.uniform(5, 20, N), np.nan), "tiv_whole_mm3": tiv_mm3,
            "hippocampus_mean_mm3": rng.normal(3500, 250, N) - 400 * is_patient,
            "dlpfc_mean_mm3": rng.normal(9000, 700, N), "brain_volume_whole_mm3": 0.8 * tiv_mm3 + rng.normal(0, 3e4, N),
        }
    )  # fmt: skip


def run_models(
    cohort: pd.DataFrame, config: dict[str, Any], claims: dict[str, Any], folder: Path
) -> dict[str, pd.DataFrame]:
    """Run all models and take their tables to disk and back."""
    study, _ = prepare_study(cohort, config["models"], config["participants"])
    groups, severity = compare_groups(study), associate_severity(study)
    published = {"contrast": "patient_control", "age_band": "adult"}
    effects = compare_with_published(groups.effects, load_references(), **published)
    precision = describe_precision(plan_tests(effects, severity.associations), load_recovery())
    has_people = "group" in study.people and study.people["group"].notna().any()
    sample = describe_sample(study.people, ["age_years", "sex"]) if has_people else pd.DataFrame(columns=list(SAMPLE))
    written = split_results(run_claims(study, parse_claims(claims, config["models"]["families"]), permute=False))
    tables: dict[str, tuple[pd.DataFrame, Any]] = {
        "effects": (effects, EFFECTS | COMPARISON_COLUMNS),
        "sensitivity": (groups.sensitivity, SENSITIVITY),
        "adjusted": (groups.adjusted_volumes, ADJUSTED_VOLUMES),
        "associations": (severity.associations, SEVERITY),
        "residuals": (severity.partial_residuals, PARTIAL_RESIDUALS),
        "precision": (precision, PRECISION),
        "sample": (sample, SAMPLE),
        "sites": (describe_sites(study.people).sites, SITES),
        **{name: written[name] for name in ("claims", "claim_tests")},
    }
    for name, (table, dictionary) in tables.items():
        write_table(table, folder / f"{name}.tsv", dictionary)
    return {name: read_table(folder / f"{name}.tsv", text=TEXTS if name == "precision" else ()) for name in tables}


def present(
    cohort: pd.DataFrame,
    folder: Path,
    study: ModuleType,
    style: FigureStyle,
    *,
    severity: tuple[str, ...] = (SCALE,),
    claims: dict[str, Any] = CLAIMS,
) -> Presented:
    """Run the models on a cohort, and make of their tables what the rules of figures and report make of them."""
    config = study.load_config()
    config["models"] |= {"families": FAMILIES, "n_permutations": 100}
    config["participants"]["severity"] = {scale: scale for scale in severity}
    tables = run_models(cohort, config, claims, folder)
    what = {"family": "primary", "confidence": 0.95}
    scale = {**what, "scale": SCALE}
    figures = {
        "claims": plot_claims(tables["claims"], style=style),
        "effects_forest": plot_effects_forest(tables["effects"], style=style, confidence=0.95),
        "specification": plot_specification(tables["sensitivity"], style=style, labels=VARIANTS, **what),
        "distributions_primary": plot_group_distributions(tables["adjusted"], tables["effects"], style=style, **what),
        f"severity_{SCALE}": plot_severity_association(
            tables["residuals"], tables["associations"], style=style, **scale
        ),
    }
    captions = dict.fromkeys(figures, "A caption.") | {
        "claims": caption_claims(tables["claims"], meanings=MEANINGS),
        "specification": caption_specification(tables["sensitivity"], tables["effects"], labels=VARIANTS, **what),
        f"severity_{SCALE}": caption_severity_association(tables["associations"], **scale),
    }
    assert all(render_figure(figure, "png", dpi=40) for figure in figures.values())
    pictures = choose_figures([f"figures/{name}.png" for name in figures], captions, file_format="png")
    shown = {
        name: tables[name] for name in ("effects", "associations", "sensitivity", "claims", "claim_tests", "sites")
    }
    counts = dict.fromkeys(COUNTS, "Int64")
    precision = tables["precision"].astype(counts).fillna(dict.fromkeys(TEXTS, ""))
    scans = pd.DataFrame(
        {
            "scan": cohort["scan"],
            "participant_id": cohort["scan"],
            "path": "v.tsv",
            "chosen": True,
            "session_id": "",
            "reason": "",
        }
    )
    flow = pd.DataFrame([("found", np.nan, N, N)], columns=["step", "group", "n_participants", "n_scans"])
    exclusions = study.make_exclusions().iloc[:0]
    facts = collect_facts(
        scans=scans, cohort=cohort, effects=tables["effects"], associations=tables["associations"],
        precision=precision, exclusions=exclusions, config=config, versions=study.VERSIONS,
        claims=collect_claim_facts(tables["claims"], tables["claim_tests"], file="claims.yaml", sha256="abc"),
    )  # fmt: skip
    methods = write_methods(facts, template=study.load_template("methods.jinja"))
    said = tuple(say_precision(row) for row in precision.to_dict("records"))
    decisions = study.make_decisions().iloc[:0]
    content = ReportContent(
        tables=ReportTables(
            **shown, precision=precision, sample=render_sample(tables["sample"].fillna({"level": ""})), flow=flow,
            scans=scans, columns=study.make_columns().iloc[:0], exclusions=exclusions, decisions=decisions,
            agreement=study.make_agreement().iloc[:0],
            run_cost=study.make_run_cost().iloc[:0], metrics=None, deviations=None, comparison=None, regions=None,
        ),
        words=ReportWords(MEANINGS, VARIANTS, {}, said, methods, "report: {}"),
        options=ReportOptions("A study"),
        settings=config["models"],
        figures={name: picture for name, (picture, _) in pictures.items()},
        provenance={},
    )  # fmt: skip
    pages = render_pages(content, study.load_templates())
    html = "\n".join(text for path, text in pages.items() if path.endswith(".html"))
    return Presented(html, methods, tables)


def test_a_complete_study(tmp_path: Path, study: ModuleType, style: FigureStyle) -> None:
    done = present(simulate_cohort(), tmp_path, study, style)
    assert done.tables["claims"]["verdict"].iloc[0] == "consistent"
    for part in (
        "this sample is consistent with 1 (C01).",
        "C01 consistent. All other claims are explored.",
        "Not testable in this cohort",
        "Out of reach of T1w scans",
        f"{SCALE} (n = 24): partial correlation",
        "Table 1: who was studied",
        "without one site",
        "(thickness)",
    ):
        assert part in done.html
    assert done.html.count("<img") == 5
    assert "34.0" not in done.methods
    heads = [paragraph.partition(". ")[0] for paragraph in done.methods.split("\n\n")]
    assert heads == ["Volumes", "Group comparison", "Multiplicity", "Severity", "Precision", "Claims", "Software"]


def test_a_cohort_without_participants(tmp_path: Path, study: ModuleType, style: FigureStyle) -> None:
    known = ["group", "sex", "age_years", "site", f"severity_{SCALE}"]
    done = present(simulate_cohort().drop(columns=known), tmp_path, study, style)
    for part in (
        "This sample cannot judge any claim (of 3, ",
        "this sample shows nothing",
        "There is no Table 1",
        "No severity scale was analysed",
        "No claim could be tested",
    ):
        assert part in done.html
    assert done.html.count("<img") == 2  # neither severity nor, as nobody has a group, effects and variants
    heads = [paragraph.partition(". ")[0] for paragraph in done.methods.split("\n\n")]
    assert heads == ["Volumes", "Software"]


def test_a_cohort_of_one_group(tmp_path: Path, study: ModuleType, style: FigureStyle) -> None:
    cohort = simulate_cohort()
    done = present(cohort[cohort["group"] == "patient"], tmp_path, study, style)
    for part in (
        "This sample cannot judge any claim (of 3, 1 not estimable",
        "only one group is present",
        f"{SCALE} (n = 24): partial correlation",
        "patients only",
    ):
        assert part in done.html
    heads = [paragraph.partition(". ")[0] for paragraph in done.methods.split("\n\n")]
    assert heads == ["Volumes", "Severity", "Precision", "Software"]


def test_a_cohort_without_severity(tmp_path: Path, study: ModuleType, style: FigureStyle) -> None:
    done = present(simulate_cohort(), tmp_path, study, style, severity=())
    assert "No severity scale was analysed" in done.html
    assert done.html.count("<img") == 4
    assert SCALE not in done.methods


@pytest.mark.parametrize("status", ["not_testable", "out_of_reach"])
def test_claims_of_which_none_can_be_tested(status: str, tmp_path: Path, study: ModuleType, style: FigureStyle) -> None:
    claim_id = {"not_testable": "C02", "out_of_reach": "X01"}[status]
    only = CLAIMS | {"claims": {claim_id: CLAIMS["claims"][claim_id]}}
    done = present(simulate_cohort(), tmp_path, study, style, claims=only)
    assert done.tables["claims"]["status"].tolist() == [status]
    assert "No claim could be tested in this sample." in done.html
    assert "This sample cannot judge any claim (of 1, " in done.html
    assert "Claims." not in done.methods
