"""From a call of the BIDS App to the call of Snakemake: places, configuration, arguments."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from morpho.cli.run import build_command, build_config, check_places, write_config
from morpho.cli.run_options import RunOptions
from morpho.errors import CommandLineError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    for name in ("01", "02"):
        (tmp_path / "my study" / f"sub-{name}" / "anat").mkdir(parents=True)
    return tmp_path / "my study"


def call(bids_dir: Path, **given: object) -> RunOptions:
    return RunOptions(bids_dir, bids_dir.parent / "out", **{"level": "group", **given})  # type: ignore[arg-type]


def test_swapped_folders_are_noticed(bids_dir: Path) -> None:
    with pytest.raises(CommandLineError, match=r"has no sub-\* folder.*are the two swapped\?"):
        check_places(RunOptions(bids_dir.parent, bids_dir, "group"))


def test_absent_bids_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandLineError, match=r"BIDS_DIR '.*nowhere' does not exist"):
        check_places(RunOptions(tmp_path / "nowhere", tmp_path / "out", "group"))


@pytest.mark.parametrize("inside", ["", "derivatives/morpho"])
def test_nothing_is_written_into_the_bids_folder(bids_dir: Path, inside: str) -> None:
    with pytest.raises(CommandLineError, match=r"OUT_DIR '.*' lies inside BIDS_DIR"):
        check_places(RunOptions(bids_dir, bids_dir / inside, "group"))
    with pytest.raises(CommandLineError, match=r"The work folder '.*' lies inside BIDS_DIR"):
        check_places(call(bids_dir, work_dir=bids_dir / "work"))


def test_file_in_place_of_the_output_folder_is_refused(bids_dir: Path) -> None:
    (bids_dir.parent / "out").touch()
    with pytest.raises(CommandLineError, match=r"OUT_DIR '.*' is a file"):
        check_places(call(bids_dir))


def test_people_who_are_not_there_are_named(bids_dir: Path) -> None:
    check_places(call(bids_dir, participants=("01", "02")))
    with pytest.raises(CommandLineError, match=r"3, 04 not in BIDS_DIR .* which has 2: 01, 02"):
        check_places(call(bids_dir, participants=("01", "3", "04")))


def test_command_line_counts_more_than_filter_file_and_this_more_than_configurations(
    bids_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bids_dir.parent
    first = {"bids_dir": "/elsewhere", "scans": {"filters": {"acquisition": "a", "run": 1}, "participants": ["02"]}}
    (folder / "first.yaml").write_text(yaml.safe_dump(first), encoding="utf-8")
    (folder / "second.yaml").write_text("scans: {filters: {run: 2}}\nmodels: {seed: 1}\n", encoding="utf-8")
    query = {"t1w": {"acquisition": "b", "session": "9"}}
    (folder / "filter.json").write_text(json.dumps(query), encoding="utf-8")
    options = call(
        bids_dir,
        configs=(folder / "first.yaml", folder / "second.yaml"),
        filter_file=folder / "filter.json",
        participants=("01",),
        sessions=("1", "2"),
    )
    assert build_config(options) == {
        "bids_dir": str(bids_dir),
        "output_dir": str(folder / "out"),
        "scans": {"filters": {"acquisition": "b", "run": 2, "session": ["1", "2"]}, "participants": ["01"]},
        "models": {"seed": 1},
    }
    assert "bids_dir of the command line counts" in capsys.readouterr().err


def test_tables_in_place_of_scans_are_no_matter_of_a_bids_app(bids_dir: Path) -> None:
    (bids_dir.parent / "tables.yaml").write_text("volumes: v.tsv\nparticipants: p.tsv\n", encoding="utf-8")
    with pytest.raises(CommandLineError, match="statistics without scans"):
        build_config(call(bids_dir, configs=(bids_dir.parent / "tables.yaml",)))


def test_leading_zeros_and_odd_letters_survive_the_file(tmp_path: Path) -> None:
    config = {"bids_dir": '/it\'s "mine" $(x) ü', "scans": {"participants": ["01", "1e3", "no"]}}
    path = write_config(config, tmp_path)
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == config


def test_file_is_private_and_never_changed_by_another_call(tmp_path: Path) -> None:
    first, second = write_config({"a": 1}, tmp_path), write_config({"a": 2}, tmp_path)
    assert first != second
    assert write_config({"a": 1}, tmp_path) == first
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == sorted([first, second])


def test_participant_measures_scans_and_group_does_everything(bids_dir: Path) -> None:
    for level, targets in (("participant", ["scans"]), ("group", [])):
        command = build_command(call(bids_dir, level=level), Path("c.yaml"), Path("w"))
        assert command[4 : command.index("--configfile")] == targets


def test_cores_and_memory_are_those_asked_for(bids_dir: Path) -> None:
    command = build_command(call(bids_dir, n_procs=3, mem_mb=8000), Path("c.yaml"), Path("w"))
    assert command[command.index("--cores") + 1] == "3"
    assert command[command.index("--resources") + 1] == "mem_mb=8000"


def test_limits_of_this_machine_are_not_those_of_a_cluster(bids_dir: Path) -> None:
    command = build_command(call(bids_dir, profile="slurm"), Path("c.yaml"), Path("w"))
    assert not {"--cores", "--jobs", "--resources"} & set(command)
    command = build_command(call(bids_dir, profile="slurm", n_procs=50), Path("c.yaml"), Path("w"))
    assert command[command.index("--jobs") + 1] == "50"


def test_what_is_handed_over_comes_last_behind_an_option_with_one_value(bids_dir: Path) -> None:
    command = build_command(call(bids_dir, handed_over=("report", "--forceall")), Path("c.yaml"), Path("w"))
    assert command[-4:] == ["--directory", "w", "report", "--forceall"]
