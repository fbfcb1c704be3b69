"""Every scan is judged once, by its site if that is large enough, else by its kind."""

import pandas as pd

from morpho.infer.quality.peers import MIN_PEERS, list_peers


def name(numbers: range) -> list[str]:
    return [f"sub-{number:02}" for number in numbers]


def test_kinds_are_apart_and_small_ones_do_not_suffice() -> None:
    kinds = pd.Series(["extracted"] * 9 + ["whole_head"] * 7, index=name(range(16)))
    extracted, whole = list_peers(kinds, pd.Series(dtype=object))
    assert (extracted.words, extracted.suffice) == ("9 extracted brains", True)
    assert (whole.words, whole.suffice) == ("7 whole heads", False)
    assert list(whole.judged) == list(whole.reference) == name(range(9, 16))
    assert MIN_PEERS == 8


def test_large_sites_judge_their_own_and_all_judge_the_rest() -> None:
    kinds = pd.Series("whole_head", index=name(range(20)))
    sites = pd.Series(["a"] * 8 + ["b"] * 9 + ["c"] * 2 + [None], index=kinds.index)
    first, second, rest = list_peers(kinds, sites)
    assert first.words == "8 whole heads of site a"
    assert list(second.judged) == list(second.reference) == name(range(8, 17))
    assert list(rest.judged) == name(range(17, 20))
    assert list(rest.reference) == name(range(20))
    judged = [scan for peers in (first, second, rest) for scan in peers.judged]
    assert sorted(judged) == name(range(20))


def test_a_single_site_is_the_whole_kind() -> None:
    kinds = pd.Series("whole_head", index=name(range(12)))
    [peers] = list_peers(kinds, pd.Series("a", index=name(range(12))))
    assert peers.words == "12 whole heads"
