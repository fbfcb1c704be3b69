"""Python and packages: what is there, what fits."""

import importlib.metadata
import shlex
from pathlib import Path

import pytest

from morpho.cli.doctor_software import check_clusters, check_logger, check_packages, check_python


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 13, 2), "ok"), ((3, 14, 0), "note")]
)
def test_python_is_neither_too_old_nor_untried(version: tuple[int, ...], verdict: str) -> None:
    assert check_python(version).verdict == verdict


def test_packages_are_held_against_what_is_required() -> None:
    given = ["numpy>=1", "numpy>=999", "no-such-package>=1,<2", "numpy>=998; extra == 'dev'", "x; sys_platform == 'y'"]
    first, second, third = check_packages(given)
    assert (first.verdict, first.value) == ("ok", importlib.metadata.version("numpy"))
    assert (second.verdict, second.wanted) == ("fail", ">=999")
    assert (third.verdict, third.value) == ("fail", "not installed")
    assert "pip install 'no-such-package<2,>=1'" in third.remedy


def test_all_requirements_of_this_installation_are_met() -> None:
    findings = {finding.what: finding for finding in check_packages()}
    assert {"numpy", "antspyx", "snakemake", "onnxruntime"} <= set(findings)
    assert [finding for finding in findings.values() if finding.verdict != "ok"] == []
    assert not {"pytest", "torch"} & set(findings)


def test_missing_logger_plugin_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_logger().verdict == "ok"
    monkeypatch.setattr("morpho.cli.doctor_software.LOGGER_PLUGIN", "snakemake_logger_plugin_nowhere")
    assert check_logger().verdict == "fail"


def test_slurm_without_its_plugin_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("morpho.cli.doctor_software.EXECUTOR_PREFIX", "no-such-prefix-")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    plugins, slurm = check_clusters()
    assert (plugins.verdict, slurm.verdict) == ("", "note")
    command = shlex.split(slurm.remedy.removeprefix("to use it: ").partition(",")[0])
    assert command[:4] == ["pip", "install", "--no-deps", "-r"]
    assert "snakemake-executor-plugin-slurm==" in Path(command[4]).read_text(encoding="utf-8")
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert [finding.verdict for finding in check_clusters()] == [""]
