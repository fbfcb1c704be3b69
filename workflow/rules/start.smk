"""Takes the output folder for this run alone (morpho.run_lock), writes down which scans were found, looks for room."""

from snakemake.logging import logger

from morpho.disk import describe_room, free_mb
from morpho.run_lock import RunLockError, hold_lock

LOCKS = []


def start_run():
    """Take the output folder, write down which scans were found, and say whether the disk has room for them."""
    try:
        LOCKS.append(hold_lock(OUT))
    except RunLockError as error:
        raise WorkflowError(f"morpho: {error}")
    write_table(SCANS, MANIFEST, describe_scans())
    n_to_measure = sum(job.rule.name == "measure_scan" for job in workflow.dag.needrun_jobs())
    room = describe_room(n_to_measure, free_mb(Path(OUT)))
    if room:
        logger.warning(room)


onstart:
    if PLANS:
        start_run()
