"""How to read the report: what is said applies to the run, and nothing else is said."""

from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morpho.present.notes import explain_claims, explain_groups, explain_precision, explain_regions, explain_severity


@pytest.fixture
def settings(study: ModuleType) -> Any:
    return study.load_config()["models"]


def test_precision_says_what_is_found_expected_and_lost(study: ModuleType) -> None:
    found, expected, severity, lost = explain_precision(study.make_precision())
    assert found.startswith("patient - control, 26 and 33 people: a true difference of 0.74 standard deviations (0.95")
    assert "found in 80 of 100 studies" in found
    assert "interval reaches 0.52 to either side" in found
    assert expected.startswith("The best evidence expects \N{MINUS SIGN}0.14 for hippocampus (ENIGMA-MDD, volume)")
    assert "8 times in 100" in expected
    assert "758 people in each group" in expected
    assert expected.endswith("Not finding it here would say nothing against it.")
    assert "partial correlation of 0.49" in severity
    assert "showed 27 to 73 %" in lost


def test_what_is_expected_is_of_volume_before_thickness(study: ModuleType) -> None:
    precision = study.make_precision()
    assert "dorsolateral" not in " ".join(explain_precision(precision))
    thickness = precision[precision["roi"] == "dlpfc"]
    assert "for dorsolateral PFC" in " ".join(explain_precision(thickness))


def test_precision_of_nothing_is_one_sentence(study: ModuleType) -> None:
    (sentence,) = explain_precision(study.make_precision().assign(detectable=np.nan))
    assert "shows nothing" in sentence
    assert explain_precision(study.make_precision().iloc[:0]) == (sentence,)


def test_claims_say_that_nothing_is_corrected_over_them(study: ModuleType) -> None:
    first, *meanings = explain_claims(study.make_claims(), study.MEANINGS)
    assert "nothing is corrected over the claims" in first
    assert len(meanings) == len(study.MEANINGS)
    assert explain_claims(study.make_claims().iloc[5:], study.MEANINGS) == ()


def test_groups_name_families_smallest_effect_and_thickness(
    study: ModuleType, effects: pd.DataFrame, settings: Any
) -> None:
    text = " ".join(explain_groups(effects, study.make_sensitivity(effects), settings))
    for part in (
        "associations",
        "primary (4 tests), hemispheres (4 tests) and totals (4 tests)",
        "largest statistic of 5000 permutations",
        "g = 0.2",
        "Thickness is not volume",
        "gives no way to look at it",
    ):
        assert part in text
    assert "permuted p" not in text
    few = effects.assign(n_reference=19)
    assert "fewer than 20 people: read the permuted p" in " ".join(
        explain_groups(few, few.iloc[:0].assign(variant=""), settings)
    )


def test_medication_is_looked_at_where_the_cohort_allows(
    study: ModuleType, effects: pd.DataFrame, settings: Any
) -> None:
    variants = study.make_sensitivity(effects).replace({"variant": {"no_outliers": "unmedicated"}})
    assert "The variant 'unmedicated'" in explain_groups(effects, variants, settings)[-1]


def test_nothing_is_explained_where_nothing_was_fitted(
    effects: pd.DataFrame, associations: pd.DataFrame, settings: Any
) -> None:
    refused = effects.assign(status="refused")
    assert explain_groups(refused, effects.iloc[:0], settings) == ()
    assert explain_severity(associations.iloc[:0], settings) == ()
    assert "smallest partial r of interest is 0.1" in explain_severity(associations, settings)[0]


def test_disputed_regions_are_described_as_they_are_drawn(study: ModuleType) -> None:
    (sentence,) = explain_regions(study.make_regions(), {"dlpfc", "hippocampus"})
    assert sentence == "Authors draw dorsolateral PFC differently. Here, dorsolateral PFC: Drawing of dlpfc."
    assert "as in the table of volumes" in explain_regions(None, {"dlpfc"})[0]
    assert explain_regions(study.make_regions(), {"hippocampus"}) == ()
