"""The table of published effects, put right where its source is wrong, and effects put beside it."""

import importlib.util
import json
import math
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from morpho.errors import ConfigError, MorphoError
from morpho.infer.sharing.references import (
    COMPARISON_COLUMNS,
    PARTS,
    average_dependent,
    compare_with_published,
    find_published,
)
from morpho.reference_data import load_other_effects, load_recovery, load_references
from morpho.rois import read_rois

REPOSITORY = Path(__file__).parents[3]
FOLDER = REPOSITORY / "src/morpho/reference"
KEYS = ["contrast", "age_band", "roi", "hemisphere", "measure"]


@pytest.fixture(scope="module")
def references() -> pd.DataFrame:
    return load_references()


@pytest.fixture(scope="module")
def other_effects() -> pd.DataFrame:
    return load_other_effects()


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    """Read the consortium's rows, as its files have them."""
    data = os.environ.get("MORPHO_TEST_DATA", REPOSITORY / ".." / "shared" / "data")
    path = Path(data).parent / "reference" / "enigma_mdd_effects.csv"
    if not path.exists():
        pytest.skip("no enigma_mdd_effects.csv in the folder 'reference' beside the test data (MORPHO_TEST_DATA)")
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("builder", REPOSITORY / "training/build_reference_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one(references: pd.DataFrame, *place: str) -> pd.Series:
    """Take the row of a contrast, age band, region, hemisphere and measure."""
    found = references[(references[KEYS] == list(place)).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def effects(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Effects with g and its standard error, as 95 % limits."""
    reach = 1.959963984540054
    cells = [(roi, side, g, g - reach * se, g + reach * se) for roi, side, g, se in rows]
    return pd.DataFrame(cells, columns=["roi", "hemisphere", "g", "g_ci_low", "g_ci_high"])


def compare(table: pd.DataFrame, references: pd.DataFrame, **choice: str) -> pd.DataFrame:
    settings = {"contrast": "patient_control", "age_band": "adult"} | choice
    return compare_with_published(table, references, **settings)  # type: ignore[arg-type]


# --- the shipped tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["enigma_mdd", "other_effects", "recovery"])
def test_every_column_of_a_shipped_table_is_described(name: str) -> None:
    header = (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[0].split("\t")
    described = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert list(described) == header
    assert all(len(entry["Description"]) > 3 for entry in described.values())


def test_a_table_that_is_missing_from_the_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    with pytest.raises(MorphoError, match=r"enigma_mdd\.tsv is missing from the package\. Install morpho again"):
        load_references()


def test_the_shipped_table_is_small_and_its_licence_is_beside_it() -> None:
    assert (FOLDER / "enigma_mdd.tsv").stat().st_size < 60_000
    licence = (FOLDER / "LICENSE-enigma-toolbox.txt").read_text(encoding="utf-8")
    assert "BSD 3-Clause License" in licence
    assert "ENIGMA Toolbox" in licence


def test_cells_are_levels_that_the_dictionary_explains(references: pd.DataFrame) -> None:
    described = json.loads((FOLDER / "enigma_mdd.json").read_text(encoding="utf-8"))
    for column in ("contrast", "age_band", "hemisphere", "measure", "source"):
        assert set(references[column]) == set(described[column]["Levels"]), column
    notes = {note for cell in references["note"] for note in cell.split(",") if note}
    assert notes == set(described["note"]["Levels"])


def test_no_place_has_two_published_effects(references: pd.DataFrame) -> None:
    assert not references.duplicated(KEYS).any()
    assert len(references) == 14 + 22 * 16  # 2 nuclei x 7 contrasts; 22 cortical files x 8 parcels x 2 sides


@pytest.mark.parametrize(
    ("place", "d", "ci", "n"),
    [  # Schmaal 2016 and 2017, as in the consortium's tables
        (("patient_control", "all", "hippocampus", "mean", "volume"), -0.144, (-0.225, -0.064), (7040, 1700)),
        (("recurrent_control", "all", "hippocampus", "mean", "volume"), -0.174, (-0.252, -0.096), (6978, 1102)),
        (("first_control", "all", "hippocampus", "mean", "volume"), -0.073, (-0.219, 0.073), (6904, 572)),
        (("recurrent_first", "all", "amygdala", "mean", "volume"), -0.035, (-0.145, 0.075), (570, 999)),
        (("late_early", "all", "hippocampus", "mean", "volume"), 0.143, (0.013, 0.272), (533, 978)),
        (("patient_control", "adult", "vmpfc", "L", "thickness"), -0.134, (-0.208, -0.059), (7609, 1888)),
        (("early_control", "adult", "frontal_pole", "R", "thickness"), -0.111, (-0.276, 0.054), (2885, 472)),
    ],
)
def test_published_numbers(
    references: pd.DataFrame, place: tuple[str, ...], d: float, ci: tuple[float, float], n: tuple[int, int]
) -> None:
    row = one(references, *place)
    assert row["d"] == d
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(ci, abs=0.0011)
    assert (row["n_reference"], row["n_comparison"]) == n


def test_intervals_are_1_96_standard_errors_to_either_side(references: pd.DataFrame) -> None:
    assert references["ci_low"].to_numpy() == pytest.approx(
        (references["d"] - 1.96 * references["se"]).to_numpy(), abs=0.0015
    )
    assert references["ci_high"].to_numpy() == pytest.approx(
        (references["d"] + 1.96 * references["se"]).to_numpy(), abs=0.0015
    )


def test_p_follows_from_d_and_its_standard_error(references: pd.DataFrame) -> None:
    p = 2 * stats.norm.sf(references["d"].abs() / references["se"])
    assert references["p"].to_numpy() == pytest.approx(p, abs=0.011)


def test_corrected_p_is_never_below_p(references: pd.DataFrame) -> None:
    given = references.dropna(subset=["p_fdr"])
    assert len(given) == 22 * 16
    assert (given["p_fdr"] >= given["p"] - 5e-4).all()


# --- the defects of the source --------------------------------------------------------------------------------------


def test_nuclei_are_one_row_of_both_sides(references: pd.DataFrame) -> None:
    nuclei = references[references["roi"].isin(["hippocampus", "amygdala"])]
    assert set(nuclei["hemisphere"]) == {"mean"}
    assert nuclei["note"].str.contains("both_sides").all()
    assert set(references.loc[references["measure"] != "volume", "hemisphere"]) == {"L", "R"}


def test_rows_of_recurrent_patients_are_not_called_first_episode(references: pd.DataFrame) -> None:
    row = one(references, "recurrent_control", "all", "hippocampus", "mean", "volume")
    assert "relabelled" in row["note"]
    assert row["n_comparison"] == 1102  # 572 in the rows of the first episode
    assert row["d"] == -0.174  # "-0.17" in the abstract


@pytest.mark.parametrize(
    ("within", "plus", "minus", "age_band", "least"),
    [
        ("recurrent_first", "recurrent_control", "first_control", "adult", 0.7),
        ("recurrent_first", "recurrent_control", "first_control", "adolescent", 0.7),
        ("late_early", "late_control", "early_control", "adult", 0.7),
    ],
)
def test_differences_within_patients_have_the_sign_of_the_differences_from_controls(
    references: pd.DataFrame, within: str, plus: str, minus: str, age_band: str, least: float
) -> None:
    thickness = references[(references["age_band"] == age_band) & (references["measure"] == "thickness")]
    d = thickness.pivot_table(index=["roi", "hemisphere"], columns="contrast", values="d")
    assert np.corrcoef(d[within], d[plus] - d[minus])[0, 1] > least
    assert thickness.loc[thickness["contrast"] == within, "note"].str.contains("reversed").all()


def test_thickness_is_marked_as_not_adjusted_for_intracranial_volume(references: pd.DataFrame) -> None:
    marked = references["note"].str.contains("no_icv")
    assert (marked == (references["measure"] == "thickness")).all()


def test_source_has_the_defects_that_the_builder_mends(source: pd.DataFrame) -> None:
    nuclei = source[source["measure"] == "SuborticalVolume"]
    sides = nuclei.pivot_table(index=["file", "region"], columns="side", values="d")
    assert (sides["L"] == sides["R"]).all()
    labels = nuclei.loc[nuclei["file"] == "mddrecurrent_case-controls_SubVol", "contrast_label"]
    assert set(labels) == {"MDDfirstepisode_casevsCN"}


def test_builder_makes_the_shipped_table(source: pd.DataFrame, builder: ModuleType, references: pd.DataFrame) -> None:
    built = builder.build_table(source).reset_index(drop=True)
    pd.testing.assert_frame_equal(built, references, check_dtype=False)


def test_builder_refuses_nuclei_whose_sides_differ(source: pd.DataFrame, builder: ModuleType) -> None:
    broken = source.copy()
    broken.loc[broken.index[broken["region"] == "amygdala"][0], "d"] = 0.5
    with pytest.raises(ValueError, match="Left and right rows of a nucleus differ"):
        builder.build_table(broken)


def test_builder_refuses_a_file_that_it_does_not_know(builder: ModuleType) -> None:
    with pytest.raises(ValueError, match="no name of a file"):
        builder.read_contrast("bd_case-controls_SubVol")


def test_builder_refuses_groups_that_are_not_those_of_the_contrast(source: pd.DataFrame, builder: ModuleType) -> None:
    row = source.iloc[0].to_dict() | {"n_a_name": "n_early"}
    with pytest.raises(ValueError, match="not \\('n_controls', 'n_patients'\\)"):
        builder.build_row(row)


# --- other effects and recovery -------------------------------------------------------------------------------------


def test_other_effects_lie_inside_their_intervals(other_effects: pd.DataFrame) -> None:
    given = other_effects.dropna(subset=["estimate", "ci_low"])
    assert len(given) >= 10
    assert ((given["ci_low"] < given["estimate"]) & (given["estimate"] < given["ci_high"])).all()


def test_other_effects_have_numbers_where_they_say_so(other_effects: pd.DataFrame) -> None:
    has_number = other_effects["estimate"].notna()
    assert (has_number == other_effects["bound"].isin(["value", "upper"])).all()
    assert other_effects.loc[other_effects["bound"] == "range", "ci_low"].notna().all()
    assert other_effects["source"].notna().all()


def test_paired_effects_of_gemric_are_mean_change_over_its_standard_deviation(other_effects: pd.DataFrame) -> None:
    treated = other_effects[other_effects["study"].str.contains("GEMRIC")]
    changes = treated[treated["effect_size"] == "percent_change"]
    sd = changes["note"].str.extract(r"deviation (\d\.\d)")[0].astype(float)
    d_z = treated.loc[treated["effect_size"] == "d_z", "estimate"]
    assert (changes["estimate"] / sd).round(1).tolist() == d_z.tolist()  # 3.3/2.2, 3.0/1.7, 1.6/2.1, 2.7/2.0


@pytest.mark.parametrize("load", [load_references, load_other_effects, load_recovery])
def test_regions_are_those_of_the_region_table(load: object) -> None:
    known = set(read_rois(REPOSITORY / "config/rois.tsv")["roi"]) | {""}
    assert callable(load)
    assert set(load()["roi"]) <= known


def test_recovery_is_that_of_the_benchmarks() -> None:
    table = load_recovery()
    shares = table.groupby("roi")["recovery"].agg(["min", "max"])
    assert shares.loc["hippocampus"].tolist() == [0.71, 0.73]
    assert shares.loc["amygdala"].tolist() == [0.63, 0.64]
    assert shares.loc["anterior_cingulate"].tolist() == [0.27, 0.43]
    assert shares.loc["dlpfc"].tolist() == shares.loc["prefrontal_cortex"].tolist() == [0.83, 0.84]
    text = (REPOSITORY / "benchmarks/README.md").read_text(encoding="utf-8")
    assert "| 5 % | .71 | .64 | .27 | .84 |" in text
    assert "| 10 % | .73 | .63 | .43 | .83 |" in text


def test_parts_are_those_of_the_region_table() -> None:
    rois = read_rois(REPOSITORY / "config/rois.tsv").set_index(["roi", "hemisphere"])
    labels = {roi: set(rois.loc[(roi, "L"), "labels"]) for roi in rois.index.unique("roi")}
    whole = {roi: labels[roi].union(*(labels[part] for part in rois.loc[(roi, "L"), "parts"])) for roi in PARTS}
    assert whole == {roi: set().union(*(labels[part] for part in parts)) for roi, parts in PARTS.items()}


# --- comparison -----------------------------------------------------------------------------------------------------


def test_volume_is_compared_with_volume(references: pd.DataFrame) -> None:
    row = compare(effects(("hippocampus", "mean", -0.444, 0.4)), references).iloc[0]
    assert row["enigma_ref_d"] == -0.144
    assert row["enigma_measure"] == "volume"
    assert row["z_vs_ref"] == pytest.approx(-0.3 / math.sqrt(0.4**2 + 0.041**2))
    assert row["p_vs_ref"] == pytest.approx(2 * stats.norm.sf(0.3 / math.sqrt(0.4**2 + 0.041**2)))
    assert not row["inside_ref_ci"]


def test_a_side_of_a_nucleus_is_said_to_be_compared_with_both(references: pd.DataFrame) -> None:
    row = compare(effects(("amygdala", "L", -0.1, 0.3)), references).iloc[0]
    assert row["enigma_ref_d"] == -0.06
    assert row["enigma_measure"] == "volume, published for the mean of both sides only"
    assert row["inside_ref_ci"]


def test_cortical_volume_is_compared_with_thickness_and_says_so(references: pd.DataFrame) -> None:
    row = compare(effects(("vmpfc", "R", 0.0, 0.3)), references).iloc[0]
    assert (row["enigma_ref_d"], row["enigma_ref_se"]) == (-0.131, 0.047)
    assert row["enigma_measure"] == "thickness of R: not the same quantity"


def test_both_sides_of_the_cortex_are_the_mean_of_two(references: pd.DataFrame) -> None:
    row = compare(effects(("vmpfc", "mean", 0.0, 0.3)), references).iloc[0]
    se = math.sqrt(0.038**2 + 0.047**2 + 2 * 0.8 * 0.038 * 0.047) / 2  # by hand: -0.134 (0.038) and -0.131 (0.047)
    assert row["enigma_ref_d"] == pytest.approx(-0.1325)
    assert row["enigma_ref_se"] == pytest.approx(se)
    assert row["enigma_ref_ci_low"] == pytest.approx(-0.1325 - 1.96 * se)
    assert row["enigma_measure"] == "thickness of L and R, mean of 2 published values: not the same quantity"


def test_a_region_of_two_parcels_is_their_mean(references: pd.DataFrame) -> None:
    published = find_published(
        references[(references["contrast"] == "patient_control") & (references["age_band"] == "adult")], "dlpfc", "L"
    )
    assert published is not None
    assert published.d == pytest.approx((-0.037 - 0.014) / 2)
    assert "mean of 2 published values" in published.measure


def test_surface_area_can_be_chosen(references: pd.DataFrame) -> None:
    row = compare(
        effects(("vmpfc", "L", 0.0, 0.3)), references, age_band="adolescent", cortical_measure="surface_area"
    ).iloc[0]
    assert row["enigma_ref_d"] == -0.329
    assert row["enigma_measure"].startswith("surface area of L")


@pytest.mark.parametrize("roi", ["subgenual_cingulate", "prefrontal_cortex", "inferior_frontal", "total_grey_matter"])
def test_a_region_that_was_not_published_stays_empty(references: pd.DataFrame, roi: str) -> None:
    row = compare(effects((roi, "mean", 0.2, 0.3)), references).iloc[0]
    assert math.isnan(row["enigma_ref_d"])
    assert row["enigma_measure"] == ""
    assert row["inside_ref_ci"] is pd.NA


def test_a_refused_effect_still_has_its_reference(references: pd.DataFrame) -> None:
    row = compare(effects(("hippocampus", "mean", math.nan, 0.3)), references).iloc[0]
    assert row["enigma_ref_d"] == -0.144
    assert math.isnan(row["z_vs_ref"])
    assert row["inside_ref_ci"] is pd.NA


def test_claim_rows_of_g_are_compared_and_others_are_not(references: pd.DataFrame) -> None:
    rows = pd.DataFrame(
        {"roi": "hippocampus", "hemisphere": "mean", "effect_size": ["g", "partial_r"], "estimate": -0.5, "se": 0.25}
    )
    compared = compare(rows, references)
    assert compared["z_vs_ref"].tolist() == pytest.approx([-0.356 / math.hypot(0.25, 0.041), math.nan], nan_ok=True)


def test_comparing_twice_and_in_any_order_changes_nothing(references: pd.DataFrame) -> None:
    table = effects(("hippocampus", "mean", -0.3, 0.2), ("vmpfc", "L", 0.1, 0.3), ("frontal_pole", "R", 0.2, 0.2))
    once = compare(table, references)
    pd.testing.assert_frame_equal(compare(once, references), once)
    pd.testing.assert_frame_equal(compare(table[::-1], references)[::-1], once)
    assert once.columns.tolist() == [*table.columns, *COMPARISON_COLUMNS]


def test_wrong_contrast_or_age_band_is_refused_with_what_there_is(references: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"contrast 'men_women'. Known are early_control, .*recurrent_first"):
        compare(effects(), references, contrast="men_women")
    with pytest.raises(ConfigError, match=r"age_band 'old'. Known are adolescent, adult, all"):
        compare(effects(), references, age_band="old")


def test_a_table_without_effects_is_refused(references: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="need the columns g, g_ci_low"):
        compare(pd.DataFrame({"roi": ["amygdala"], "hemisphere": ["L"]}), references)


def test_mean_of_perfectly_dependent_effects_keeps_its_error_and_of_independent_ones_halves_the_variance() -> None:
    d, se = np.array([0.1, 0.2]), np.array([0.06, 0.06])
    assert average_dependent(d, se, 1.0) == pytest.approx((0.15, 0.06))
    assert average_dependent(d, se, 0.0) == pytest.approx((0.15, 0.06 / math.sqrt(2)))


def test_difference_from_the_reference_has_the_nominal_error_rate(references: pd.DataFrame) -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(-0.144, 0.041, 400)  # as far off as the published error allows
    seen = effects(*[("hippocampus", "mean", float(g), 0.2) for g in rng.normal(truth, 0.2)])
    p = compare(seen, references)["p_vs_ref"]
    assert 0.02 < (p < 0.05).mean() < 0.08
