"""Every column of the model tables is described, with a unit where it is a number."""

import pytest

from morpho.infer.claims.dictionaries import ASSOCIATIONS, CLAIM_TESTS, CLAIMS, CONTRASTS, INTERACTIONS
from morpho.infer.dictionaries import ADJUSTED_VOLUMES, EFFECTS, PARTIAL_RESIDUALS, SENSITIVITY, SEVERITY
from morpho.tables import TEXT_COLUMNS

DICTIONARIES = [
    EFFECTS,
    SEVERITY,
    SENSITIVITY,
    ADJUSTED_VOLUMES,
    PARTIAL_RESIDUALS,
    CONTRASTS,
    ASSOCIATIONS,
    INTERACTIONS,
]
CLAIMED = [CLAIMS, CLAIM_TESTS]


@pytest.mark.parametrize("dictionary", DICTIONARIES + CLAIMED)
def test_every_column_is_described(dictionary: dict[str, dict[str, object]]) -> None:
    assert all(len(str(entry["Description"])) > 10 for entry in dictionary.values())


@pytest.mark.parametrize("dictionary", DICTIONARIES)
def test_numbers_have_units_and_text_has_none(dictionary: dict[str, dict[str, object]]) -> None:
    with_unit = {name for name, entry in dictionary.items() if "Units" in entry}
    assert with_unit == set(dictionary) - TEXT_COLUMNS


@pytest.mark.parametrize("dictionary", DICTIONARIES)
def test_units_in_names_are_the_units(dictionary: dict[str, dict[str, object]]) -> None:
    for name, entry in dictionary.items():
        if name.endswith("_mm3") and not name.startswith("slope"):
            assert str(entry["Units"]).startswith("mm3"), name
        if name.startswith("slope"):
            assert str(entry["Units"]).startswith("mm3/"), name
