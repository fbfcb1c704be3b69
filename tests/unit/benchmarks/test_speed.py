"""Times: commands are measured with their children, and the stages of morpho add up."""

import sys

import pandas as pd
import pytest
from measuring import BenchmarkError
from speed import Cost, run_together, stage_rows, summarise, thread_settings

BUSY = "import subprocess, sys, time; a = bytearray(60_000_000); subprocess.run([sys.executable, '-c', {child!r}])"
CHILD = "import time; b = bytearray(50_000_000); end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"


def test_children_count_for_time_and_memory(tmp_path):
    command = [sys.executable, "-c", BUSY.format(child=CHILD)]
    cost = run_together([command], threads=1, log=tmp_path / "log")
    assert cost.cpu_s >= 0.4
    assert cost.wall_s >= 0.4
    assert 110 < cost.peak_rss_mb < 400


def test_a_command_that_fails_ends_the_others(tmp_path):
    commands = [[sys.executable, "-c", "raise SystemExit(3)"], [sys.executable, "-c", "import time; time.sleep(60)"]]
    with pytest.raises(BenchmarkError, match="ended with 3"):
        run_together(commands, threads=1, log=tmp_path / "log")


@pytest.fixture
def logs(tmp_path):
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    for rule, seconds, cpu in (("register", "8.0", "6.0"), ("volumes", "2.0", "NA")):
        file = tmp_path / rule / "sub-one" / "sub-one.benchmark.tsv"
        file.parent.mkdir(parents=True)
        file.write_text(f"{header}{seconds}\t0:00:08\t500.0\t-\t-\t-\t-\t-\t-\t{cpu}\n")
    return tmp_path


def test_stages_overhead_and_whole(logs):
    rows = stage_rows(logs, Cost(13.0, 10.0, 700.0), threads=1, n_scans=1)
    table = {row[3]: row[4:] for row in rows}
    assert table["register"] == (8.0, 6.0, 500.0)
    assert table["snakemake"][:2] == (3.0, 4.0)
    assert table["whole"] == (13.0, 10.0, 700.0)


def test_ratios_are_stock_over_morpho(logs):
    rows = stage_rows(logs, Cost(13.0, 10.0, 700.0), threads=2, n_scans=1)
    rows.append(("antspyx", 2, 1, "whole", 39.0, 50.0, 900.0))
    columns = ["tool", "threads", "scans", "stage", "wall_s", "cpu_s", "peak_rss_mb"]
    summary = summarise(pd.DataFrame(rows, columns=columns))
    assert summary["wall_ratio_2"] == pytest.approx(3)
    assert summary["cpu_ratio_2"] == pytest.approx(5)
    assert summary["stage_wall_ratio_2"] == pytest.approx(3.9)
    assert summary["peak_mb"] == 700
    assert summary["stock_peak_mb"] == 900


def test_thread_settings_are_keys_of_the_configuration():
    assert all(value in (2, {"threads": 2}) for value in thread_settings(2).values())
