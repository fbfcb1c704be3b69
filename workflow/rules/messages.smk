"""Says at the end of a run how many scans made it, which failed and why, where the report is, and how to go on."""

from datetime import datetime

from snakemake.logging import logger

from morpho.run_summary import FailedStep, describe_stop, summarise_run


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


onsuccess:
    logger.info(summarise_run(OUT, seconds=run_seconds()))


onerror:
    logger.info(describe_stop(failed_steps(), n_not_run=count_not_run(), workflow_logs=log, seconds=run_seconds()))
