"""A small made-up study for the tests of `morpho.present`: tables as the models write them, images with two sides.

The fixture `study` is this module itself, so that tests reach its tables and images by name.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from nibabel.nifti1 import Nifti1Image
from scipy import stats

from morpho.present.pictures import Picture, name_figure
from morpho.present.report_content import ReportContent, ReportOptions, ReportTables, ReportWords, ScanFailure
from morpho.present.style import FigureStyle, read_style

CONFIDENCE = 0.95
PRIMARY = ("hippocampus", "amygdala", "rostral_anterior_cingulate", "dlpfc")
FORMULA = "volume_mm3 ~ C(group, Treatment('control')) + age_years + C(sex, Sum) + affine_tiv_whole_dm3 + C(site)"
SEVERITY_FORMULA = "volume_mm3 ~ severity + age_years + C(sex, Sum) + affine_tiv_whole_dm3"
HEAD_SIZE_NOTE = "total intracranial volume could not be measured in 3 of 59 scans; affine head size serves"
N_REFERENCE, N_COMPARISON = 26, 33
FAMILIES = {
    "primary": (PRIMARY, ("mean",)),
    "hemispheres": (PRIMARY, ("L", "R")),
    "totals": (("brain_volume",), ("whole",)),
}
# What ENIGMA-MDD published of two regions: one volume, one thickness.
PUBLISHED: dict[str, dict[str, object]] = {
    roi: {
        "enigma_ref_d": d,
        "enigma_ref_ci_low": d - 0.08,
        "enigma_ref_ci_high": d + 0.08,
        "enigma_measure": measure,
    }
    for roi, d, measure in (
        ("hippocampus", -0.144, "volume"),
        ("dlpfc", -0.02, "thickness of L and R, mean of 4 published values: not the same quantity"),
    )
}
TOO_FEW = "too few people: 2 patient with all values, where config models.min_group_size asks for 3"


SETS = {
    "all_scans": "with all measured scans",
    "unflagged": "without flagged scans",
    "human": "with the decisions of people alone",
}


def load_style() -> FigureStyle:
    """Style that the project ships."""
    path = Path(__file__).parents[3] / "config" / "figures.yaml"
    return read_style(yaml.safe_load(path.read_text(encoding="utf-8")))


def _places() -> list[tuple[str, str, str]]:
    return [(family, roi, side) for family, (rois, sides) in FAMILIES.items() for roi in rois for side in sides]


def make_effects() -> pd.DataFrame:
    """Group comparison; the left and right amygdala were refused."""
    rng = np.random.default_rng(3)
    rows = []
    for family, roi, side in _places():
        row: dict[str, object] = {"family": family, "roi": roi, "hemisphere": side, "contrast": "patient - control"}
        row |= {
            "head_size": "affine_tiv_whole_mm3",
            "head_size_note": HEAD_SIZE_NOTE,
            "family_size": 4,
            "p_fdr": np.nan,
        }
        if family == "hemispheres" and roi == "amygdala":
            rows.append(row | {"status": "refused", "reason": TOO_FEW, "formula": np.nan})
            continue
        g = float(rng.normal(-0.3, 0.25))
        half = 0.52
        row |= {"status": "fitted", "reason": np.nan, "formula": FORMULA}
        row |= {"n_reference": N_REFERENCE, "n_comparison": N_COMPARISON, "n_sites": 2, "df": 53}
        row |= {"g": g, "g_ci_low": g - half, "g_ci_high": g + half, "d": g * 1.01}
        row |= {"d_enigma": g * 1.03, "d_enigma_ci_low": g - half, "d_enigma_ci_high": g + half}
        row |= {"mean_reference_mm3": 3800.0, "sd_reference_mm3": 300.0}
        row |= {"mean_comparison_mm3": 3800 + 300 * g, "sd_comparison_mm3": 310.0}
        row |= {"adjusted_mean_reference_mm3": 3800.0, "adjusted_mean_comparison_mm3": 3800 + 300 * g}
        row |= {
            "estimate_mm3": 300 * g,
            "ci_low_mm3": 300 * (g - half),
            "ci_high_mm3": 300 * (g + half),
            "se_mm3": 78.0,
        }
        row |= {"percent": 7.9 * g, "percent_ci_low": 7.9 * (g - half), "percent_ci_high": 7.9 * (g + half)}
        p = float(2 * stats.norm.sf(abs(g) / 0.26))
        row |= {"p": p, "p_permutation": p, "p_fdr": min(1.0, 2 * p), "p_familywise": min(1.0, 4 * p)}
        row |= {"bayes_factor_10": 0.5, "equivalence_bound_g": 0.2, "equivalence_p": 0.6}
        row |= {"g_ci90_low": g - 0.43, "g_ci90_high": g + 0.43}
        row |= {"n_all_scans": 61, "effect_all_scans": g - 0.05, "n_unflagged": 55, "effect_unflagged": g + 0.05}
        row |= {f"ci_{end}_{name}": g + half * sign for name in SETS for end, sign in (("low", -1), ("high", 1))}
        row |= {"quality_g": 0.3, "motion_equivalent_mm_per_min": 7.9 * g / -0.7}
        rows.append(row | PUBLISHED.get(roi, {}) | {"t": g / 0.26, "vif": 1.1})
    return pd.DataFrame(rows).assign(n_human=np.nan, effect_human=np.nan)


def make_sensitivity(effects: pd.DataFrame) -> pd.DataFrame:
    """Variants of the primary family: without head size (refused for the amygdala), outliers, and either site."""
    rows = []
    for place in effects[effects["family"] == "primary"].to_dict("records"):
        base = {key: place[key] for key in ("family", "roi", "hemisphere")} | {"effect_size": "g", "status": "fitted"}
        cases = [("loso", "south", 0.2), ("loso", "north", -0.1), ("no_head_size", "", 0.05), ("main", "", 0.0)]
        cases += [("no_outliers", "", 0.1)] if place["roi"] == "hippocampus" else []
        for variant, left_out, shift in cases:
            g = place["g"] + shift
            row = base | {"variant": variant, "left_out": left_out or np.nan, "reason": np.nan, "p": 0.5, "n": 59}
            row |= {"estimate": g, "ci_low": g - 0.5, "ci_high": g + 0.5}
            if (variant, place["roi"]) == ("no_head_size", "amygdala"):
                row |= dict.fromkeys(("estimate", "ci_low", "ci_high", "p"), np.nan) | {"status": "refused"}
            rows.append(row)
    return pd.DataFrame(rows)


VARIANTS = {
    "main": "the analysis as configured",
    "no_head_size": "without head size",
    "no_outliers": "without people beyond 3 studentised residuals",
    "unmedicated": "without people who take an antidepressant",
    "loso": "without one site, each in turn",
}
MEANINGS = {
    "consistent": "in the direction of the claim",
    "contrary": "in the other direction",
    "inconclusive": "this sample cannot tell",
    "equivalent to none": "no effect worth the name",
    "not estimable": "no deciding region could be estimated",
}


def make_claims() -> pd.DataFrame:
    """One claim of every kind and verdict, as the engine writes them."""
    verdicts = [("tested", verdict) for verdict in MEANINGS]
    kinds = [*verdicts, ("described", ""), ("not_testable", ""), ("out_of_reach", "")]
    rows = []
    for number, (status, verdict) in enumerate(kinds, start=1):
        sentence = (
            f"{verdict.capitalize()}: {MEANINGS[verdict]}. hippocampus g 0.10 [-0.20, 0.40]." if verdict else "Why."
        )
        row: dict[str, object] = {"claim_id": f"C{number:02d}", "claim": f"Claim {number}.", "sentence": sentence}
        row |= {"review": "Part", "confirmatory": number == 1, "status": status, "verdict": verdict or np.nan}
        row |= {"needs": "relapse, visit_2" if status == "not_testable" else np.nan, "n_tests": 2, "n_refused": 0}
        rows.append(row | {"evidence": "d = -0.144.", "source": "Schmaal 2016"})
    return pd.DataFrame(rows)


def make_claim_tests() -> pd.DataFrame:
    """List the tests of two claims: two deciding regions, one refused, a prediction, and a row that does not decide."""
    base = {
        "family": "primary",
        "hemisphere": "mean",
        "status": "fitted",
        "reason": np.nan,
        "kind": "linear",
        "n": 59.0,
    }
    base |= {"contrast": "patient - control", "effect_size": "g", "direction": "negative", "expected": -0.14}
    base |= {"estimate": -0.3, "simultaneous_ci_low": -0.9, "simultaneous_ci_high": 0.3, "p_fdr": 0.2}
    base |= {"ci_low": -0.8, "ci_high": 0.2}
    base |= {"claim_id": "C01", "test": "patients_controls", "decides": True, "verdict": "inconclusive"}
    empty = dict.fromkeys(("estimate", "simultaneous_ci_low", "simultaneous_ci_high", "p_fdr", "n"), np.nan)
    prediction = {"claim_id": "C02", "test": "prediction", "kind": "prediction", "effect_size": "auc", "roi": np.nan}
    return pd.DataFrame(
        [
            base | {"roi": "hippocampus"},
            base | {"roi": "dlpfc", "status": "refused", "reason": TOO_FEW, "verdict": np.nan} | empty,
            base | {"roi": "amygdala", "decides": False, "verdict": np.nan, "simultaneous_ci_low": np.nan},
            base | prediction | {"hemisphere": np.nan, "direction": "either", "estimate": 0.61},
        ]
    )


def make_precision() -> pd.DataFrame:
    """Say what the primary family can find: group in two regions, one with a published volume, and the scale BDI."""
    base: dict[str, object] = {"family": "primary", "hemisphere": "mean", "family_size": 4, "power_wanted": 0.8}
    g = base | {"contrast": "patient - control", "effect_size": "g", "n_reference": 26, "n_comparison": 33, "n": 59}
    g |= {"detectable": 0.74, "detectable_family": 0.95, "half_width_at_zero": 0.52, "recovery_low": 0.63}
    g |= {"recovery_high": 0.73, "detectable_true_low": 1.01, "detectable_true_high": 1.17}
    known = {"expected": -0.144, "expected_source": "ENIGMA-MDD, volume", "power_at_expected": 0.084}
    known |= {"half_width_at_expected": 0.53, "people_needed": 758.0}
    other = known | {"expected": -0.3, "expected_source": "ENIGMA-MDD, thickness of L and R: not the same quantity"}
    r = base | {"contrast": "severity BDI", "effect_size": "partial_r", "n": 33, "detectable": 0.49}
    r |= {"detectable_family": 0.6, "half_width_at_zero": 0.36, "recovery_low": 0.27, "recovery_high": 0.43}
    r |= {"detectable_true_low": 1.15, "detectable_true_high": 1.82}
    rows = [g | known | {"roi": "hippocampus"}, g | other | {"roi": "dlpfc"}, r | {"roi": "hippocampus"}]
    return pd.DataFrame(rows)


def make_sample() -> pd.DataFrame:
    """Table 1 as `render_sample` lays it out."""
    rows = [("people", "", "26", "33", ""), ("age_years", "", "35.7 (11.7)", "40.5 (11.9)", "0.40")]
    rows.append(("sex", "F", "13 (50 %)", "13 (39 %)", "0.22"))
    return pd.DataFrame(rows, columns=["variable", "level", "control", "patient", "smd"])


def make_sites() -> pd.DataFrame:
    """Two sites; the second has no controls."""
    table = pd.DataFrame({"site": ["north", "south"], "n": [40, 19], "n_reference": [26, 0], "n_comparison": [14, 19]})
    table = table.assign(effective_n=[9.1, 0.0], share_women=[0.5, 0.4], age_mean_years=[38.0, 41.0])
    return table.assign(age_sd_years=[12.0, 11.0], flags=[np.nan, "patients only"])


def make_regions() -> pd.DataFrame:
    """Table of regions: hippocampus and dlpfc on both sides."""
    rows = [
        {"roi": roi, "hemisphere": side, "labels": labels, "parts": (), "description": f"Drawing of {roi}"}
        for roi, labels in {"hippocampus": ("hippocampus",), "dlpfc": ("rostralmiddlefrontal",)}.items()
        for side in "LR"
    ]
    return pd.DataFrame(rows)


def make_adjusted(effects: pd.DataFrame) -> pd.DataFrame:
    """Make the adjusted volumes behind `make_effects`."""
    rng = np.random.default_rng(4)
    parts = []
    for row in effects[effects["status"] == "fitted"].to_dict("records"):
        group = ["control"] * N_REFERENCE + ["patient"] * N_COMPARISON
        mean = np.where(np.array(group) == "control", 3800.0, row["adjusted_mean_comparison_mm3"])
        volume = mean + rng.normal(0, 300, len(group))
        parts.append(
            pd.DataFrame(
                {
                    "family": row["family"], "roi": row["roi"], "hemisphere": row["hemisphere"],
                    "participant_id": [f"sub-{i:02d}" for i in range(len(group))], "group": group,
                    "volume_mm3": volume + 50, "adjusted_volume_mm3": volume,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def make_residuals() -> pd.DataFrame:
    """Partial residuals of the scale BDI in 33 patients."""
    rng = np.random.default_rng(5)
    parts = []
    for family, roi, side in _places():
        severity = rng.normal(0, 8, N_COMPARISON)
        severity -= severity.mean()
        volume = -6 * severity + rng.normal(0, 250, N_COMPARISON)
        parts.append(
            pd.DataFrame(
                {
                    "family": family, "scale": "BDI", "roi": roi, "hemisphere": side,
                    "participant_id": [f"sub-{i:02d}" for i in range(N_COMPARISON)],
                    "severity_residual": severity, "volume_residual_mm3": volume - volume.mean(),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def make_associations(residuals: pd.DataFrame) -> pd.DataFrame:
    """Associations with BDI; the primary amygdala was refused."""
    rows = []
    for family, roi, side in _places():
        here = residuals[
            (residuals["family"] == family) & (residuals["roi"] == roi) & (residuals["hemisphere"] == side)
        ]
        row = {"family": family, "scale": "BDI", "roi": roi, "hemisphere": side, "head_size_note": HEAD_SIZE_NOTE}
        row |= {"head_size": "affine_tiv_whole_mm3", "family_size": 4}
        if family == "primary" and roi == "amygdala":
            rows.append(row | {"status": "refused", "reason": TOO_FEW, "formula": np.nan})
            continue
        fit = stats.linregress(here["severity_residual"], here["volume_residual_mm3"])
        half = 2.04 * fit.stderr
        row |= {"status": "fitted", "reason": np.nan, "formula": SEVERITY_FORMULA, "n": N_COMPARISON, "n_sites": 1}
        row |= {"slope_mm3_per_point": fit.slope, "slope_ci_low_mm3": fit.slope - half}
        row |= {"slope_ci_high_mm3": fit.slope + half, "t": fit.slope / fit.stderr, "df": 29, "p": fit.pvalue}
        row |= {"p_permutation": fit.pvalue, "p_familywise": min(1.0, 4 * fit.pvalue)}
        row |= {"p_fdr": min(1.0, 2 * fit.pvalue), "partial_r": fit.rvalue}
        row |= {"spearman_r": 0.1, "spearman_r_ci_low": -0.2, "spearman_r_ci_high": 0.4}
        r_low, r_high = np.tanh(np.arctanh(fit.rvalue) + np.array([-1, 1]) * 1.96 / np.sqrt(28))
        rows.append(row | {"partial_r_ci_low": r_low, "partial_r_ci_high": r_high})
    return pd.DataFrame(rows)


def make_scans() -> pd.DataFrame:
    """62 scans of 61 participants; one participant has two, one has none."""
    rows = [
        {"scan": f"sub-{i:02d}", "participant_id": f"sub-{i:02d}", "session_id": "", "chosen": True, "reason": "",
         "path": f"sub-{i:02d}/anat/T1w.nii.gz"}
        for i in range(61)
    ]  # fmt: skip
    rows.append(
        dict(rows[0]) | {"path": "sub-00/anat/run-2_T1w.nii.gz", "chosen": False, "reason": "run-1 comes first"}
    )
    rows.append(dict(rows[0]) | {"scan": "sub-99", "participant_id": "sub-99", "path": "", "chosen": False})
    return pd.DataFrame(rows)


def make_cohort() -> pd.DataFrame:
    """60 measured scans, three of them brain-extracted."""
    names = [f"sub-{i:02d}" for i in range(60)]
    return pd.DataFrame({"participant_id": names, "scan": names, "input_kind": ["extracted"] * 3 + ["whole_head"] * 57})


def make_flow() -> pd.DataFrame:
    """Count `make_scans` and `make_cohort`, as the cohort stage writes them."""
    steps = [("found", np.nan, 61, 62), ("chosen", np.nan, 61, 61), ("measured", np.nan, 60, 60)]
    steps += [
        ("kept", np.nan, 60, 60),
        ("with_participants_row", np.nan, 60, 60),
        ("group", "control", 26, 26),
        ("group", "patient", 34, 34),
    ]
    return pd.DataFrame(steps, columns=["step", "group", "n_participants", "n_scans"])


def make_exclusions() -> pd.DataFrame:
    """List a failed scan and a person without age; the reason of the first tries to be markup."""
    rows = [
        ("sub-60", "", "sub-60", "measure", "segment failed: <script>alert('x')</script> & nothing else"),
        ("sub-59", "", "sub-59", "models", "not in 13 of 13 group models: no value for age_years"),
    ]
    return pd.DataFrame(rows, columns=["participant_id", "session_id", "scan", "stage", "reason"])


def make_metrics() -> pd.DataFrame:
    """Metrics of seven scans; sub-05 has no numbers, sub-04 failed by a limit, sub-02 has two flags."""
    names = [f"sub-{i:02d}" for i in range(6)] + ["sub-06_ses-2"]
    table = pd.DataFrame({"participant_id": [name[:6] for name in names], "session_id": [""] * 6 + ["ses-2"]})
    table["scan"] = names
    table["input_kind"] = ["extracted"] * 3 + ["whole_head"] * 2 + [np.nan, "whole_head"]
    table["verdict"] = ["passed", "passed", "flagged", "passed", "failed", "failed", "passed"]
    table["hard_failures"] = [np.nan] * 4 + ["registration_failed", "not_a_brain", np.nan]
    table["flags"] = [np.nan, np.nan, "low_contrast,mask_in_parts"] + [np.nan] * 4
    table["reason"] = [
        np.nan, np.nan,
        "low_contrast: contrast_to_noise 0.7, robust z -5.1 (limit 3.5); mask_in_parts: mask_parts 4 (limit 3.5)",
        np.nan, "registration_failed: registration_correlation 0.41 is below 0.5",
        "not_a_brain: preprocess failed: <b>no brain</b> (log: logs/preprocess_t1w/sub-05/sub-05.log)", np.nan,
    ]  # fmt: skip
    table["quality_index"] = [-0.5, 0.1, 4.2, 0.0, 2.5, np.nan, -1.0]
    table["distance"] = [0.1, 0.2, 3.0, 0.1, 5.0, np.nan, 0.0]
    table["brain_mask_volume_ml"] = [1432.1, 1433.1, 1434.1, 1435.1, 1436.1, np.nan, 1437.1]
    table["contrast_to_noise"] = [2.1, 2.2, 0.7, 2.15, 2.0, np.nan, 2.3]
    table["mask_parts"] = [1, 1, 4, 1, 1, np.nan, 1]
    table["registration_correlation"] = [0.91, 0.92, 0.9, 0.89, 0.41, np.nan, 0.93]
    return table


def make_decisions() -> pd.DataFrame:
    """Decide on the scans of `make_metrics`: people keep sub-04, leave out sub-02, and disagree on sub-03."""
    table = make_metrics()[["participant_id", "session_id", "scan"]].copy()
    table["human_decision"] = [np.nan, np.nan, "exclude", "unsure", "keep", np.nan, np.nan]
    table["raters"] = [np.nan, np.nan, "AB: exclude", "AB: keep, CD: exclude", "AB: keep", np.nan, np.nan]
    table["human_reason"] = [np.nan, np.nan, "moved", np.nan, np.nan, np.nan, np.nan]
    table["decision"] = ["keep", "keep", "exclude", "keep", "keep", "exclude", "keep"]
    table["basis"] = ["automatic", "automatic", "human", "automatic", "human", "automatic", "automatic"]
    return table


def make_deviations() -> pd.DataFrame:
    """Volumes of two regions against the cohort; the left hippocampus of sub-02 is far too small."""
    rows = []
    for scan in make_metrics()["scan"].drop(index=5):
        for roi, side, mean in (("hippocampus", "L", 3500.0), ("hippocampus", "R", 3600.0), ("dlpfc", "mean", 9000.0)):
            far = scan == "sub-02" and side == "L"
            volume = 2100.0 if far else mean + 10 * int(scan[5])
            row = {"scan": scan, "roi": roi, "hemisphere": side, "volume_mm3": volume, "expected_mm3": mean}
            rows.append(row | {"z": -6.5 if far else 0.1 * int(scan[5]), "adjusted_for": "head size, sex, age"})
    return pd.DataFrame(rows)


def make_comparison() -> pd.DataFrame:
    """Quality of the groups: the index differs, ghosts could not be compared."""
    base = {"status": "fitted", "reason": np.nan, "n_reference": 26, "n_comparison": 33, "mean_reference": -0.2}
    base |= {"sd_reference": 1.0, "mean_comparison": 0.3, "sd_comparison": 1.1, "g": 0.45, "g_ci_low": -0.07}
    base |= {"g_ci_high": 0.97}
    missing = dict.fromkeys(("g", "g_ci_low", "g_ci_high", "mean_reference"), np.nan)
    refused = base | missing | {"metric": "ghost_percent", "status": "refused", "reason": "too few people"}
    return pd.DataFrame([base | {"metric": "quality_index"}, base | {"metric": "contrast_to_noise"}, refused])


def make_agreement() -> pd.DataFrame:
    """Agreement of two raters."""
    row = {"rater_1": "AB", "rater_2": "CD", "n_scans": 22, "agreement": 0.91, "kappa": 0.62}
    return pd.DataFrame([row | {"kappa_ci_low": 0.2, "kappa_ci_high": 1.0, "reason": np.nan}])


def make_run_cost() -> pd.DataFrame:
    """Cost of two steps."""
    rows = [("register_to_template", 7, 81.0, 90.5, 560.0, 1200.0), ("preprocess_t1w", 7, 7.0, 9.0, 45.0, 640.0)]
    return pd.DataFrame(rows, columns=["step", "n", "mean_s", "max_s", "cpu_s", "max_mb"])


def make_columns() -> pd.DataFrame:
    """Say what two columns of the participants table were read as."""
    rows = [("dx", "group", "category", 7, 0, "control (3: HC)"), ("iq", "", "not used", 6, 1, "")]
    return pd.DataFrame(rows, columns=["column", "used_as", "kind", "n_values", "n_missing", "content"])


def make_report_tables(effects: pd.DataFrame, associations: pd.DataFrame) -> ReportTables:
    """All tables of a report."""
    return ReportTables(
        flow=make_flow(), scans=make_scans(), columns=make_columns(), exclusions=make_exclusions(),
        sample=make_sample(), sites=make_sites(),
        precision=make_precision(), claims=make_claims(), claim_tests=make_claim_tests(), effects=effects,
        sensitivity=make_sensitivity(effects), associations=associations, decisions=make_decisions(),
        agreement=make_agreement(), run_cost=make_run_cost(), metrics=make_metrics(), deviations=make_deviations(),
        comparison=make_comparison(), regions=make_regions(),
    )  # fmt: skip


def make_report_content(effects: pd.DataFrame, associations: pd.DataFrame) -> ReportContent:
    """Content of a report of seven scans, with two figures and pictures of all scans but sub-05."""
    scans = [scan for scan in make_metrics()["scan"] if scan != "sub-05"]
    words = ReportWords(
        verdicts=MEANINGS, variants=VARIANTS, sets=SETS, precision=("One region in words.", ""),
        methods="First paragraph.\n\nSecond paragraph.", config="report:\n  title: A study\n",
        notes=("A note of the caller.",),
    )  # fmt: skip
    tables = {
        f"tables/{name}.tsv": f"roi\tn_reference\na\t9\n{name}\t26\n"
        for name in ("group_comparison", "precision", "claims", "claim_tests")
    }
    tables["tables/metrics.tsv"] = "scan\tverdict\n" + "".join(f"{scan}\tpassed\n" for scan in scans)
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><rect width="400" height="200"/></svg>'
    names = ("effects_forest", "distributions_primary", "region_hippocampus")
    pictures = {
        f"{folder}/{scan}.webp": Path(f"{scan}.webp") for folder in ("pictures", "thumbnails") for scan in scans
    }
    return ReportContent(
        tables=make_report_tables(effects, associations),
        words=words,
        options=ReportOptions(title="A study"),
        settings=load_config()["models"],  # type: ignore[arg-type]
        figures={name: Picture(name_figure(name), f"figures/{name}.svg", f"Caption of {name}.") for name in names},
        provenance={"morpho": "0.1.0"},
        failures={"sub-05": ScanFailure("preprocess", "no brain", "logs/preprocess_t1w/sub-05.log", "last line")},
        texts=tables
        | {f"figures/{name}.svg": drawing for name in names}
        | {"viewer/sub-04.js": "window.morphoScan = {};\n", "viewer/labels.js": "window.morphoLabels = {};\n"},
        files=pictures,
    )


SOFTWARE = (
    "python", "morpho", "antspyx", "onnxruntime", "nibabel", "nilearn", "numpy", "scipy", "pandas", "statsmodels",
    "matplotlib", "snakemake",
)  # fmt: skip
VERSIONS = dict.fromkeys(SOFTWARE, "1.2.3")


def load_config() -> dict[str, object]:
    """Load the configuration that the project ships."""
    path = Path(__file__).parents[3] / "config" / "config.yaml"
    config: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return config


def load_templates() -> dict[str, str]:
    """Load the sources of all pages of the report."""
    folder = Path(__file__).parents[3] / "workflow" / "report"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def load_template(name: str) -> str:
    """Load the source of a template of the report."""
    return (Path(__file__).parents[3] / "workflow" / "report" / name).read_text(encoding="utf-8")


# A head on an anisotropic, oblique grid: hippocampus only on the left, prefrontal cortex only on the right.
SHAPE = (44, 52, 36)
LABELS = {"hippocampus": 1, "prefrontal_cortex": 2}


def make_head(*, flipped: bool = False) -> dict[str, Nifti1Image]:
    """Images of one scan: t1w, grey_matter, white_matter, brain_mask, regions; `flipped` stores x the other way."""
    affine = np.diag([3.0, 3.0, 4.5, 1.0]) @ nib.affines.from_matvec(np.eye(3), [-22.0, -26.0, -18.0])
    affine = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0, 0.05)) @ affine
    x, y, z = np.indices(SHAPE) - np.array([22, 26, 18]).reshape(3, 1, 1, 1)
    radius = np.sqrt((x / 18) ** 2 + (y / 22) ** 2 + (z / 14) ** 2)
    mask = radius < 1
    white = (radius < 0.6).astype(np.float32)
    regions = np.zeros(SHAPE, dtype=np.int16)
    regions[(abs(x + 9) <= 3) & (abs(y + 2) <= 3) & (abs(z) <= 2)] = LABELS["hippocampus"]
    regions[(abs(x - 10) <= 4) & (abs(y - 10) <= 4) & (abs(z - 4) <= 3)] = LABELS["prefrontal_cortex"]
    arrays = {
        "t1w": (100 * mask + 60 * white + x).astype(np.float32).clip(0), "white_matter": white,
        "grey_matter": (mask - white).astype(np.float32), "brain_mask": mask.astype(np.uint8), "regions": regions,
    }  # fmt: skip
    images = {name: nib.Nifti1Image(data, affine) for name, data in arrays.items()}
    if flipped:
        to_las = nib.orientations.axcodes2ornt("LAS")
        start = nib.orientations.io_orientation(affine)
        transform = nib.orientations.ornt_transform(start, to_las)
        images = {name: image.as_reoriented(transform) for name, image in images.items()}
    return images


def make_roi_labels() -> pd.DataFrame:
    """Region labels of `make_head`, as `morpho.rois.resolve_rois` gives them."""
    return pd.DataFrame(
        {"roi": list(LABELS), "hemisphere": ["L", "R"], "label_indices": [[index] for index in LABELS.values()]}
    )


@pytest.fixture(scope="session")
def study() -> ModuleType:
    """Give the tests this module."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def style() -> FigureStyle:
    """Style that the project ships."""
    return load_style()


@pytest.fixture
def effects() -> pd.DataFrame:
    """Group comparison."""
    return make_effects()


@pytest.fixture(scope="session")
def residuals() -> pd.DataFrame:
    """Partial residuals."""
    return make_residuals()


@pytest.fixture(scope="session")
def associations(residuals: pd.DataFrame) -> pd.DataFrame:
    """Severity associations."""
    return make_associations(residuals)


@pytest.fixture
def content(effects: pd.DataFrame, associations: pd.DataFrame) -> ReportContent:
    """Content of a report."""
    return make_report_content(effects, associations)
