"""Build the table of published ENIGMA-MDD effects that morpho compares its own with.

    python training/build_reference_table.py enigma_mdd_effects.csv --out src/morpho/reference

The argument gathers the rows of the summary statistics that the ENIGMA Toolbox ships, file by file: columns file,
measure, contrast_label, side, region, d, se, ci_lo, ci_hi, n_a, n_b, n_a_name, n_b_name, p, fdr_p. Those files have
defects, and this script is where they are put right: see `NOTES`. Regions without a counterpart of their own in
config/rois.tsv (the three parts of the inferior frontal gyrus) are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

from morpho.tables import describe_column, write_table

FILE_NAME = "enigma_mdd.tsv"

# Region of the Desikan-Killiany atlas (or FreeSurfer's subcortical name): the same region in config/rois.tsv.
ROIS = {
    "hippocampus": "hippocampus",
    "amygdala": "amygdala",
    "rostralanteriorcingulate": "rostral_anterior_cingulate",
    "caudalanteriorcingulate": "caudal_anterior_cingulate",
    "rostralmiddlefrontal": "rostral_middle_frontal",
    "caudalmiddlefrontal": "caudal_middle_frontal",
    "medialorbitofrontal": "vmpfc",
    "lateralorbitofrontal": "lateral_orbitofrontal",
    "superiorfrontal": "superior_frontal",
    "frontalpole": "frontal_pole",
}
MEASURES = {"SuborticalVolume": "volume", "CorticalThickness": "thickness", "SurfaceArea": "surface_area"}
# Groups that a file subtracts from (n_a) and that it subtracts (n_b), by contrast. The names of the files say
# "early-late" and "firstepisode-recurrent" where their numbers are the reverse.
ROLES = {
    "patient_control": ("n_controls", "n_patients"),
    "first_control": ("n_controls", "n_patients"),
    "recurrent_control": ("n_controls", "n_patients"),
    "early_control": ("n_controls", "n_patients"),
    "late_control": ("n_controls", "n_patients"),
    "recurrent_first": ("n_firstepisode", "n_recurrent"),
    "late_early": ("n_early", "n_late"),
}
WITHIN_PATIENTS = {
    "late-early": ("late_early", False),
    "early-late": ("late_early", True),
    "recurrent-firstepisode": ("recurrent_first", False),
    "firstepisode-recurrent": ("recurrent_first", True),
}
SUBGROUPS = {
    "": "patient_control",
    "firstepisode": "first_control",
    "recurrent": "recurrent_control",
    "early": "early_control",
    "late": "late_control",
}
FILE = re.compile(
    r"mdd(?P<who>adult|adolescent|early|late|firstepisode|recurrent)?_(?P<contrast>[a-z]+-[a-z]+)"
    r"_(?P<kind>SubVol|CortThick|CortSurf)(?:_(?P<subgroup>[a-z]+))?"
)
DOI = {"volume": "10.1038/mp.2015.69", "thickness": "10.1038/mp.2016.60", "surface_area": "10.1038/mp.2016.60"}
QUANTILE = 1.96
DECIMALS = 3  # of the source

NOTES = {
    "both_sides": "the source has this row twice, as left and as right; it is one result, of the mean of both sides",
    "relabelled": "the source labels these rows MDDfirstepisode; by the file's name, its numbers of people and the "
    "paper's abstract they are those of recurrent patients",
    "reversed": "the source's file name reads the other way round; by the effects of both groups against controls the "
    "numbers are recurrent minus first episode and late minus early",
    "no_icv": "the source's column is called d_icv, but intracranial volume was no covariate",
}
SOURCE = (
    "Summary statistics of the ENIGMA Toolbox (BSD-3-Clause, github.com/MICA-MNI/ENIGMA, commit d66a7ef, "
    "enigmatoolbox/datasets/summary_statistics/mdd*.csv)"
)
DICTIONARY = {
    "contrast": describe_column(
        f"Which groups were compared: the first named minus the second. {SOURCE}",
        levels={
            "patient_control": "all patients with major depression minus controls",
            "first_control": "first-episode patients minus controls",
            "recurrent_control": "recurrent patients minus controls",
            "recurrent_first": "recurrent minus first-episode patients",
            "early_control": "patients with onset at 21 years or before, minus controls",
            "late_control": "patients with onset after 21 years, minus controls",
            "late_early": "patients with onset after 21 years minus those with earlier onset",
        },
    ),
    "age_band": describe_column(
        "Age of the people", levels={"adult": "over 21 years", "adolescent": "up to 21 years", "all": "all ages"}
    ),
    "roi": describe_column("Region, as in morpho's region table"),
    "dk_region": describe_column("The same region as the source calls it: Desikan-Killiany, or FreeSurfer's nuclei"),
    "hemisphere": describe_column("Side", levels={"L": "left", "R": "right", "mean": "mean of left and right"}),
    "measure": describe_column(
        "What was measured",
        levels={
            "volume": "volume, adjusted for age, sex, intracranial volume and scanner",
            "thickness": "mean cortical thickness, adjusted for age, sex and site",
            "surface_area": "cortical surface area, adjusted for age, sex and site",
        },
    ),
    "d": describe_column("Cohen's d, pooled over sites by a random-effects meta-analysis", units="standard deviations"),
    "se": describe_column("Standard error of d", units="standard deviations"),
    "ci_low": describe_column(
        "Lower 95 % limit. As printed for volumes, adult thickness (patient_control) and adolescent surface area "
        "(patient_control); elsewhere the source is empty and this is d - 1.96 se",
        units="standard deviations",
    ),
    "ci_high": describe_column("Upper 95 % limit, as ci_low: d + 1.96 se", units="standard deviations"),
    "n_reference": describe_column("People in the group named second in the contrast", units="people"),
    "n_comparison": describe_column("People in the group named first in the contrast", units="people"),
    "p": describe_column("Two-sided p value as printed", units="1"),
    "p_fdr": describe_column("p corrected by the authors for all regions of their table, where they did", units="1"),
    "source": describe_column(
        "DOI of the paper",
        levels={
            "10.1038/mp.2015.69": "Schmaal L et al., Molecular Psychiatry 2016;21:806-812 (subcortical volumes)",
            "10.1038/mp.2016.60": "Schmaal L et al., Molecular Psychiatry 2017;22:900-909 (cortex)",
        },
    ),
    "note": describe_column("What was put right in the source's row, separated by commas", levels=NOTES),
}


def read_contrast(file: str) -> tuple[str, str, bool]:
    """Contrast and age band of one file of the source, and whether its name reads the wrong way round."""
    found = FILE.fullmatch(file)
    if found is None:
        message = f"'{file}' is no name of a file of the source that this script knows."
        raise ValueError(message)
    who, subgroup = found["who"] or "", found["subgroup"] or ""
    age_band = who if who in {"adult", "adolescent"} else "all"
    if found["contrast"] == "case-controls":
        return SUBGROUPS[subgroup or (who if age_band == "all" else "")], age_band, False
    contrast, is_reversed = WITHIN_PATIENTS[found["contrast"]]
    return contrast, age_band, is_reversed


def build_row(row: dict[str, object]) -> dict[str, object]:
    """One row of the table from one row of the source."""
    file, measure = str(row["file"]), MEASURES[str(row["measure"])]
    contrast, age_band, is_reversed = read_contrast(file)
    if (row["n_a_name"], row["n_b_name"]) != ROLES[contrast]:
        message = f"{file}: the groups are {row['n_a_name']} and {row['n_b_name']}, not {ROLES[contrast]}."
        raise ValueError(message)
    d, se = float(str(row["d"])), float(str(row["se"]))
    is_empty = pd.isna(row["ci_lo"])
    notes = {
        "both_sides": measure == "volume",
        "relabelled": contrast == "recurrent_control" and "firstepisode" in str(row["contrast_label"]),
        "reversed": is_reversed,
        "no_icv": measure == "thickness",
    }
    return {
        "contrast": contrast,
        "age_band": age_band,
        "roi": ROIS[str(row["region"])],
        "dk_region": row["region"],
        "hemisphere": "mean" if measure == "volume" else row["side"],
        "measure": measure,
        "d": d,
        "se": se,
        "ci_low": round(d - QUANTILE * se, DECIMALS) if is_empty else row["ci_lo"],
        "ci_high": round(d + QUANTILE * se, DECIMALS) if is_empty else row["ci_hi"],
        "n_reference": row["n_a"],
        "n_comparison": row["n_b"],
        "p": row["p"],
        "p_fdr": row["fdr_p"],
        "source": DOI[measure],
        "note": ",".join(name for name, applies in notes.items() if applies),
    }


def build_table(source: pd.DataFrame) -> pd.DataFrame:
    """All rows, sorted; the two identical rows of a nucleus become one, and rows that differ are refused."""
    known = source[source["region"].isin(ROIS)]
    table = pd.DataFrame([build_row(row) for row in known.to_dict("records")]).drop_duplicates()
    keys = ["measure", "age_band", "contrast", "roi", "hemisphere"]
    twice = table[table.duplicated(keys, keep=False)]
    if len(twice):
        message = f"Left and right rows of a nucleus differ, which were one result: {twice[keys].to_dict('records')}."
        raise ValueError(message)
    return table.sort_values(keys, ascending=[False, *[True] * 4]).reset_index(drop=True)


def main() -> None:
    """Read the command line, build the table and write it with its dictionary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("effects", type=Path, help="enigma_mdd_effects.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table and its dictionary")
    arguments = parser.parse_args()
    table = build_table(pd.read_csv(arguments.effects))
    write_table(table, arguments.out / FILE_NAME, DICTIONARY)
    sys.stdout.write(f"{len(table)} rows in {arguments.out / FILE_NAME}\n")


if __name__ == "__main__":
    main()
