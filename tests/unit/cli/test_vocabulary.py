"""Which words stand for which group, sex, scale and variable."""

import pytest

from morpho.cli.pipeline import read_default_config
from morpho.cli.vocabulary import (
    SCALES,
    VARIABLE_NAMES,
    classify_group,
    classify_sex,
    find_scale,
    squeeze,
)


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("MDD", "patient"),
        ("depr", "patient"),
        ("Major Depressive Disorder", "patient"),
        ("patients_with_depression", "patient"),
        ("HC", "control"),
        ("Healthy-Control", "control"),
        ("never depressed", "control"),
        ("non-depressed", "control"),
        ("without depression", "control"),
        ("Témoin", "control"),
        ("bipolar depression", None),
        ("remitted MDD", None),
        ("rMDD", None),
        ("healthy siblings", None),
        ("patient control", None),
        ("MDD with anxiety", None),
        ("A", None),
        ("1", None),
    ],
)
def test_groups_are_recognised_only_where_the_words_are_clear(text: str, group: str | None) -> None:
    assert classify_group(text) == group


@pytest.mark.parametrize(
    ("text", "sex"), [("W", "F"), ("Female", "F"), ("männlich", "M"), ("1", None), ("other", None)]
)
def test_sexes(text: str, sex: str | None) -> None:
    assert classify_sex(text) == sex


@pytest.mark.parametrize(
    ("column", "scale"),
    [
        ("HAMD", "HAMD"),
        ("HDRS-17", "HAMD17"),
        ("ham_d_24_total", "HAMD24"),
        ("baseline_madrs_score", "MADRS"),
        ("BDI", "BDI"),
        ("BDI-II", "BDI-II"),
        ("bdi2_sum", "BDI-II"),
        ("PHQ9", "PHQ-9"),
        ("QIDS_SR16", "QIDS"),
        ("IDS-SR", "IDS"),
        ("CES-D", "CES-D"),
        ("CDRS_R", "CDRS-R"),
        ("GDS_15", "GDS"),
        ("HADS-depr", "HADS-D"),
        ("Zung_SDS", "Zung SDS"),
        ("HAMA", None),
        ("HADS-anx", None),
        ("MC-SDS", None),
        ("bdi_item_3", None),
        ("phq9_4", None),
        ("madrs_10", None),
        ("ids", "IDS"),
        ("participant_ids", None),
    ],
)
def test_scales_are_recognised_and_single_items_are_not(column: str, scale: str | None) -> None:
    assert find_scale(column) == scale


def test_names_of_variables_are_those_of_the_default_configuration_and_mean_one_thing() -> None:
    assert set(VARIABLE_NAMES) == set(read_default_config()["participants"]["variables"])
    names = [name for others in VARIABLE_NAMES.values() for name in others]
    assert len(names) == len(set(names))
    assert [name for name in names if squeeze(name) != name or find_scale(name)] == []


def test_a_scale_is_recognised_by_its_own_name() -> None:
    assert {scale: find_scale(scale) for scale in SCALES} == {scale: scale for scale in SCALES}
