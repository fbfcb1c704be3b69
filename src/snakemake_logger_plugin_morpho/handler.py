"""The handler that Snakemake gives its messages to, and what becomes of each.

Errors, warnings and dry runs look as they always do, because Snakemake's own handler writes them. With --verbose or
--printshellcmds, its messages about each job come too. The files in ``.snakemake/log`` have everything in any case.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from functools import cached_property
from logging import WARNING, Handler, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from morpho.failures import Failure, read_failure
from morpho.jobs import explain_exit, format_duration, read_reason
from snakemake_logger_plugin_morpho.progress import Progress, Step, format_bar, format_step
from snakemake_logger_plugin_morpho.screen import Screen

LINES_OF_FAILED_LOGS = 15
INDENT = "    "
# Beginnings of what Snakemake says about itself, which helps nobody who waits for results.
CHATTER = (
    "None",
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Using shell:",
    "Select jobs to execute",
    "Execute ",
    "Removing temporary output",
    "Shutting down, this might take some time",
    "Complete log(s):",
    "Elapsed time:",
)
# What it says in the end about steps whose failure was shown.
REPEATED = ("Exiting because a job execution failed", "WorkflowError:\nAt least one job did not complete")
# What it says when the user stops the run: by Ctrl-C, which ends the running steps, or by a signal, which does not.
TERMINATING = "Terminating processes on user request"
FINISHING = "Will exit after finishing currently running jobs"
REPLACED = (LogEvent.JOB_FINISHED, LogEvent.PROGRESS)


class LogHandler(LogHandlerBase):
    """Writes Snakemake's messages to a terminal or a pipe; methods and properties are Snakemake's interface."""

    def __post_init__(self) -> None:
        """Take the settings of this call of Snakemake."""
        settings = self.common_settings
        self.quiet = {str(getattr(kind, "name", kind)).lower() for kind in settings.quiet or ()}
        self.shows_jobs = bool(settings.verbose or settings.printshellcmds or settings.debug_dag)
        self.progress = Progress()
        self.exits: list[str] = []
        self.was_interrupted = False
        self.last_remark = ""
        colour = not settings.nocolor and not os.environ.get("NO_COLOR")
        self.screen = Screen(sys.stdout if settings.stdout else sys.stderr, self._draw_bar, colour=colour)
        self.actions = {
            LogEvent.RUN_INFO: self._plan,
            LogEvent.RESOURCES_INFO: self._count_cores,
            LogEvent.JOB_INFO: self._start_job,
            LogEvent.JOB_FINISHED: self._finish_job,
            LogEvent.JOB_ERROR: self._fail_job,
            LogEvent.PROGRESS: self._count_steps,
        }

    @property
    def writes_to_stream(self) -> bool:
        """Snakemake's own messages do not come besides."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """The log file is Snakemake's own."""
        return False

    @property
    def has_filter(self) -> bool:
        """All messages are wanted: the quiet ones tell when a step starts."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Messages are written here."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """The order of the rules does not matter here."""
        return False

    @cached_property
    def plain_handler(self) -> Handler:
        """Snakemake's own handler, with its filter and formatter."""
        from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

        settings = self.common_settings
        handler: Handler = ColorizingTextHandler(nocolor=not self.screen.colour, stream=self.screen.stream)
        flags = (settings.debug_dag, settings.verbose, settings.dryrun, settings.printshellcmds)
        handler.addFilter(DefaultFilter(settings.quiet, *flags))
        handler.setFormatter(DefaultFormatter(settings.quiet, settings.show_failed_logs))
        return handler

    def emit(self, record: LogRecord) -> None:
        """Write what a message has to say to the user, if anything."""
        try:
            if self.common_settings.dryrun:
                self._pass_on(record)
            elif "all" not in self.quiet:
                self._show(record)
        except BrokenPipeError:
            return
        except Exception:  # noqa: BLE001 - as every handler of `logging` does: a message must never stop the run
            self.handleError(record)

    def close(self) -> None:
        """Take the bar off the terminal."""
        self.screen.close()
        super().close()

    def _show(self, record: LogRecord) -> None:
        """Write a message of a run."""
        event = getattr(record, "event", None)
        if event in self.actions:
            self.actions[event](record)
        if self.shows_jobs:
            if event not in REPLACED:
                self._pass_on(record)
        elif event is LogEvent.ERROR or record.levelno >= WARNING:
            self._show_trouble(record, event)
        elif event is None and not record.getMessage().startswith(CHATTER):
            self._show_remark(record.getMessage())

    def _pass_on(self, record: LogRecord) -> None:
        """Let Snakemake's own handler write a message."""
        with self.screen.without_bar():
            self.plain_handler.handle(record)

    def _show_trouble(self, record: LogRecord, event: LogEvent | None) -> None:
        """Write an error or a warning, but for those that say again what a failed step's line says."""
        message = record.getMessage()
        if event is LogEvent.JOB_ERROR:
            return
        if event is LogEvent.ERROR and explain_exit(message):
            self.exits.append(message)
            return
        if not (message.startswith(REPEATED) and (self.progress.failed or self.last_remark)):
            self._pass_on(record)

    def _show_remark(self, message: str) -> None:
        """Write what is neither about a job nor trouble, such as the summary at the end."""
        if message.startswith(TERMINATING):
            self.was_interrupted = True
            message = "Stopping the steps that run ..."
        if message.startswith(FINISHING):
            message = "Stopping when the steps that run are done ..."
        if message.strip() and message != self.last_remark:
            self.screen.write_lines(message)
        self.last_remark = message

    def _count_cores(self, record: LogRecord) -> None:
        """Take note of how many steps run at a time."""
        self.progress.n_cores = getattr(record, "cores", None) or self.progress.n_cores

    def _plan(self, record: LogRecord) -> None:
        """Say how much there is to do."""
        counts = dict(getattr(record, "stats", {}))
        counts.pop("total", None)
        self.progress.plan(counts)
        if "progress" not in self.quiet:
            at_a_time = f", {self.progress.n_cores} at a time" if self.progress.n_cores > 1 else ""
            plural = "" if self.progress.n_steps == 1 else "s"
            self.screen.write_lines(f"{self.progress.n_steps} step{plural} to do{at_a_time}")
            self.screen.start_bar()

    def _count_steps(self, record: LogRecord) -> None:
        """Take over Snakemake's number of steps, which changes if a run finds more to do."""
        self.progress.n_steps = getattr(record, "total", self.progress.n_steps)

    def _start_job(self, record: LogRecord) -> None:
        """Take note of a job that starts."""
        wildcards = dict(getattr(record, "wildcards", None) or {})
        what = wildcards.get("scan") or " ".join(dict.fromkeys(map(str, wildcards.values())))
        files = [tuple(getattr(record, name, None) or ()) for name in ("output", "log")]
        step = Step(str(getattr(record, "rule_name", "")), str(what), record.created, *files)
        self.progress.start(int(getattr(record, "jobid", -1)), step)

    def _finish_job(self, record: LogRecord) -> None:
        """Write the line of a job that is done, and the reason if it found that its scan cannot be measured."""
        finished = self.progress.finish(int(getattr(record, "job_id", -1)), record.created)
        if finished is None:
            return
        step, seconds = finished
        failure = find_failure(step.outputs)
        is_new = failure is not None and failure.log in step.logs
        took = format_duration(seconds) if failure is None or is_new else "left out"
        line = format_step(self.progress, step, took, record.created)
        if failure is not None and is_new:
            line += f"\n{INDENT}{step.what} FAILED and is left out: {failure.reason}\n{INDENT}log: {failure.log}"
        self.screen.write_lines(line, alarm=is_new)

    def _fail_job(self, record: LogRecord) -> None:
        """Write which job failed, why, and where its log is."""
        rule, logs = str(getattr(record, "rule_name", "")), list(getattr(record, "log", None) or ())
        exit_text = self._take_exit(rule)
        if self.was_interrupted or was_interrupted(exit_text):
            return
        number = int(getattr(record, "jobid", -1))
        step = self.progress.running.get(number)
        seconds = self.progress.fail(number, record.created)
        after = "" if seconds is None else f" after {format_duration(seconds)}"
        ending = explain_exit(exit_text)
        found = "" if ending.startswith("killed") else read_reason(logs)
        name = f"{rule} {step.what if step else ''}".rstrip()
        lines = [f"FAILED {name}{after}: {found or ending or 'the reason is above or in the log'}"]
        lines += [f"{INDENT}log: {log}" for log in logs] or [f"{INDENT}it has no log"]
        self.screen.write_lines("\n".join(lines), alarm=True)
        if self.common_settings.show_failed_logs and not self.shows_jobs and last_lines(logs):
            self.screen.write_lines("\n".join(f"{INDENT}| {line}" for line in last_lines(logs)))

    def _take_exit(self, rule: str) -> str:
        """Take the message about how the process of a rule ended, which Snakemake writes before the failure."""
        fitting = [text for text in self.exits if rule in text] or self.exits[:1]
        if not fitting:
            return ""
        self.exits.remove(fitting[0])
        return fitting[0]

    def _draw_bar(self, width: int) -> str:
        """Text of the bar at this moment."""
        return format_bar(self.progress, time.time(), width)


def find_failure(outputs: Iterable[str]) -> Failure | None:
    """Find the failure note among the outputs of a step; None if it made what it should."""
    for output in outputs:
        try:
            return read_failure(output)
        except (OSError, ValueError, TypeError):
            continue
    return None


def was_interrupted(exit_text: str) -> bool:
    """Tell whether a process ended because the user pressed Ctrl-C."""
    return "SIGINT" in exit_text or "exit status 130" in exit_text


def last_lines(logs: Iterable[str]) -> list[str]:
    """Last lines of all logs that can be read."""
    lines: list[str] = []
    for log in logs:
        try:
            lines += Path(log).read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_OF_FAILED_LOGS:]
        except OSError:
            continue
    return lines
