"""Says at the start of a run what lies ahead, and at its end how many scans made it, which failed, and how to go on.

One run at a time may work in an output folder (morpho.run_lock).
"""

from datetime import datetime

from snakemake.logging import logger

from morpho.disk import describe_room, free_mb
from morpho.run_lock import RunLockError, hold_lock
from morpho.run_summary import FailedStep, describe_stop, summarise_run

LOCKS = []


def run_seconds():
    """Seconds since Snakemake was called."""
    return (datetime.now() - workflow.start_time).total_seconds()


def failed_steps():
    """The jobs that failed, by rule and scan, with their logs."""
    failed = [job for given in workflow.scheduler.failed for job in (given if given.is_group() else [given])]
    names = [f"{job.rule.name} {job.wildcards_dict.get('scan', '')}".rstrip() for job in failed]
    return [FailedStep(name, tuple(map(str, job.log))) for name, job in zip(names, failed, strict=True)]


def count_not_run():
    """Number of jobs that are still to do."""
    return len(workflow.scheduler.remaining_jobs) + len(workflow.scheduler.running)


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


onsuccess:
    logger.info(summarise_run(OUT, seconds=run_seconds()))


onerror:
    logger.info(describe_stop(failed_steps(), n_not_run=count_not_run(), workflow_logs=log, seconds=run_seconds()))
