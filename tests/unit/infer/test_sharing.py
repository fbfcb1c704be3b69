"""Tables to share: ENIGMA's columns, nothing about few people or single ones, and pooling without scans."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morpho.errors import ConfigError
from morpho.infer.sharing.dictionaries import COMBINED, COMBINED_TEXT, EXPORT, NUMBERS
from morpho.infer.sharing.sharing import build_enigma_export, check_export, combine_exports
from morpho.stats.effects import adjust_p, standardise_as_enigma
from morpho.tables import read_table, write_table

RAUDENBUSH_1985 = {  # Raudenbush SW, Bryk AS, J Educ Stat 1985;10:75-98: effects and variances of 19 studies
    "y": [.03, .12, -.14, 1.18, .26, -.06, -.02, -.32, .27, .80, .54, .18, -.02, .23, -.18, -.06, .30, .07, -.07],
    "v": [
        .0156, .0216, .0279, .1391, .1362, .0106, .0106, .0484, .0269, .0630, .0912, .0497, .0835, .0841, .0253, .0279,
        .0193, .0088, .0303,
    ],
}  # fmt: skip


def make_effects(n_reference: int = 40, n_comparison: int = 50, **columns: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "roi": ["hippocampus", "vmpfc", "total_grey_matter"],
            "hemisphere": ["mean", "L", "whole"],
            "t": [-2.0, 0.5, 1.0],
            "df": 85,
            "p": [0.0487, 0.618, 0.320],
            "n_reference": n_reference,
            "n_comparison": n_comparison,
            "status": "fitted",
            "formula": "volume ~ group + age + sex",
            "head_size": "tiv_whole_mm3",
        }
    )
    return table.assign(**columns)


def make_export(d: dict[str, float], se: float = 0.2, **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"Structure": list(d), "d_icv": list(d.values()), "se_icv": se})
    return table.assign(**({"Contrast": "patient_control", "n_controls": 30, "n_patients": 40} | columns))


# --- export ---------------------------------------------------------------------------------------------------------


def test_export_has_the_columns_of_the_toolbox_and_each_is_described() -> None:
    table = build_enigma_export({"patient_control": make_effects()})["patient_control"]
    assert table.columns.tolist() == list(EXPORT)
    toolbox = ["Structure", "d_icv", "se_icv", "low_ci_icv", "up_ci_icv", "n_controls", "n_patients", "pobs", "fdr_p"]
    assert set(toolbox) < set(table.columns)
    assert {name for name, entry in EXPORT.items() if "Units" in entry} == set(NUMBERS)


def test_export_computes_d_as_enigma_does() -> None:
    row = build_enigma_export({"patient_control": make_effects()})["patient_control"].iloc[0]
    d = -2 * 90 / (math.sqrt(40 * 50) * math.sqrt(85))  # by hand
    assert row["d_icv"] == pytest.approx(d)
    assert row["se_icv"] == pytest.approx(math.sqrt(90 / 2000 + d**2 / (2 * 88)))
    assert row["up_ci_icv"] - row["low_ci_icv"] == pytest.approx(2 * 1.96 * row["se_icv"])
    assert (row["n_controls"], row["n_patients"], row["pobs"]) == (40, 50, 0.0487)


def test_export_names_structures_with_their_side() -> None:
    table = build_enigma_export({"patient_control": make_effects()})["patient_control"]
    assert table["Structure"].tolist() == ["M_hippocampus", "L_medialorbitofrontal", "totalgreymatter"]


def test_export_corrects_p_over_its_rows() -> None:
    table = build_enigma_export({"patient_control": make_effects()})["patient_control"]
    assert table["fdr_p"].tolist() == pytest.approx(adjust_p([0.0487, 0.618, 0.320]).tolist())


@pytest.mark.parametrize(("head_size", "answer"), [("tiv_whole_mm3", "yes"), ("none", "no")])
def test_export_says_whether_head_size_was_a_covariate(head_size: str, answer: str) -> None:
    effects = make_effects(head_size=head_size)
    assert set(build_enigma_export({"x": effects})["x"]["icv_adjusted"]) == {answer}
    assert set(build_enigma_export({"x": effects.drop(columns="head_size")})["x"]["icv_adjusted"]) == {"not stated"}


def test_export_leaves_refused_models_out() -> None:
    effects = make_effects(status=["fitted", "refused", "fitted"], t=[-2.0, np.nan, 1.0])
    assert len(build_enigma_export({"x": effects})["x"]) == 2


def test_export_withholds_small_groups_and_the_contrasts_that_would_tell_them() -> None:
    exports = build_enigma_export(
        {
            "patient_control": make_effects(40, 50),
            "first_control": make_effects(40, 6),
            "recurrent_control": make_effects(40, 44),
            "early_control": make_effects(40, 20),
        },
        smallest=10,
    )
    assert exports["first_control"]["withheld"].eq("fewer than 10 people in a group").all()
    assert exports["first_control"][list(NUMBERS)].isna().all(axis=None)
    assert exports["recurrent_control"]["withheld"].str.contains("small group").all()
    assert exports["recurrent_control"][list(NUMBERS)].isna().all(axis=None)
    for free in ("patient_control", "early_control"):
        assert exports[free]["withheld"].eq("").all()
        assert exports[free]["d_icv"].notna().all()


def test_export_of_one_small_region_withholds_that_region_only() -> None:
    effects = make_effects(n_comparison=[9, 50, 10])  # type: ignore[arg-type]
    assert build_enigma_export({"x": effects})["x"]["d_icv"].isna().tolist() == [True, False, False]


def test_export_without_what_it_needs_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"table of patient_control cannot be used: it lacks t, df"):
        build_enigma_export({"patient_control": make_effects().drop(columns=["t", "df"])})
    with pytest.raises(ConfigError, match="rows with the same roi, hemisphere"):
        build_enigma_export({"x": pd.concat([make_effects(), make_effects()])})


# --- the check ------------------------------------------------------------------------------------------------------


def test_an_export_passes_the_check() -> None:
    exports = build_enigma_export({"patient_control": make_effects()})
    check_export(exports, ["sub-01", "sub-02"])
    assert set(exports) == {"patient_control"}


@pytest.mark.parametrize("text", ["sub-01", "01", "model without sub-01", "left out: sub-77 (scan failed)"])
def test_a_table_that_names_a_participant_is_refused_without_repeating_the_name(text: str) -> None:
    export = build_enigma_export({"x": make_effects(formula=text)})
    with pytest.raises(ConfigError, match="3 cells with the identifier of a participant") as refusal:
        check_export(export, ["sub-01"])
    assert "01" not in str(refusal.value)


def test_identifiers_of_any_form_are_found_as_words_but_not_inside_words() -> None:
    with pytest.raises(ConfigError, match="identifier"):
        check_export(build_enigma_export({"x": make_effects(formula="without MDD_0042")}), ["MDD_0042"])
    check_export(build_enigma_export({"x": make_effects(formula="without MDD_00421")}), ["MDD_0042"])
    check_export(build_enigma_export({"x": make_effects(formula="volume ~ age + 1")}), ["1"])


@pytest.mark.parametrize("column", ["participant_id", "volume_mm3", "z", "scan", "age_years"])
def test_a_column_that_is_not_on_the_list_is_refused(column: str) -> None:
    tables = build_enigma_export({"x": make_effects()})
    with pytest.raises(ConfigError, match=f"x has the columns {column}, which are not among those to share"):
        check_export({"x": tables["x"].assign(**{column: 1.0})})


def test_a_small_group_is_refused_and_all_problems_are_listed() -> None:
    table = build_enigma_export({"x": make_effects(n_comparison=7)}, smallest=1)["x"]
    with pytest.raises(ConfigError, match=r"columns z, .*; x shows 3 groups of fewer than 10 people in n_patients"):
        check_export({"x": table.assign(z=0.0)})
    check_export({"x": table}, smallest=5)


# --- pooling --------------------------------------------------------------------------------------------------------


def test_pooling_reproduces_metafor() -> None:
    exports = {
        f"study {number}": make_export({"M_hippocampus": y}, math.sqrt(v))
        for number, (y, v) in enumerate(zip(*RAUDENBUSH_1985.values(), strict=True))
    }
    row = combine_exports(exports).iloc[0]
    expected = {  # R metafor 3.8: rma(method="REML", test="knha", control=list(threshold=1e-12))
        "mean": 0.08370124188,
        "se_hk": 0.06157931947,
        "ci_low_hk": -0.0456721076,
        "ci_high_hk": 0.2130745914,
        "p_hk": 0.1908569918,
        "tau2": 0.01881828814,
        "tau2_ci_low": 0.0058615,
        "tau2_ci_high": 0.1977007,
        "i2": 41.84667025,
        "q": 35.8295363,
        "q_p": 0.007419313,
        "prediction_low_hk": -0.2322086,
        "prediction_high_hk": 0.3996110,
    }
    assert row[list(expected)].astype(float).tolist() == pytest.approx(list(expected.values()), abs=1e-7)
    assert (row["k"], row["n_controls"], row["n_patients"]) == (19, 19 * 30, 19 * 40)
    assert row["leave_one_out_low"] < row["mean"] < row["leave_one_out_high"]


def test_pooling_goes_region_by_region_in_any_order_of_studies() -> None:
    exports = {
        "a": make_export({"L_x": 0.1, "R_x": -0.2}),
        "b": make_export({"R_x": -0.1, "L_x": 0.3}),
        "c": make_export({"L_x": 0.2, "R_x": 0.0}),
    }
    table = combine_exports(exports)
    assert table.columns.tolist() == list(COMBINED)
    assert table["mean"].tolist() == pytest.approx([0.2, -0.1])
    back = combine_exports(dict(reversed(exports.items()))).set_index("Structure").drop(columns="studies")
    pd.testing.assert_frame_equal(back, table.set_index("Structure").drop(columns="studies"), check_like=True)


def test_studies_that_agree_have_no_spread_and_equal_the_fixed_effect() -> None:
    row = combine_exports({name: make_export({"x": 0.3}, se) for name, se in (("a", 0.1), ("b", 0.3))}).iloc[0]
    assert (row["mean"], row["tau2"], row["i2"]) == pytest.approx((0.3, 0, 0))


def test_exports_can_be_pooled_from_their_files(tmp_path: Path) -> None:
    made = {name: build_enigma_export({"x": make_effects(t=t)})["x"] for name, t in (("a", -1.0), ("b", 2.0))}
    for name, table in made.items():
        write_table(table, tmp_path / f"{name}.tsv", EXPORT, digits=15)
    read = {name: read_table(tmp_path / f"{name}.tsv") for name in made}
    assert combine_exports(read)["mean"].tolist() == pytest.approx(combine_exports(made)["mean"].tolist(), rel=1e-9)


def test_two_studies_have_no_leave_one_out() -> None:
    row = combine_exports({"a": make_export({"x": 0.1}), "b": make_export({"x": 0.4})}).iloc[0]
    assert row["status"] == "fitted"
    assert math.isnan(row["leave_one_out_low"])


def test_a_region_of_one_study_is_refused_with_the_reason() -> None:
    exports = {"a": make_export({"x": 0.1, "y": 0.2}), "b": make_export({"x": 0.3})}
    table = combine_exports(exports).set_index("Structure")
    assert table.loc["y", "status"] == "refused"
    assert "at least 2 sites" in table.loc["y", "reason"]
    assert table.loc["x", "status"] == "fitted"


def test_withheld_regions_are_left_out_and_said_so() -> None:
    exports = {name: make_export({"x": d}) for name, d in (("a", 0.1), ("b", 0.3), ("c", math.nan))}
    row = combine_exports(exports).iloc[0]
    assert (row["k"], row["studies"], row["n_patients"]) == (2, "a, b", 80)
    assert row["reason"] == "1 of 3 studies do not give this region"


def test_p_is_corrected_over_the_regions_of_a_contrast() -> None:
    rng = np.random.default_rng(5)
    names = [f"r{number}" for number in range(4)]
    exports = {study: make_export(dict(zip(names, rng.normal(0.2, 0.2, 4), strict=True))) for study in "abcd"}
    table = combine_exports(exports)
    assert table["p_fdr"].tolist() == pytest.approx(adjust_p(table["p_hk"]).tolist())


def test_tables_with_dots_in_their_names_and_without_contrast_will_do() -> None:
    old = make_export({"x": 0.1}).drop(columns="Contrast").rename(columns=lambda name: name.replace("_", "."))
    row = combine_exports({"a": old, "b": make_export({"x": 0.3}, Contrast="")}).iloc[0]
    assert row["mean"] == pytest.approx(0.2)


def test_tables_that_cannot_be_pooled_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"table of b cannot be used: it lacks se_icv"):
        combine_exports({"a": make_export({"x": 0.1}), "b": make_export({"x": 0.1}).drop(columns="se_icv")})
    twice = pd.concat([make_export({"x": 0.1}), make_export({"x": 0.1})])
    with pytest.raises(ConfigError, match="rows with the same Contrast, Structure"):
        combine_exports({"a": twice})
    with pytest.raises(ConfigError, match="no tables to combine"):
        combine_exports({})


def test_every_number_of_the_pooled_table_has_a_unit() -> None:
    assert {name for name, entry in COMBINED.items() if "Units" in entry} == set(COMBINED) - COMBINED_TEXT


def test_exports_of_simulated_sites_pool_to_the_true_effect() -> None:
    rng = np.random.default_rng(11)
    exports = {}
    for site in range(12):
        n1, n2 = (int(n) for n in rng.integers(30, 80, 2))
        shift = -0.3 + rng.normal(0, 0.1)
        a, b = rng.normal(size=n1), rng.normal(shift, 1, n2)
        pooled_sd = math.sqrt(((n1 - 1) * a.var(ddof=1) + (n2 - 1) * b.var(ddof=1)) / (n1 + n2 - 2))
        t = (b.mean() - a.mean()) / (pooled_sd * math.sqrt(1 / n1 + 1 / n2))
        effects = make_effects(n1, n2, t=t, df=n1 + n2 - 2)
        exports[f"site {site}"] = build_enigma_export({"patient_control": effects})["patient_control"]
    row = combine_exports(exports).iloc[0]
    assert row["ci_low_hk"] < -0.3 < row["ci_high_hk"]
    assert row["mean"] == pytest.approx(-0.3, abs=0.12)
    assert standardise_as_enigma(0.0, 60, 30, 32).value == 0
