"""Claims in the report: verdicts, what they rest on, and what was not tested."""

from types import ModuleType

from morpho.present.claim_views import view_claims, view_deciding, view_untested


def test_tested_claims_have_verdict_numbers_and_evidence(study: ModuleType) -> None:
    view = view_claims(study.make_claims(), link="group/claims.tsv")
    assert [column.label for column in view.columns[:2]] == ["claim", "verdict"]
    first = [cell.text for cell in view.rows[0]]
    assert first == [
        "C01: Claim 1. (set beforehand)",
        "consistent",
        "hippocampus g 0.10 [-0.20, 0.40].",
        "d = -0.144. Schmaal 2016",
    ]
    assert [row[1].text for row in view.rows] == [*study.MEANINGS, "described only"]
    assert [row[1].sort for row in view.rows] == [str(number) for number in range(6)]


def test_what_could_not_be_estimated_keeps_its_reason(study: ModuleType) -> None:
    claims = study.make_claims()
    claims.loc[4, "sentence"] = "Not estimable: one group only. Widen the population."
    assert view_claims(claims, link="").rows[4][2].text == "one group only. Widen the population."


def test_untested_claims_are_split_by_what_stands_in_their_way(study: ModuleType) -> None:
    needing, unseen = view_untested(study.make_claims())
    assert needing.caption == "Not testable in this cohort"
    assert [cell.text for cell in needing.rows[0]] == ["C07: Claim 7.", "relapse, visit_2"]
    assert [cell.text for cell in unseen.rows[0]] == ["C08: Claim 8.", "Why."]
    assert view_untested(study.make_claims().iloc[:3]) == []


def test_deciding_tests_are_shown_with_simultaneous_intervals(study: ModuleType) -> None:
    view = view_deciding(study.make_claim_tests(), link="")
    hippocampus, refused, prediction = ([cell.text for cell in row] for row in view.rows)
    assert hippocampus[0] == "C01, patients controls"
    assert hippocampus[3].replace("\N{MINUS SIGN}", "-").split() == ["-0.30", "[-0.90,", "0.30]"]
    assert hippocampus[-1] == "inconclusive"
    assert refused[1] == "dorsolateral PFC"
    assert refused[3] == "not estimated"
    assert refused[-1] == study.TOO_FEW
    assert prediction[1:3] == ["all regions", "AUC: patient - control"]
    assert prediction[4] == "any"


def test_tables_without_rows_are_views_without_rows(study: ModuleType) -> None:
    assert view_claims(study.make_claims().iloc[:0], link="").rows == ()
    assert view_deciding(study.make_claim_tests().iloc[:0], link="").rows == ()
    assert view_untested(study.make_claims().iloc[:0]) == []
