"""Tests of claims that are no linear model of one volume: which analysis makes them, and with which options.

Takes a test of a claim and the study, gives the rows that all tests share and the detailed tables of the analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from morpho.infer.change.longitudinal import analyse_change
from morpho.infer.claims.claims import ClaimTest
from morpho.infer.claims.specificity import compare_regions
from morpho.infer.prediction.outcomes import analyse_outcome
from morpho.infer.prediction.prediction import Validation, predict_group
from morpho.infer.sites.individuals import score_individuals
from morpho.infer.sites.sites import compare_sites
from morpho.infer.sites.subgroups import compare_subgroups
from morpho.infer.sites.variability import compare_extremes, compare_variability_of_regions
from morpho.infer.study import Study, list_places, name_column
from morpho.infer.variables import select_population

Condition = Mapping[str, Any]


@dataclass(frozen=True)
class TestResult:
    """Rows of a test, one per region, and its detailed tables by name."""

    __test__ = False  # not a test of pytest's

    rows: pd.DataFrame
    details: Mapping[str, pd.DataFrame]


def run_kind(test: ClaimTest, study: Study, condition: Condition) -> TestResult:
    """Run the analysis that a test asks for.

    Parameters
    ----------
    test
        A test of another kind than linear.
    study
        With all variables.
    condition
        Population of the test.

    Returns
    -------
    Rows and detailed tables.

    Raises
    ------
    DesignError
        If the analysis cannot be made of this cohort at all.
    """
    chosen = replace(
        study,
        people=select_population(study.people, condition).reset_index(drop=True),
        visits=select_population(study.visits, condition).reset_index(drop=True),
    )
    return KINDS[test.kind](test, chosen)


def _each_family(test: ClaimTest, study: Study) -> list[dict[str, Any]]:
    """Regions of each family of a test, as the analyses take them."""
    families = study.settings.families
    return [
        {"rois": families[name]["rois"], "hemispheres": families[name]["hemispheres"], "family": name}
        for name in test.families
    ]


def _join(parts: Sequence[Any], tables: Mapping[str, str]) -> TestResult:
    """Put the results of several families together; `tables` maps detailed tables to attributes of a result."""
    rows = pd.DataFrame([row for part in parts for row in part.rows])
    details = {name: pd.concat([getattr(part, of) for part in parts], ignore_index=True) for name, of in tables.items()}
    return TestResult(rows, details)


def _run_change(test: ClaimTest, study: Study) -> TestResult:
    options = dict(test.options)
    arguments = {"kind": options["design"], "by": options.get("by"), "levels": options.get("levels")}
    if arguments["kind"] == "slope_on":
        arguments |= {"by": options.get("predictor"), "outcome_change": options.get("outcome_change")}
    arguments["adjust_for"] = tuple(options.get("adjust_for", ()))
    everybody = {"group": ["control", "patient"]} if "control" in set(study.people["group"]) else None
    parts = [analyse_change(study, **family, **arguments, population=everybody) for family in _each_family(test, study)]
    return _join(parts, {"change": "table"})


def _run_outcome(test: ClaimTest, study: Study) -> TestResult:
    event = str(test.options["event"])
    adjust_for = tuple(name for name in test.options.get("adjust_for", ()) if name in study.people)
    parts = [
        analyse_outcome(study, outcome=event, event="yes", adjust_for=adjust_for, population={}, **family)
        for family in _each_family(test, study)
    ]
    return _join(parts, {"outcome": "table"})


def _run_prediction(test: ClaimTest, study: Study) -> TestResult:
    features = [name_column(place) for place in list_places(study.settings.families, test.families)]
    result = predict_group(
        study,
        target=str(test.options["target"]),
        positive=str(test.options["positive"]),
        features=[name for name in features if name in study.people],
        population={},
        validation=Validation(n_permutations=min(200, study.settings.n_permutations)),
    )
    tables = {
        "prediction": pd.concat([result.table, result.baseline], ignore_index=True),
        "prediction_subgroups": pd.concat([result.per_site, result.subgroups], ignore_index=True),
        "prediction_calibration": result.calibration,
    }
    rows = pd.DataFrame(result.rows)
    return TestResult(rows.assign(family=test.families[0]), tables)


def _run_sites(test: ClaimTest, study: Study) -> TestResult:
    parts = [compare_sites(study, **family) for family in _each_family(test, study)]
    return _join(parts, {"site_effects": "table", "site_pooled": "pooled"})


def _run_subgroups(test: ClaimTest, study: Study) -> TestResult:
    return _join([compare_subgroups(study, **family) for family in _each_family(test, study)], {"subgroups": "table"})


def _run_variability(test: ClaimTest, study: Study) -> TestResult:
    parts = [compare_variability_of_regions(study, **family) for family in _each_family(test, study)]
    return _join(parts, {"variability": "table"})


def _run_extremes(test: ClaimTest, study: Study) -> TestResult:
    parts = [
        compare_extremes(study, score_individuals(study, **family), family=family["family"])
        for family in _each_family(test, study)
    ]
    return _join(parts, {"extremes": "table"})


def _run_specificity(test: ClaimTest, study: Study) -> TestResult:
    rows = [compare_regions(study, test.effect, test.decides or None, family) for family in test.families]
    return TestResult(pd.DataFrame(rows), {})


KINDS: Mapping[str, Callable[[ClaimTest, Study], TestResult]] = {
    "change": _run_change,
    "outcome": _run_outcome,
    "prediction": _run_prediction,
    "sites": _run_sites,
    "subgroups": _run_subgroups,
    "variability": _run_variability,
    "extremes": _run_extremes,
    "specificity": _run_specificity,
}
