"""`morpho init` on whole folders: what it writes, what it says, what it refuses."""

import json
import logging
import os
import re
from pathlib import Path

import pytest
import yaml

from morpho.cli.check_study import check_study
from morpho.cli.init import _say_groups, run_init, suggest_output
from morpho.errors import BidsError, CommandLineError, ParticipantsError

TABLE = "participant_id\tGender\tAge\tdx\tHDRS17\n" + "".join(
    f"sub-0{row}\t{'fm'[row % 2]}\t{20 + row}\t{('HC', 'MDD')[row % 2]}\t{row}\n" for row in range(1, 7)
)


@pytest.fixture
def bids_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make six people with a scan and a table; the present folder is another one."""
    folder = tmp_path / "study"
    for row in range(1, 7):
        anat = folder / f"sub-0{row}" / "anat"
        anat.mkdir(parents=True)
        (anat / f"sub-0{row}_T1w.nii.gz").write_bytes(b"image")
    (folder / "participants.tsv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")])


def test_folder_as_it_should_be_gives_a_study_that_can_run(bids_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bids_dir / "dataset_description.json").write_text(json.dumps({"Name": "My study"}), encoding="utf-8")
    before = listing(bids_dir)
    assert run_init([str(bids_dir)]) == 0
    assert listing(bids_dir) == before
    written = yaml.safe_load(Path("study.yaml").read_text(encoding="utf-8"))
    assert written["bids_dir"] == str(bids_dir)
    assert written["output_dir"] == str(bids_dir.parent / "study_morpho")
    assert written["participants"]["severity"] == {"HAMD17": "HDRS17"}
    assert written["report"] == {"title": "Grey-matter volumes: My study"}
    said = capsys.readouterr().out
    assert "people with scans: control (3), patient (3)" in said
    assert "group is column 'dx', by its name" in said
    assert said.splitlines()[-1] == (
        f"  morpho {bids_dir} {bids_dir.parent}/study_morpho group --config study.yaml --dry-run"
    )


def test_open_spelling_stops_the_run_until_it_is_filled_in(bids_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bids_dir / "participants.tsv").write_text(TABLE.replace("MDD", "XX", 1), encoding="utf-8")
    assert run_init([str(bids_dir), "--output", "my.yaml"]) == 1
    assert "morpho will not run with it before this is put right" in capsys.readouterr().out
    assert "'XX' (1 x)" in check_study(Path("my.yaml"))[0]
    text = Path("my.yaml").read_text(encoding="utf-8")
    Path("my.yaml").write_text(re.sub(r"# (XX: \[XX\])", r"\1", text), encoding="utf-8")
    assert check_study(Path("my.yaml")) == []


def test_who_has_no_scan_or_no_row_is_named_on_the_screen_and_not_in_the_file(
    bids_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = TABLE.replace("sub-06", "sub-66")
    (bids_dir / "participants.tsv").write_text(table, encoding="utf-8")
    assert run_init([str(bids_dir)]) == 0
    said = capsys.readouterr().out
    assert "in participants.tsv, but without scan: 1 (sub-66)" in said
    assert "with scan, but not in participants.tsv: 1 (sub-06)" in said
    assert "sub-" not in Path("study.yaml").read_text(encoding="utf-8").replace("sub-*", "")


def test_doubts_of_the_readers_are_said_once(bids_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bids_dir / "participants.tsv").write_bytes(TABLE.replace("HC", "gesünd, HC").encode("latin-1"))
    run_init([str(bids_dir)])
    captured = capsys.readouterr()
    assert captured.out.count("Latin-1") == 1
    assert captured.err == ""


def test_logging_is_left_as_it_was(bids_dir: Path) -> None:
    logger = logging.getLogger("morpho")
    before = list(logger.handlers)
    run_init([str(bids_dir)])
    assert logger.handlers == before
    assert logger.propagate


def test_group_that_is_too_small_is_said(bids_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = TABLE.replace("HC", "MDD", 2)
    (bids_dir / "participants.tsv").write_text(table, encoding="utf-8")
    run_init([str(bids_dir)])
    assert "a group is too small: groups are not compared" in capsys.readouterr().out


def test_sample_that_is_too_small_for_the_default_model_is_said(
    bids_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_init([str(bids_dir)])
    # Two groups, age, sex and head size are 5 columns; models.min_residual_df asks for 10 people more.
    assert "6 people are too few to compare groups" in capsys.readouterr().out
    assert "it takes 15" in " ".join(_say_groups({"control": 7, "patient": 7}, 5))
    assert "fewer than 20 people" in _say_groups({"control": 7, "patient": 8}, 5)[-1]
    assert len(_say_groups({"control": 20, "patient": 20}, 5)) == 1


def test_file_that_exists_is_only_written_over_by_force(bids_dir: Path) -> None:
    Path("study.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(CommandLineError, match=r"'study\.yaml' exists.*--force"):
        run_init([str(bids_dir)])
    assert Path("study.yaml").read_text(encoding="utf-8") == "mine"
    assert run_init([str(bids_dir), "--force"]) == 0


def test_nothing_is_written_into_the_bids_folder(bids_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandLineError, match="lies in the BIDS folder"):
        run_init([str(bids_dir), "--output", str(bids_dir / "code" / "my.yaml")])
    monkeypatch.chdir(bids_dir)
    with pytest.raises(CommandLineError, match="lies in the BIDS folder"):
        run_init([str(bids_dir)])


def test_results_go_beside_the_study_or_else_here(bids_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert suggest_output(bids_dir) == bids_dir.parent / "study_morpho"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert suggest_output(bids_dir) == Path.cwd() / "study_morpho"


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_folder_that_is_none_is_refused(bids_dir: Path, name: str) -> None:
    (bids_dir.parent / "file").touch()
    with pytest.raises(CommandLineError, match="There is no folder"):
        run_init([str(bids_dir.parent / name)])


def test_folder_without_people_and_table_without_tabs_are_errors_and_nothing_is_written(bids_dir: Path) -> None:
    (bids_dir / "participants.tsv").write_text(TABLE.replace("\t", ";"), encoding="utf-8")
    with pytest.raises(ParticipantsError, match="separated by semicolons"):
        run_init([str(bids_dir)])
    with pytest.raises(BidsError, match=r"no sub-\* folder"):
        run_init([str(bids_dir.parent / "here"), "--output", str(bids_dir.parent / "x.yaml")])
    assert list(bids_dir.parent.rglob("*.yaml")) == []
