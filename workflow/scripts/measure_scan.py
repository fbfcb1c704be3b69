"""Adapter of rule `measure_scan`: a raw scan in, `morpho.scan.plan.measure_scan`, all its derivatives out."""

import sys
from collections.abc import Callable

from morpho.children import run_child
from morpho.failures import Failure, write_killed
from morpho.logs import log_to

log_to(snakemake.log[0])
given, out, params = snakemake.input, snakemake.output, snakemake.params


def measure(announce: Callable[[str], None]) -> None:
    """Import here, in the child, what takes memory: the parent must survive if it runs out."""
    from morpho.provenance import MEASURED_WITH, SOFTWARE, software_versions
    from morpho.scan.plan import measure_scan, scan_files

    files = scan_files(given.t1w, params.raw, out.record, {"name": params.atlas, **dict(given.items())})
    about = {MEASURED_WITH: params.measured_with, SOFTWARE: software_versions()}
    measure_scan(files, params.settings, about, log=snakemake.log[0], announce=announce)


ended = run_child(measure)
if ended.was_killed:
    write_killed(Failure(ended.stage or "start", ended.explain(), snakemake.log[0]), [*out], out.record)
sys.exit(max(ended.status, 0))
