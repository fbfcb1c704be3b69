"""Lines of `morpho doctor`."""

from morpho.cli.findings import Finding, format_findings, has_failure


def test_values_are_aligned_and_remedies_stand_below() -> None:
    findings = [Finding("numpy", "2.3", "ok", ">=2"), Finding("a longer name", "none", "fail", "", "install it")]
    assert format_findings("software", findings) == [
        "software",
        "ok    numpy          2.3   >=2",
        "fail  a longer name  none",
        "        -> install it",
    ]


def test_only_fail_is_a_failure() -> None:
    assert not has_failure([Finding("a", "b", "note"), Finding("a", "b", ""), Finding("a", "b")])
    assert has_failure([Finding("a", "b"), Finding("a", "b", "fail")])
