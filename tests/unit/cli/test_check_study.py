"""The checks of the workflow, run on a configuration before anything is measured."""

from pathlib import Path

import pytest
import yaml

from morpho.cli.check_study import check_study


@pytest.fixture
def study(tmp_path: Path) -> dict[str, object]:
    for name in ("sub-01", "sub-02"):
        anat = tmp_path / "bids" / name / "anat"
        anat.mkdir(parents=True)
        (anat / f"{name}_T1w.nii.gz").write_bytes(b"image")
    table = "participant_id\tsex\tage\tgroup\nsub-01\tf\t20\thc\nsub-02\tm\t30\tmdd\n"
    (tmp_path / "bids" / "participants.tsv").write_text(table, encoding="utf-8")
    return {"bids_dir": str(tmp_path / "bids"), "output_dir": str(tmp_path / "out")}


def problems(folder: Path, config: dict[str, object]) -> list[str]:
    (folder / "my.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return check_study(folder / "my.yaml")


def test_study_that_can_run_has_no_problems(tmp_path: Path, study: dict[str, object]) -> None:
    assert problems(tmp_path, study) == []


def test_each_kind_of_problem_is_told(tmp_path: Path, study: dict[str, object]) -> None:
    assert "unknown key nonsense" in problems(tmp_path, {**study, "nonsense": 1})[0]
    assert "both 'patient'" in problems(tmp_path, {**study, "models": {"reference_group": "patient"}})[0]
    assert "no BIDS folder" in problems(tmp_path, {**study, "bids_dir": str(tmp_path / "x")})[0]
    levels = {"group_levels": {"patient": ["case"]}}
    assert "'mdd' (1 x)" in problems(tmp_path, {**study, "participants": levels})[0]


def test_problems_of_table_and_of_ids_are_told_together(tmp_path: Path, study: dict[str, object]) -> None:
    table = "participant_id\tsex\tage\tgroup\n1\tf\t20\tXX\n2\tm\t30\tmdd\n"
    (tmp_path / "bids" / "participants.tsv").write_text(table, encoding="utf-8")
    first, second = problems(tmp_path, study)
    assert "'XX'" in first
    assert "leading zeros" in second


def test_table_that_cannot_be_read_is_a_problem(tmp_path: Path, study: dict[str, object]) -> None:
    (tmp_path / "bids" / "participants.tsv").write_text("participant_id;sex\nsub-01;f\n", encoding="utf-8")
    assert "separated by semicolons" in problems(tmp_path, study)[0]


def test_study_without_table_can_run(tmp_path: Path, study: dict[str, object]) -> None:
    (tmp_path / "bids" / "participants.tsv").unlink()
    assert problems(tmp_path, study) == []
