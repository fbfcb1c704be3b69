"""What a run cost, from Snakemake's benchmark files."""

from pathlib import Path

import numpy as np
import pytest

from morpho.errors import MorphoError
from morpho.run_cost import read_run_cost, summarise_run_cost

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def line(seconds: float, megabytes: str, cpu: str) -> str:
    return f"{seconds}\t0:00:06\t{megabytes}\t1\t1\t1\t0\t0\t80\t{cpu}\n"


def test_steps_are_summarised_by_hand_arithmetic(tmp_path: Path) -> None:
    for scan, text in {"sub-01": line(2, "100", "1.5"), "sub-02/ses-1": line(4, "300", "2.5")}.items():
        path = tmp_path / "segment_tissue" / scan / "x.benchmark.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(HEAD + text, encoding="utf-8")
    (tmp_path / "write_report").mkdir()
    (tmp_path / "write_report" / "cohort.benchmark.tsv").write_text(HEAD + line(9, "50", "8"), encoding="utf-8")
    table = read_run_cost(tmp_path)
    assert table["step"].tolist() == ["write_report", "segment_tissue"]
    row = table.iloc[1]
    assert (row["n"], row["mean_s"], row["max_s"], row["cpu_s"], row["max_mb"]) == (2, 3.0, 4.0, 4.0, 300.0)


def test_what_snakemake_could_not_take_is_missing() -> None:
    table = summarise_run_cost({"quick": {"a": HEAD + line(0.01, "-", "NA")}})
    assert table.loc[0, "max_s"] == 0.01
    assert np.isnan(table.loc[0, ["cpu_s", "max_mb"]].astype(float)).all()


def test_a_run_without_benchmarks_has_an_empty_table(tmp_path: Path) -> None:
    assert read_run_cost(tmp_path / "absent").empty


def test_another_table_is_refused() -> None:
    with pytest.raises(MorphoError, match="no benchmark file"):
        summarise_run_cost({"step": {"logs/step/x.benchmark.tsv": "a\tb\n1\t2\n"}})
