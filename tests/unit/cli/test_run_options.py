"""What the BIDS App understands on its command line, and what it answers to the rest."""

from pathlib import Path

import pytest

from morpho.cli.run_options import parse_run
from morpho.errors import CommandLineError

PLACES = ["bids", "out"]


def test_folders_and_level_may_stand_between_options() -> None:
    options = parse_run(["bids", "--nprocs", "3", "out", "--mem-mb", "8000", "participant", "-n", "--retry-failed"])
    assert (options.bids_dir, options.output_dir, options.level) == (Path("bids"), Path("out"), "participant")
    assert (options.n_procs, options.mem_mb, options.is_dry, options.retries) == (3, 8000, True, True)


@pytest.mark.parametrize("given", [["01", "sub-02"], ["01,02"], ["sub-01", "02", "01"]])
def test_labels_come_with_and_without_prefix_with_commas_and_twice(given: list[str]) -> None:
    options = parse_run([*PLACES, "group", "--participant-label", *given, "--session-label", "ses-1", "2"])
    assert options.participants == ("01", "02")
    assert options.sessions == ("1", "2")


@pytest.mark.parametrize("spelling", ["--participant-label", "--participant_label"])
def test_options_of_older_apps_have_underscores(spelling: str) -> None:
    assert parse_run([*PLACES, "group", spelling, "a_b"]).participants == ("a_b",)


def test_equals_sign_keeps_its_value() -> None:
    assert parse_run([*PLACES, "group", "--work_dir=a_b"]).work_dir == Path("a_b")


def test_what_follows_two_hyphens_is_handed_over_untouched() -> None:
    options = parse_run([*PLACES, "group", "--", "--until", "a_b", "--dry-run"])
    assert options.handed_over == ("--until", "a_b", "--dry-run")
    assert not options.is_dry


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bids"], "Missing on the command line: OUT_DIR, participant or group"),
        (["bids", "out"], "Missing on the command line: participant or group"),
        (["--participant-label", "01", "/b", "/o", "group"], "'/b' was taken for a label"),
        (["bids", "out", "subject"], "'subject' is no level; it is participant or group"),
        (["group", "bids", "out"], "The folders come first"),
        (["my", "study", "out", "group"], "Too many words"),
        ([*PLACES, "group", "--nproc", "3"], "Unrecognized arguments: --nproc 3"),
        ([*PLACES, "group", "--nprocs", "0"], "'0' is no whole number above 0"),
        ([*PLACES, "group", "--mem-mb", "8GB"], "'8GB' is no whole number above 0"),
        ([*PLACES, "group", "--participant-label"], "expected at least one argument"),
    ],
)
def test_what_is_not_understood_is_said(words: list[str], message: str) -> None:
    with pytest.raises(CommandLineError, match=message):
        parse_run(words)
