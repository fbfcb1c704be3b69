"""Which T1w scans are found, which one is chosen, and why the others are not."""

import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from morpho.bids import NOT_ASKED, check_folders, find_scans
from morpho.bids_tree import EMPTY_FILE, LARGEST_POINTER, NOT_FETCHED
from morpho.errors import BidsError, ConfigError
from morpho.scans import NO_T1W, describe_scans
from morpho.tables import write_table


def make(folder: Path, *paths: str) -> Path:
    bids_dir = folder / "raw"
    for name in paths:
        path = bids_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    return bids_dir


def find(
    bids_dir: Path, filters: dict[str, Any] | None = None, participants: list[str | int] | None = None
) -> pd.DataFrame:
    output_dir = bids_dir.parent / "results"
    return find_scans(bids_dir, output_dir=output_dir, filters=filters or {}, participants=participants or [])


def choose(folder: Path, *names: str, filters: dict[str, Any] | None = None) -> tuple[str, dict[str, str]]:
    """File chosen among the T1w of one participant, and the reasons of the others."""
    scans = find(make(folder, *(f"sub-01/anat/{name}" for name in names)), filters)
    names_found = scans["path"].str.rsplit("/", n=1).str[-1]
    reasons = dict(zip(names_found, scans["reason"], strict=True))
    (chosen,) = names_found[scans["chosen"]]
    assert reasons.pop(chosen) == ""
    assert all(reasons.values())
    return str(chosen), reasons


def test_sessions_and_no_sessions_live_together(tmp_path: Path) -> None:
    bids_dir = make(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii",
        "sub-02/ses-2/anat/sub-02_ses-2_acq-mprage_run-02_T1w.nii.gz",
        "sub-02/ses-3/func/sub-02_ses-3_task-rest_bold.nii.gz",
        "sub-03/func/sub-03_task-rest_bold.nii.gz",
    )
    scans = find(bids_dir).set_index("scan")
    assert scans["chosen"].to_dict() == {
        "sub-01": True,
        "sub-02_ses-1": True,
        "sub-02_ses-2": True,
        "sub-02_ses-3": False,
        "sub-03": False,
    }
    second = scans.loc["sub-02_ses-2"]
    assert second["folder"] == "sub-02/ses-2"
    assert second["path"] == "sub-02/ses-2/anat/sub-02_ses-2_acq-mprage_run-02_T1w.nii.gz"
    assert (second["session_id"], second["acquisition"], second["run"]) == ("ses-2", "mprage", "2")
    assert scans.loc["sub-01", "session_id"] == ""
    assert scans.loc["sub-03", ["path", "reason"]].tolist() == ["", NO_T1W]


def test_nothing_but_raw_anat_folders_is_looked_into(tmp_path: Path) -> None:
    scan = "sub-01/anat/sub-01_T1w.nii.gz"
    others = [f"{top}/{scan}" for top in ("derivatives/x", "sourcedata", "code", "results")]
    others += ["sub-01/anat/sub-01_T2w.nii.gz", "sub-01/anat/sub-01_T1w.json", "sub-01/anat/._sub-01_T1w.nii.gz"]
    scans = find(make(tmp_path, scan, *others, "sub-01/extra/sub-01_T1w.nii.gz", "sub-notes.txt"))
    assert scans["path"].tolist() == [scan]


@pytest.mark.parametrize(
    ("names", "chosen", "reason"),
    [
        (["run-2", "run-1", "run-10"], "run-1", "lower run"),
        (["run-1", ""], "", "lower run"),
        (["rec-norm", "run-2"], "run-2", "no reconstruction entity"),
        (["rec-norm_run-1", "rec-norm_run-2"], "rec-norm_run-1", "lower run"),
        (["ce-gadolinium_run-1", "run-2"], "run-2", "no contrast agent"),
        (["acq-a_desc-x", "acq-b"], "acq-b", "fewer entities in its name"),
        (["acq-b", "acq-a"], "acq-a", "first in the alphabet"),
        (["acq-mprage", "acq-mprage_part-mag"], "acq-mprage", "first in the alphabet"),
    ],
)
def test_order_of_preference(tmp_path: Path, names: list[str], chosen: str, reason: str) -> None:
    def file_name(entities: str) -> str:
        return f"sub-01_{entities}{'_' if entities else ''}T1w.nii.gz"

    found, reasons = choose(tmp_path, *map(file_name, names))
    assert found == file_name(chosen)
    assert set(reasons.values()) == {f"{found} was chosen: {reason}"}


def test_choice_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    names = [f"sub-01_{entities}_T1w.nii.gz" for entities in ("acq-a_run-1", "acq-b_run-1", "acq-c", "rec-x")]
    chosen = {choose(tmp_path / str(shift), *names[shift:], *names[:shift])[0] for shift in range(4)}
    assert chosen == {"sub-01_acq-c_T1w.nii.gz"}


def test_twins_are_one_image(tmp_path: Path) -> None:
    chosen, reasons = choose(tmp_path, "sub-01_T1w.nii", "sub-01_T1w.nii.gz")
    assert chosen == "sub-01_T1w.nii.gz"
    assert reasons == {"sub-01_T1w.nii": "duplicate of sub-01_T1w.nii.gz"}


@pytest.mark.parametrize("part", ["phase", "real", "imag"])
def test_parts_without_magnitude_are_skipped(tmp_path: Path, part: str) -> None:
    chosen, reasons = choose(tmp_path, f"sub-01_part-{part}_T1w.nii.gz", "sub-01_run-2_part-mag_T1w.nii.gz")
    assert chosen == "sub-01_run-2_part-mag_T1w.nii.gz"
    assert reasons == {f"sub-01_part-{part}_T1w.nii.gz": f"part-{part} is not a magnitude image"}


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ({"acquisition": "b"}, "acq-b_run-01"),
        ({"acq": ["c", "b"], "run": 2}, "acq-b_run-02"),
        ({"run": ["02", 3]}, "acq-b_run-02"),
        ({"run": None}, "acq-c"),
        ({"acquisition": [None, "c"]}, "acq-c"),
    ],
)
def test_filters_choose_by_value_list_and_absence(tmp_path: Path, filters: dict[str, Any], chosen: str) -> None:
    names = [f"sub-01_{entities}_T1w.nii.gz" for entities in ("acq-b_run-01", "acq-b_run-02", "acq-c")]
    found, reasons = choose(tmp_path, *names, filters=filters)
    assert found == f"sub-01_{chosen}_T1w.nii.gz"
    assert all(reason.startswith(("filtered out: ", f"{found} was chosen")) for reason in reasons.values())


def test_filter_reason_has_the_value_seen_and_asked_for(tmp_path: Path) -> None:
    names = ["sub-01_acq-b_T1w.nii.gz", "sub-01_T1w.nii.gz"]
    _, reasons = choose(tmp_path, *names, filters={"acquisition": [None, "c"]})
    (reason,) = reasons.values()
    assert reason == "filtered out: acquisition is b, config scans.filters asks for absent or c"


def test_session_is_a_filter(tmp_path: Path) -> None:
    scans = find(
        make(tmp_path, *(f"sub-01/ses-{name}/anat/sub-01_ses-{name}_T1w.nii.gz" for name in ("1", "2", "x"))),
        {"session": ["ses-2", "x"]},
    )
    assert scans.loc[scans["chosen"], "session_id"].tolist() == ["ses-2", "ses-x"]


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"acqui": "a"}, "unknown entities: acqui. Allowed are session, task, acquisition, ceagent"),
        ({"subject": "01"}, "Choose people with scans.participants"),
        ({"acq": "a", "acquisition": "b"}, "names an entity twice"),
    ],
)
def test_wrong_filters_are_refused(tmp_path: Path, filters: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        find(make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz"), filters)


def test_files_that_are_not_here_are_named_and_never_chosen(tmp_path: Path) -> None:
    names = ["sub-01_T1w.nii.gz", "sub-01_run-1_T1w.nii.gz", "sub-01_run-2_T1w.nii.gz"]
    bids_dir = make(tmp_path, *(f"sub-01/anat/{name}" for name in names[1:]))
    anat = bids_dir / "sub-01/anat"
    (anat / names[0]).symlink_to("../../.git/annex/objects/aa/bb/MD5E-s1--c.nii.gz")
    (anat / names[1]).write_bytes(b"/annex/objects/MD5E-s1--c.nii.gz\n")
    scans = find(bids_dir).set_index("path")["reason"]
    assert scans[f"sub-01/anat/{names[0]}"] == scans[f"sub-01/anat/{names[1]}"] == NOT_FETCHED
    assert scans[f"sub-01/anat/{names[2]}"] == ""


def test_files_that_cannot_be_read_are_named_with_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entities = ["acq-empty", "acq-folder", "acq-link", "acq-loop", "acq-closed", "acq-pipe", "run-9"]
    names = {word: f"sub-01/anat/sub-01_{word}_T1w.nii.gz" for word in entities}
    bids_dir = make(tmp_path, names["acq-closed"], names["run-9"], names["acq-folder"] + "/x")
    (bids_dir / names["acq-empty"]).touch()
    (bids_dir / names["acq-link"]).symlink_to("/nowhere/é.nii.gz")
    (bids_dir / names["acq-loop"]).symlink_to(Path(names["acq-loop"]).name)
    os.mkfifo(bids_dir / names["acq-pipe"])
    monkeypatch.setattr(os, "access", lambda path, _: "acq-closed" not in str(path))
    scans = find(bids_dir).set_index("path")
    reasons = {word: scans.loc[path, "reason"] for word, path in names.items()}
    assert reasons == {
        "acq-empty": EMPTY_FILE,
        "acq-folder": "a folder, not a file",
        "acq-link": "a link to a file that is not here: /nowhere/é.nii.gz",
        "acq-loop": "the file cannot be read: Too many levels of symbolic links",
        "acq-closed": "the file cannot be read: Permission denied",
        "acq-pipe": "not a file that can be read",
        "run-9": "",
    }
    assert scans.loc[scans["chosen"]].index.tolist() == [names["run-9"]]


def test_large_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 files on a disk far away cost minutes otherwise."""
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (bids_dir / "sub-01/anat/sub-01_T1w.nii.gz").write_bytes(bytes(LARGEST_POINTER + 1))
    monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("a scan was opened"))
    assert find(bids_dir)["chosen"].tolist() == [True]


def test_folders_that_cannot_be_read_are_rows_with_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-02/anat/x", "sub-03/ses-1/anat/x", "sub-04/x")
    (bids_dir / "sub-05").symlink_to("nowhere")
    (bids_dir / "sub-06").symlink_to("sub-06")
    (bids_dir / "sub-04/ses-1").symlink_to("nowhere")
    scan = os.scandir

    def scan_open_ones(path: Path) -> Any:
        if str(path).endswith(("sub-02", "ses-1/anat")) and "sub-04" not in str(path):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_open_ones)
    scans = find(bids_dir).set_index("scan")
    assert scans["reason"].to_dict() == {
        "sub-01": "",
        "sub-02": "the folder sub-02 cannot be read: Permission denied",
        "sub-03_ses-1": "the folder sub-03/ses-1/anat cannot be read: Permission denied",
        "sub-04_ses-1": "the folder sub-04/ses-1 is a link that leads nowhere",
        "sub-05": "the folder sub-05 is a link that leads nowhere",
        "sub-06": "the folder sub-06 cannot be read: Too many levels of symbolic links",
    }


def test_bids_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = PermissionError(13, "Permission denied")
    monkeypatch.setattr(os, "scandir", lambda _: (_ for _ in ()).throw(denied))
    with pytest.raises(BidsError, match=r"config bids_dir\) cannot be read: Permission denied\. Check its permissions"):
        find(make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz"))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (bids_dir / "sub-01/ses-1").symlink_to("..", target_is_directory=True)
    (bids_dir / "sub-01/anat/sub-01").symlink_to("..", target_is_directory=True)
    assert find(bids_dir)["chosen"].tolist() == [True, False]


def test_almost_a_participant_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["sub-01", "Sub-02", "sub03", "SUB_04", "submissions", "subset-1", "sourcedata"]
    find(make(tmp_path, *(f"{name}/anat/{name}_T1w.nii.gz" for name in names)))
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.endswith("do not begin with 'sub-': SUB_04, Sub-02, sub03")


@pytest.mark.parametrize("name", ["sub-01_t1w.nii.gz", "sub-01_T1.nii", "sub-01_MPRAGE.nii.gz", "sub-01_T1w.mgz"])
def test_almost_a_t1w_is_named(tmp_path: Path, name: str) -> None:
    scans = find(make(tmp_path, f"sub-01/anat/{name}", "sub-01/anat/sub-01_T2w.nii", "sub-02/anat/sub-02_T1w.nii"))
    assert scans["reason"][0] == f"{NO_T1W}, but {name}; names must end with _T1w.nii or _T1w.nii.gz"


def test_entity_that_is_twice_in_a_name_is_not_bids(tmp_path: Path) -> None:
    chosen, reasons = choose(tmp_path, "sub-01_run-1_run-2_T1w.nii.gz", "sub-01_run-3_T1w.nii.gz")
    assert chosen == "sub-01_run-3_T1w.nii.gz"
    assert list(reasons.values()) == ["the entity run is twice in the file name"]


def test_names_that_are_not_utf8_are_rows_that_can_be_written(tmp_path: Path) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    odd = os.fsencode(bids_dir) + b"/sub-M\xfcller/anat/sub-M\xfcller_T1w.nii.gz"
    Path(os.fsdecode(odd)).parent.mkdir(parents=True)
    Path(os.fsdecode(odd)).write_bytes(b"image")
    scans = find(bids_dir)
    write_table(scans, tmp_path / "scans.tsv", describe_scans())
    assert scans["participant_id"].tolist() == ["sub-01", r"sub-M\xfcller"]
    assert scans["reason"][1].startswith(r"the folder name 'sub-M\xfcller' is not BIDS")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"*_T2w*\n!\n", r"no pattern of gitignore: line 2 \('!'\)\. Correct or remove"),
        (b"a\n\n[z-a]\n\\", r"line 3 \('\[z-a\]'\), line 4"),
        (b"a\0b\n", "has NUL bytes"),
    ],
)
def test_bidsignore_that_cannot_be_understood_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (bids_dir / ".bidsignore").write_bytes(content)
    with pytest.raises(BidsError, match=f"bidsignore.*{reason}"):
        find(bids_dir)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_bidsignore_of_any_editor_is_read(tmp_path: Path, encoding: str, line_end: str) -> None:
    bids_dir = make(tmp_path, *(f"sub-{name}/anat/sub-{name}_T1w.nii.gz" for name in ("01", "02")))
    (bids_dir / ".bidsignore").write_bytes(f"# schlechte Läufe{line_end}sub-01/{line_end}".encode(encoding))
    assert find(bids_dir)["chosen"].tolist() == [False, True]


def test_results_of_morpho_are_no_raw_scans(tmp_path: Path) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
    description = bids_dir / "dataset_description.json"
    description.write_text('{"GeneratedBy": [{"Name": "other"}, "x"]}', encoding="utf-8")
    assert find(bids_dir)["chosen"].all()
    description.write_text('{"DatasetType": "derivative", "GeneratedBy": [{"Name": "morpho"}]}', encoding="utf-8")
    with pytest.raises(BidsError, match=r"holds results of morpho, .*not raw scans\. Set bids_dir"):
        find(bids_dir)


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    store = make(tmp_path / "store", "sub-01/anat/sub-01_T1w.nii.gz") / "sub-01"
    bids_dir = make(tmp_path, "sub-02/anat/other.txt")
    (bids_dir / "sub-01").symlink_to(store, target_is_directory=True)
    (bids_dir / "sub-02/anat/sub-02_T1w.nii").symlink_to(store / "anat/sub-01_T1w.nii.gz")
    assert find(bids_dir)["chosen"].tolist() == [True, True]


def test_bidsignore_speaks_gitignore(tmp_path: Path) -> None:
    bids_dir = make(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_acq-bad_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-03/anat/sub-03_T1w.nii.gz",
        "sub-04/ses-1/anat/sub-04_ses-1_T1w.nii.gz",
        "sub-04/ses-2/anat/sub-04_ses-2_T1w.nii.gz",
        "sub-05/func/nothing.txt",
        "sub-06/anat/sub-06_T1w.nii.gz",
    )
    patterns = [
        "# comment",
        "*acq-bad*",
        "sub-02",
        "/sub-03/",
        "sub-04/**/*ses-1*",
        "sub-05/",
        "sub-06/*",
        "!sub-06/anat",
    ]
    (bids_dir / ".bidsignore").write_text("\n".join(patterns), encoding="utf-8")
    scans = find(bids_dir).set_index("path")
    ignored = scans.index[scans["reason"] == "listed in .bidsignore"].tolist()
    assert ignored == [
        "sub-01/anat/sub-01_acq-bad_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-03/anat/sub-03_T1w.nii.gz",
        "sub-04/ses-1/anat/sub-04_ses-1_T1w.nii.gz",
        "",
    ]
    assert scans["chosen"].sum() == 3


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("sub-02/anat/sub-01_T1w.nii.gz", "does not start with that of its folder, sub-02"),
        ("sub-02/anat/sub-021_T1w.nii.gz", "does not start with that of its folder, sub-02"),
        ("sub-02/ses-1/anat/sub-02_T1w.nii.gz", "does not start with that of its folder, sub-02_ses-1"),
        ("sub-02/anat/sub-02_mprage_T1w.nii.gz", "'mprage' in the file name is not a BIDS entity"),
        ("sub-02/anat/sub-02_color-red_T1w.nii.gz", "'color-red' in the file name is not a BIDS entity"),
        ("sub-02/anat/sub-02_acq-a b_T1w.nii.gz", "'acq-a b' in the file name is not a BIDS entity"),
        ("sub-02 old/anat/sub-02 old_T1w.nii.gz", "the folder name 'sub-02 old' is not BIDS"),
        ("sub-02/ses-1_x/anat/sub-02_ses-1_x_T1w.nii.gz", "the folder name 'ses-1_x' is not BIDS"),
    ],
)
def test_names_that_are_not_bids_are_rows_with_a_reason(tmp_path: Path, path: str, reason: str) -> None:
    scans = find(make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", path)).set_index("path")
    assert not scans.loc[path, "chosen"]
    assert reason in scans.loc[path, "reason"]


@pytest.mark.parametrize("wanted", ["02", "sub-02"])
def test_participants_are_asked_for_with_or_without_prefix(tmp_path: Path, wanted: str) -> None:
    scans = find(make(tmp_path, *(f"sub-{n}/anat/sub-{n}_T1w.nii.gz" for n in ("01", "02"))), participants=[wanted])
    assert scans["chosen"].tolist() == [False, True]
    assert scans["reason"].tolist() == [NOT_ASKED, ""]


def test_absent_participants_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"asks for sub-1, sub-7, not in the BIDS folder.*1 participants: sub-01"):
        find(make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz"), participants=["01", "7", 1])


def test_folder_that_is_no_bids_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BidsError, match=r"no BIDS folder .*config bids_dir"):
        find(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BidsError, match=r"has no sub-\* folder. It is empty. Set bids_dir to the top"):
        find(tmp_path / "empty")
    with pytest.raises(BidsError, match=r"It holds: data\. "):
        find(make(tmp_path, "data/sub-01/anat/sub-01_T1w.nii.gz"))


def test_folder_without_any_usable_scan_is_refused_with_the_reasons(tmp_path: Path) -> None:
    bids_dir = make(tmp_path, "sub-01/func/x", "sub-02/func/x", "sub-03/anat/sub-03_part-phase_T1w.nii.gz")
    with pytest.raises(BidsError, match=r"2 x no T1w image in anat/; 1 x part-phase is not a magnitude image"):
        find(bids_dir)


@pytest.mark.parametrize("inside", ["raw", "raw/results", "raw/derivatives/morpho", "results/../raw/x"])
def test_results_never_go_into_the_bids_folder(tmp_path: Path, inside: str) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(ConfigError, match="into which morpho never writes"):
        check_folders(bids_dir, tmp_path / inside)


def test_results_behind_a_link_into_the_bids_folder_are_noticed(tmp_path: Path) -> None:
    bids_dir = make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (tmp_path / "link").symlink_to(bids_dir, target_is_directory=True)
    with pytest.raises(ConfigError, match="never writes"):
        check_folders(bids_dir, tmp_path / "link" / "results")
    check_folders(bids_dir, tmp_path / "raw_results")


def test_nothing_is_written_into_the_bids_folder(tmp_path: Path) -> None:
    bids_dir = make(tmp_path, "My Study é/sub-01/anat/sub-01_T1w.nii.gz") / "My Study é"
    before = sorted(bids_dir.rglob("*"))
    assert find(bids_dir)["chosen"].all()
    assert sorted(bids_dir.rglob("*")) == before


@pytest.mark.parametrize(("name", "n_participants"), [("ds002748", 24), ("ds000011", 6)])
def test_published_data_sets(tmp_path: Path, name: str, n_participants: int) -> None:
    data = Path(os.environ.get("MORPHO_TEST_DATA", Path(__file__).parents[3] / "shared/data"))
    if not (data / name).is_dir():
        pytest.skip(f"no real scans: {name} is not in MORPHO_TEST_DATA")
    scans = find_scans(data / name, output_dir=tmp_path, filters={}, participants=[])
    assert scans["chosen"].sum() == len(scans) == scans["participant_id"].nunique() == n_participants
