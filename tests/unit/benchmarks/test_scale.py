"""Stand-ins of a large cohort are what morpho reads, and what a step took is told in the right units."""

import json

import numpy as np
import pandas as pd
import pytest
import scale
from measuring import REPOSITORY
from scale import append_rows, name_step, read_meter
from stand_ins import METRIC_VALUES, simulate_cohort, write_bids, write_measured, write_tables

from morpho.bids import find_scans
from morpho.claims_file import read_claims
from morpho.config import drop_removed, read_yaml
from morpho.covariates import standardise_participants
from morpho.infer.claims.claims import expand_tests, list_needs
from morpho.infer.claims.parsing import parse_claims
from morpho.infer.measured import read_measured_with
from morpho.infer.quality.sets import prepare_sets
from morpho.participants import read_participants
from morpho.quality_metrics import METRICS
from morpho.rois import TOTALS, read_rois
from morpho.tables import read_table
from morpho.volume_tables import read_volume_table

ROIS = REPOSITORY / "config" / "rois.tsv"


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort(300, ROIS, np.random.default_rng(4))


@pytest.fixture(scope="module")
def config():
    given = drop_removed(read_yaml(REPOSITORY / "config" / "config.yaml"))
    return given | {"participants": given["participants"] | scale.SETTINGS["participants"]}


def test_a_tenth_comes_twice_with_nearly_the_same_volumes(cohort):
    people = cohort.people["participant_id"]
    assert (len(people), people.nunique()) == (330, 300)
    twice = people.duplicated(keep=False)
    hippocampus = cohort.volumes["hippocampus", "mean"]
    within = hippocampus[twice].groupby(people[twice]).std().mean()
    assert within < hippocampus.groupby(people).first().std() / 3


def test_what_is_planted_is_there_and_metrics_are_those_of_morpho(cohort):
    assert set(METRIC_VALUES) == set(METRICS) == set(cohort.metrics)
    first = ~cohort.people["participant_id"].duplicated()
    ratio = np.log(cohort.volumes["hippocampus", "mean"] / cohort.volumes["tiv", "whole"])[first]
    by_group = ratio.groupby(cohort.people["group"])
    error = np.sqrt((by_group.var() / by_group.count()).sum())
    assert by_group.mean()["patient"] - by_group.mean()["control"] == pytest.approx(-0.02, abs=3 * error)


def test_tables_are_read_as_a_study_and_all_claims_but_cognition_can_be_tested(cohort, config, tmp_path):
    files = write_tables(cohort, tmp_path)
    regions = list(dict.fromkeys(read_rois(ROIS)["roi"]))
    volumes, scans = read_volume_table(files["volumes"], regions=regions, totals=TOTALS)
    assert (len(scans), volumes["volume_mm3"].isna().sum()) == (330, 0)
    people = standardise_participants(read_participants(files["participants"]), **config["participants"])
    wide = volumes.assign(column=volumes["roi"] + "_" + volumes["hemisphere"] + "_mm3")
    wide = wide.pivot_table(index="scan", columns="column", values="volume_mm3")
    people["scan"] = people["participant_id"] + "_" + people["session_id"]
    table = people.merge(wide, left_on="scan", right_index=True).assign(input_kind="table")
    decisions = pd.DataFrame({"scan": table["scan"], "decision": "keep", "automatic_decision": "", "raters": ""})
    study = prepare_sets(table, decisions.assign(flagged=False), config["models"], config["participants"]).main
    file = parse_claims(read_claims(REPOSITORY / "config" / "claims.yaml"), config["models"]["families"])
    columns = study.people.assign(visit_2=1.0)
    lacking = {
        claim.claim_id
        for claim in file.claims
        for test in expand_tests(claim, study.domains)
        if list_needs(test, columns, file, study.domains)
    }
    assert lacking <= {"C05", "C24"}  # symptoms, and cognition: only tests that ask for each of a domain


def test_stand_ins_of_scans_are_where_morpho_looks(tmp_path):
    few = simulate_cohort(20, ROIS, np.random.default_rng(0))
    write_bids(few, tmp_path / "bids")
    write_measured(few, tmp_path / "morpho", tmp_path / "shared")
    scans = find_scans(tmp_path / "bids", output_dir=tmp_path / "morpho", filters={}, participants=[])
    assert scans.loc[scans["chosen"], "scan"].tolist() == sorted(few.scans)
    place = tmp_path / "morpho/sub-000003/ses-1/anat/sub-000003_ses-1_"
    table = read_table(f"{place}seg-desikankilliany_desc-volumes_morph.tsv").set_index(["roi", "hemisphere"])
    row = few.scans.index("sub-000003_ses-1")
    assert table.loc[("hippocampus", "L"), "volume_mm3"] == pytest.approx(
        few.volumes["hippocampus", "L"][row], abs=6e-4
    )
    metrics = read_table(f"{place}desc-quality_metrics.tsv").iloc[0]
    assert metrics["csf_share"] == pytest.approx(few.metrics["csf_share"][row], rel=1e-5)
    assert read_measured_with({"a": f"{place}desc-stages_provenance.json"})["MeasuredWith"] == {"Code": "stand-in"}


def test_costs_are_read_by_step_the_longest_first(tmp_path):
    (tmp_path / "meter").mkdir()
    for number, (step, cpu_s) in enumerate([("snakemake", 2.0), ("tmpa.test_claims.py", 5.0)]):
        row = {"step": step, "wall_s": 9.0, "cpu_s": cpu_s, "peak_kib": 1_000_000}
        (tmp_path / "meter" / f"{number}.json").write_text(json.dumps(row))
    rows = list(read_meter(tmp_path, "group", 10, 11))
    assert [(row.step, row.cpu_s, row.peak_mb) for row in rows] == [
        ("test_claims", 5.0, 1024.0),
        ("snakemake", 2.0, 1024.0),
    ]
    assert name_step("tmp1.plot_regions.py") == "plot_regions"
    for _ in range(2):
        append_rows(rows, tmp_path / "out.tsv")
    assert pd.read_csv(tmp_path / "out.tsv", sep="\t")["cpu_s"].tolist() == [5.0, 2.0] * 2
