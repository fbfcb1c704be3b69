"""Test every claim whose columns a cohort has, and say in plain words what this sample shows.

Takes a study and the claims file; gives one row per test and region, one verdict per claim, and what was missing for
the claims that could not be tested.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import patsy

from morpho.errors import DesignError
from morpho.formulas import say_error
from morpho.infer.claims.claims import Claim, ClaimsFile, ClaimTest, expand_tests, list_needs
from morpho.infer.claims.kinds import TestResult, run_kind
from morpho.infer.claims.rows import run_linear_test
from morpho.infer.claims.verdict_words import say_claim
from morpho.infer.claims.verdicts import Judgement, combine_judgements, judge_row
from morpho.infer.linear_tests import correct_families
from morpho.infer.study import Study
from morpho.infer.variables import add_variables, select_population

logger = logging.getLogger(__name__)

Row = dict[str, object]


@dataclass(frozen=True)
class ClaimResults:
    """One row per claim, one per test and region, and the detailed tables of the tests that are no linear models."""

    claims: pd.DataFrame
    tests: pd.DataFrame
    details: Mapping[str, pd.DataFrame]


def run_claims(study: Study, file: ClaimsFile, *, permute: bool = True) -> ClaimResults:
    """Test all claims on a cohort.

    Parameters
    ----------
    study
        People, visits, settings.
    file
        Claims, variables, populations.
    permute
        Whether linear tests get permutation p values.

    Returns
    -------
    Claims in the order of the file; a claim that cannot be tested has status "not_testable" and says what it needs.
    """
    people = add_variables(study.people, file.variables, study.domains)
    visits = add_variables(study.visits, file.variables, study.domains)
    ready = replace(study, people=people, visits=visits)
    tables: list[pd.DataFrame] = []
    details: dict[str, list[pd.DataFrame]] = {}
    rows = []
    for claim in file.claims:
        needs, done = [], []
        for test in expand_tests(claim, study.domains):
            lacks = list_needs(test, _list_columns(study), file, study.domains)
            if lacks:
                needs += lacks
                continue
            logger.info("%s, %s", claim.claim_id, test.name)
            result = _run_test(test, ready, file, permute=permute)
            done.append(_label(result.rows, claim, test, study.settings.confidence))
            for name, table in result.details.items():
                details.setdefault(name, []).append(_mark(table, claim, test))
        judged = _judge(pd.concat(done, ignore_index=True), study) if done else pd.DataFrame()
        tables.append(judged)
        rows.append(_describe_claim(claim, judged, list(dict.fromkeys(needs))))
    filled = [table.dropna(axis="columns", how="all") for table in tables if len(table)]
    tests = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in details.items()}
    return ClaimResults(pd.DataFrame(rows), tests, joined)


def _list_columns(study: Study) -> pd.DataFrame:
    """Give the people a column for what is asked of visits: whether anybody has a second one."""
    has_second = study.visits["visit"].max() >= 1 if len(study.visits) else False
    return study.people.assign(visit_2=1.0 if has_second else np.nan)


def _run_test(test: ClaimTest, study: Study, file: ClaimsFile, *, permute: bool) -> TestResult:
    """Make one test on its population; a test that cannot be made at all is one refused row."""
    condition = file.populations[test.population]
    people = select_population(study.people, condition)
    try:
        if test.kind == "linear":
            return TestResult(run_linear_test(test, study, people, permute=permute), {})
        return run_kind(test, study, condition)
    except (DesignError, patsy.PatsyError) as refusal:
        reason = say_error(refusal) if isinstance(refusal, patsy.PatsyError) else str(refusal)
        logger.warning("%s refused: %s", test.name, reason)
        refused = {"family": test.families[0], "roi": "", "hemisphere": "", "status": "refused", "reason": reason}
        return TestResult(pd.DataFrame([refused]), {})


def _mark(table: pd.DataFrame, claim: Claim, test: ClaimTest) -> pd.DataFrame:
    """Say of which claim and test a table is."""
    known = table.drop(columns=[name for name in ("claim_id", "test") if name in table])
    known.insert(0, "claim_id", claim.claim_id)
    known.insert(1, "test", test.name)
    return known


def _label(rows: pd.DataFrame, claim: Claim, test: ClaimTest, confidence: float) -> pd.DataFrame:
    """Add claim, test, population and what was claimed; correct p within the test's families."""
    rows = rows.reindex(
        columns=list(dict.fromkeys([*rows.columns, "p", "p_fdr", "estimate", "t", "df", "unit_variance"]))
    )
    if rows["p_fdr"].isna().all():
        rows = correct_families(rows.assign(p=rows["p"].astype(float)), ["family"])
    return _mark(rows, claim, test).assign(
        kind=test.kind,
        population=test.population,
        confidence=confidence,
        direction=test.direction,
        expected=[test.expected.get(roi, test.expected.get("", np.nan)) for roi in rows["roi"]],
        smallest_effect=np.nan if test.smallest is None else test.smallest,
        decides=_find_deciding(rows, test),
    )


def _find_deciding(rows: pd.DataFrame, test: ClaimTest) -> pd.Series[bool]:
    """Find the rows that decide: the named regions, once each, in the first family that has them."""
    if test.kind == "specificity" or not test.decides:
        return pd.Series(data=False, index=rows.index)
    if test.kind in {
        "extremes",
        "prediction",
    }:  # one result for all regions; of a prediction the primary scheme is first
        return pd.Series(rows.index == rows.index[0], index=rows.index)
    return rows["roi"].isin(test.decides) & ~rows.duplicated(["roi"], keep="first")


def _judge(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Add the verdict on each deciding row, with its simultaneous interval."""
    fitted = rows["decides"] & (rows["status"] == "fitted") & rows["estimate"].notna()
    judged = rows.assign(verdict="", simultaneous_ci_low=np.nan, simultaneous_ci_high=np.nan)
    judged["is_opposite"] = False
    for place in rows.index[fitted]:
        row = rows.loc[place].to_dict()
        smallest = row["smallest_effect"]
        if pd.isna(smallest):
            smallest = study.settings.smallest_effects.get(str(row["effect_size"]), np.nan)
        judgement = judge_row(row, n_deciding=int(fitted.sum()), smallest_effect=float(smallest))
        judged.loc[place, ["simultaneous_ci_low", "simultaneous_ci_high"]] = [judgement.ci_low, judgement.ci_high]
        judged.loc[place, ["expected", "smallest_effect"]] = [judgement.expected, smallest]
        judged.loc[place, "verdict"] = judgement.verdict
        judged.loc[place, "is_opposite"] = judgement.is_opposite
    return judged


def _describe_claim(claim: Claim, rows: pd.DataFrame, needs: Sequence[str]) -> Row:
    """Put a claim's outcome into one row."""
    row: Row = {
        "claim_id": claim.claim_id,
        "claim": claim.claim,
        "review": claim.review,
        "confirmatory": claim.confirmatory,
        "needs": ", ".join(needs),
        "evidence": claim.evidence.says,
        "source": claim.evidence.source,
    }
    if claim.out_of_reach:
        return row | {"status": "out_of_reach", "verdict": "", "sentence": claim.out_of_reach, "n_tests": 0}
    if rows.empty:
        sentence = f"Not testable in this cohort: it needs {', '.join(needs)}."
        return row | {"status": "not_testable", "verdict": "", "sentence": sentence, "n_tests": 0}
    if not rows["decides"].any():
        sentence = f"The test that decides needs {', '.join(needs)}. Other tests were made and describe this sample."
        return row | {"status": "described", "verdict": "", "sentence": sentence, **_count(rows)}
    deciding = rows[rows["decides"] & (rows["verdict"] != "")]
    judgements = [
        Judgement(
            verdict=entry["verdict"],
            ci_low=entry["simultaneous_ci_low"],
            ci_high=entry["simultaneous_ci_high"],
            expected=entry["expected"],
            is_opposite=bool(entry["is_opposite"]),
        )
        for entry in deciding.to_dict("records")
    ]
    verdict = combine_judgements(judgements)
    return row | {
        "status": "tested",
        "verdict": verdict,
        "sentence": say_claim(verdict, rows, deciding),
        **_count(rows),
    }


def _count(rows: pd.DataFrame) -> Row:
    """Count the tests of a claim, and those among them that were refused."""
    return {"n_tests": len(rows), "n_refused": int((rows["status"] == "refused").sum())}
