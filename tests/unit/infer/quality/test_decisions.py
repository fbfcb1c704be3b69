"""Decisions: people overrule quality control, the latest word and the majority count, what is not there is not kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from morpho.infer.quality.decisions import agree_raters, decide_scans, list_excluded
from morpho.infer.quality.dictionaries import RATER_AGREEMENT, SCAN_DECISIONS

SCANS = pd.DataFrame(
    {
        "participant_id": ["sub-01", "sub-02", "sub-03", "sub-04", "sub-05"],
        "session_id": "",
        "scan": ["sub-01", "sub-02", "sub-03", "sub-04", "sub-05"],
        "chosen": [True, True, True, True, False],
    }
)
METRICS = pd.DataFrame(
    {
        "scan": ["sub-01", "sub-02", "sub-03", "sub-04"],
        "verdict": ["passed", "flagged", "failed", "failed"],
        "reason": [np.nan, "noisy: very", "left_right_flipped: -4", "not_a_brain: preprocess failed"],
    }
)
MEASURED = ["sub-01", "sub-02", "sub-03"]


def say(*rows: tuple[str, str, str] | tuple[str, str, str, str]) -> pd.DataFrame:
    """Make a table of decisions; dates follow each other unless they are given."""
    table = pd.DataFrame([row[:3] for row in rows], columns=["scan", "decision", "rater"])
    dates = [row[3] if len(row) > 3 else f"2024-01-{number + 1:02}" for number, row in enumerate(rows)]
    return table.assign(reason=[f"because {row[0][-1]}" for row in rows], date=pd.to_datetime(dates))


def decide(*rows: tuple[str, str, str]) -> dict[str, tuple[str, str, str]]:
    table = decide_scans(SCANS, MEASURED, METRICS, say(*rows)).set_index("scan")
    return {scan: tuple(table.loc[scan, ["human_decision", "decision", "basis"]]) for scan in table.index}


def test_without_people_hard_failures_are_out_and_flags_stay_in() -> None:
    table = decide_scans(SCANS, MEASURED, METRICS, None)
    assert list(table) == list(SCAN_DECISIONS)
    assert table["scan"].tolist() == ["sub-01", "sub-02", "sub-03", "sub-04"]
    assert table["decision"].tolist() == table["automatic_decision"].tolist() == ["keep", "keep", "exclude", "exclude"]
    assert table["flagged"].tolist() == [False, True, True, True]
    assert set(table["basis"]) == {"automatic"}
    assert set(table["human_decision"]) == set(table["raters"]) == {""}


def test_people_have_the_last_word_about_what_was_measured() -> None:
    said = decide(("sub-01", "exclude", "A"), ("sub-03", "keep", "A"), ("sub-04", "keep", "A"))
    assert said == {
        "sub-01": ("exclude", "exclude", "human"),
        "sub-02": ("", "keep", "automatic"),
        "sub-03": ("keep", "keep", "human"),
        "sub-04": ("keep", "exclude", "automatic"),
    }


@pytest.mark.parametrize(
    ("said", "human", "decision"),
    [
        (["exclude"], "exclude", "exclude"),
        (["exclude", "keep"], "unsure", "keep"),
        (["exclude", "keep", "exclude"], "exclude", "exclude"),
        (["exclude", "unsure"], "exclude", "exclude"),
        (["unsure"], "unsure", "keep"),
        (["unsure", "unsure", "keep"], "keep", "keep"),
    ],
)
def test_the_majority_counts_and_a_tie_leaves_the_automatic_decision(
    said: list[str], human: str, decision: str
) -> None:
    rows = [("sub-02", word, f"rater {number}") for number, word in enumerate(said)]
    assert decide(*rows)["sub-02"][:2] == (human, decision)


def test_the_latest_word_of_each_rater_counts_wherever_it_stands() -> None:
    rows = [
        ("sub-02", "exclude", "A", "2024-02-01"),
        ("sub-02", "keep", "A", "2024-03-01"),
        ("sub-02", "exclude", "A", "2023-01-01"),
    ]
    assert decide(*rows)["sub-02"] == ("keep", "keep", "human")
    assert decide(*reversed(rows))["sub-02"] == ("keep", "keep", "human")


def test_raters_and_reasons_are_told() -> None:
    table = decide_scans(SCANS, MEASURED, METRICS, say(("sub-02", "exclude", "B"), ("sub-02", "keep", "A"))).set_index(
        "scan"
    )
    assert table.loc["sub-02", "raters"] == "A: keep, B: exclude"
    assert table.loc["sub-02", "human_reason"] == "because 2"


def test_a_cohort_from_a_table_is_kept_but_for_what_people_exclude() -> None:
    table = decide_scans(SCANS, MEASURED, None, say(("sub-02", "exclude", "B"))).set_index("scan")
    assert table["decision"].to_dict() == {"sub-01": "keep", "sub-02": "exclude", "sub-03": "keep", "sub-04": "exclude"}
    assert set(table["automatic_decision"]) == {""}
    assert table["flagged"].isna().all()


def test_exclusions_say_who_left_out_what_was_measured_and_why() -> None:
    decisions = decide_scans(SCANS, MEASURED, METRICS, say(("sub-01", "exclude", "A")))
    excluded = list_excluded(decisions, MEASURED, METRICS).set_index("scan")
    assert set(excluded["stage"]) == {"quality"}
    assert excluded["reason"].to_dict() == {
        "sub-01": "excluded by people (A: exclude): because 1",
        "sub-03": "quality control: left_right_flipped: -4",
    }


def test_kappa_is_that_of_an_independent_implementation(rng: np.random.Generator) -> None:
    words, n = ["keep", "exclude", "unsure"], 60
    first = rng.choice(words, n, p=[0.7, 0.2, 0.1])
    second = np.where(rng.random(n) < 0.7, first, rng.choice(words, n))
    rows = [
        (f"sub-{number}", word, rater)
        for rater, said in (("B", second), ("A", first))
        for number, word in enumerate(said)
    ]
    human = say(*[(*row, "2024-01-01") for row in rows])
    [row] = (
        agree_raters(pd.concat([human, say(("sub-0", "keep", "C", "2023-01-01"))]))
        .query("n_scans > 1")
        .to_dict("records")
    )
    assert (row["rater_1"], row["rater_2"], row["n_scans"]) == ("A", "B", n)
    assert row["agreement"] == pytest.approx((first == second).mean())
    assert row["kappa"] == pytest.approx(cohen_kappa_score(first, second))
    assert row["kappa_ci_low"] < row["kappa"] < row["kappa_ci_high"] <= 1


def test_hand_made_kappa() -> None:
    """10 scans, both keep 6 and exclude 2, each alone excludes 1: agreement .8, by chance .7^2 + .3^2 = .58."""
    said = {"A": ["keep"] * 6 + ["exclude"] * 3 + ["keep"], "B": ["keep"] * 6 + ["exclude"] * 2 + ["keep", "exclude"]}
    rows = [
        (f"s{number}", word, rater, "2024-01-01") for rater, words in said.items() for number, word in enumerate(words)
    ]
    assert agree_raters(say(*rows))["kappa"].item() == pytest.approx((0.8 - 0.58) / 0.42)


def test_agreement_needs_two_raters_with_scans_in_common_and_two_words() -> None:
    assert agree_raters(None).empty
    assert list(agree_raters(None)) == list(RATER_AGREEMENT)
    assert agree_raters(say(("sub-01", "keep", "A"), ("sub-02", "keep", "B"))).empty
    same = agree_raters(say(("sub-01", "keep", "A"), ("sub-01", "keep", "B"), ("sub-02", "exclude", "A")))
    assert same["agreement"].item() == 1.0
    assert np.isnan(same["kappa"].item())
    assert "both say 'keep' of all scans" in same["reason"].item()
