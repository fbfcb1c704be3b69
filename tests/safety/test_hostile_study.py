"""A study whose ids, names and levels try to get out: of the formula, of the page, of the folder, of the house.

All statistics and the report to share are made of it, from tables, without network.
"""

import json
import re
import stat
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from morpho.cli.pipeline import read_study_config
from morpho.errors import ConfigError

ROIS = ["hippocampus", "amygdala"]
N = 60
PERSON = "Klara"  # in every id
TOUCH = '__import__("pathlib").Path("RAN").touch()'
SCALE = f'x") + I({TOUCH}) + Q("'
SYMPTOM = "<b onmouseover=alert(3)>"
ARM = "arm<svg onload=alert(4)>"
SITES = ["</script><script>alert(1)</script>", "n&\"o'rth"]
ARMS = ["<img src=x onerror=alert(2)>", f"I({TOUCH})"]
TITLE = "<script>alert(5)</script>"
CLAIM = {
    "claim": "<script>alert(6)</script>",
    "review": "<script>alert(7)</script>",
    "evidence": {"says": "<script>alert(8)</script>", "source": "javascript:alert(9)"},
    "tests": [
        {
            "test": "symptoms",
            "each": "symptoms",
            "formula": "volume ~ each + covariates",
            "effect": {"slope": "each"},
            "population": "patients",
            "decides": ["hippocampus"],
            "says": {"direction": "negative"},
        }
    ],
}


def write_study(folder: Path, **claim: Any) -> list[str]:
    """Write tables, claims and configuration of the study; give the arguments that name them."""
    rng = np.random.default_rng(4)
    ids = [f"sub-{PERSON}{number:03}" for number in range(N)]
    is_patient = np.arange(N) % 2 == 1
    volumes = pd.DataFrame({"participant_id": ids, "eTIV": rng.normal(1.5e6, 1e5, N)})
    for roi in ROIS:
        volumes[[f"{roi}_L_mm3", f"{roi}_R_mm3"]] = rng.normal(3500, 250, N)[:, None] + rng.normal(0, 30, (N, 2))
    people = pd.DataFrame(
        {
            "participant_id": ids,
            "group": np.where(is_patient, "MDD", "HC"),
            "age": rng.integers(18, 60, N),
            "sex": rng.choice(["f", "m"], N),
            "site": rng.choice(SITES, N),
            "points": np.where(is_patient, rng.integers(5, 40, N), np.nan),
            "symptom": rng.normal(0, 1, N),
            "arm": rng.choice(ARMS, N),
        }
    )
    volumes.to_csv(folder / "volumes.tsv", sep="\t", index=False)
    people.to_csv(folder / "people.tsv", sep="\t", index=False, na_rep="n/a", quoting=3, escapechar="\\")
    claims = {"variables": {}, "populations": {"everyone": {}, "patients": {"group": "patient"}}}
    (folder / "claims.yaml").write_text(yaml.safe_dump(claims | {"claims": {"own": CLAIM | claim}}), encoding="utf-8")
    arm = {"column": "arm", "domain": "clinical", "levels": {}}
    settings = {
        "participants": {
            "severity": {SCALE: "points"},
            "variables": {SYMPTOM: {"column": "symptom", "domain": "symptoms", "unit": "<i>u</i>"}, ARM: arm},
        },
        "models": {
            "claims": str(folder / "claims.yaml"),
            "n_permutations": 100,
            "families": {
                "primary": {"rois": ROIS, "hemispheres": ["mean"]}, "hemispheres": None, "parts": None, "totals": None,
            },
        },
        "figures": {"formats": ["png"], "dpi": 60},
        "report": {"share": True, "title": TITLE},
    }  # fmt: skip
    (folder / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    tables = ["volumes=volumes.tsv", "participants=people.tsv"]
    return ["--configfile", "my.yaml", "--config", *tables, "output_dir=out"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, sealed: Any) -> Path:
    folder = tmp_path_factory.mktemp("study")
    run = sealed.snakemake(folder, *write_study(folder), umask=0o027)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def shared_files(study: Path) -> list[Path]:
    """List what is made to be given away."""
    return [
        path for name in ("report", "enigma_export") for path in (study / "out" / name).rglob("*") if path.is_file()
    ]


def test_statistics_and_report_need_no_network(study: Path, sealed: Any) -> None:
    assert (study / "out/report/index.html").is_file()
    assert not sealed.attempts.exists(), sealed.attempts.read_text(encoding="utf-8")


def test_no_name_of_a_column_or_level_is_run(study: Path) -> None:
    """The scale and an arm hold a Python expression; the scale is tested under its own name all the same."""
    assert not list(study.rglob("RAN"))
    rows = pd.read_csv(study / "out/group/severity_association.tsv", sep="\t")
    assert set(rows["scale"]) == {SCALE}
    assert (rows["status"] == "fitted").all()
    tests = pd.read_csv(study / "out/group/claim_tests.tsv", sep="\t")
    assert (tests["status"] == "fitted").all()


def test_nobody_is_in_what_is_shared(study: Path) -> None:
    """Neither in the files nor in their names; the tables of the study itself do name people."""
    assert PERSON in (study / "out/group/cohort.tsv").read_text(encoding="utf-8")
    found = [path for path in shared_files(study) if PERSON.encode() in path.read_bytes() or PERSON in path.name]
    assert found == []
    assert len(shared_files(study)) > 20


def test_what_is_shared_names_no_place(study: Path) -> None:
    texts = [path for path in shared_files(study) if path.suffix in {".html", ".tsv", ".json", ".txt", ".js", ".yaml"}]
    assert [path for path in texts if str(study) in path.read_text(encoding="utf-8")] == []


class Danger(HTMLParser):
    """Collects what a page would run: scripts, attributes that begin with "on", addresses with a script."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_script = tag == "script"
        for name, value in attrs:
            if (name.startswith("on") or (value or "").strip().lower().startswith("javascript:")) and "alert" in str(
                value
            ):
                self.found.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, _tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script and re.search(r"alert\(\d\)", data) and not is_json(data):
            self.found.append(data[:200])


def is_json(text: str) -> bool:
    """Whether a script is data that nothing runs."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def find_danger(page: str) -> Iterator[str]:
    parser = Danger()
    parser.feed(page)
    yield from parser.found


def test_names_and_levels_are_text_on_every_page(study: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in (study / "out/report").rglob("*.html")}
    assert {name: danger for name, page in pages.items() if (danger := list(find_danger(page)))} == {}
    assert any("&lt;script&gt;alert(5)" in page for page in pages.values())
    assert any("alert(3)" in page for page in pages.values())


@pytest.mark.parametrize(
    "page", ["<script>alert(1)</script>", "<b onclick='alert(1)'>", "<a href='javascript:alert(1)'>", TITLE]
)
def test_a_page_that_runs_a_name_is_found(page: str) -> None:
    assert list(find_danger(page))


def test_nothing_is_left_open_or_behind(study: Path, sealed: Any) -> None:
    """With the umask 027 of a shared machine nothing can be read by others, and no temporary file stays."""
    for place in (study, sealed.temporary):
        for path in place.rglob("*"):
            if place == sealed.temporary or (study / "out") in path.parents:
                assert not path.lstat().st_mode & stat.S_IRWXO, path
    assert [path for path in sealed.temporary.rglob("*") if path.is_file()] == []


def test_a_formula_that_is_more_than_a_model_is_refused_before_the_first_job(tmp_path: Path, sealed: Any) -> None:
    """Which formulas are: tests/unit/test_formulas.py."""
    effect = {"difference": ["group", "patient", "control"]}
    formula = f"volume ~ group + I({TOUCH}) + covariates"
    arguments = write_study(tmp_path, tests=[{"test": "one", "formula": formula, "effect": effect}])
    run = sealed.snakemake(tmp_path, *arguments, "--dry-run")
    assert run.returncode != 0
    assert "own, test one: the formula" in run.stdout + run.stderr
    assert "Functions are C, I, Q" in run.stdout + run.stderr
    assert not list(tmp_path.rglob("RAN"))


def test_a_configuration_that_is_a_program_never_reaches_the_workflow_engine(tmp_path: Path) -> None:
    """Snakemake itself would run it; the command `morpho` reads it first. See docs/robustness.md, Safety."""
    (tmp_path / "my.yaml").write_text(f"__use_yte__: true\nreport:\n  title: ?{TOUCH}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="makes a program of it"):
        read_study_config(tmp_path / "my.yaml")
    assert not list(tmp_path.rglob("RAN"))
