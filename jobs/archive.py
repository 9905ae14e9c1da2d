"""The command ``colorize archive INPUT OUTPUT``: colorizes many photographs."""

from __future__ import annotations

from typing import Any

import click

from colorize_core.archiving.config import REVIEW_ROWS, ArchiveConfig
from colorize_core.archiving.job import ArchiveJob
from colorize_core.archiving.reporting.log_lines import LogLines
from colorize_core.archiving.reporting.screen import RunReporter, TerminalReporter
from colorize_core.archiving.run import run as run_job
from colorize_core.archiving.runners import LOCAL_PHOTOGRAPHS
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.archiving.state.summary import RunSummary
from colorize_core.images.formats import OPTIONS
from jobs.exits import DONE, MAX_FAILED, TOO_MANY_FAILED, run
from jobs.options import ENGINE, MODEL, SATURATION, encoding_of, format_options, runner_option


@click.command("archive")
@click.argument("input")
@click.argument("output")
@MODEL
@click.option("--format", "file_format", type=click.Choice(list(OUTPUT_FORMATS)), default="png", show_default=True)
@SATURATION
@format_options
@click.option("--dry-run", is_flag=True, help="Show what would be done, and write nothing.")
@click.option("--retry-failed", is_flag=True, help="Try photographs again that failed before.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N photographs.")
@MAX_FAILED
@click.option("--recolor", is_flag=True, help="Give new colors to photographs that are in color already.")
@click.option("--dedupe", is_flag=True, help="Colorize equal files once, and copy the result.")
@click.option("--review", metavar="FILE.csv", default="", help="List the results with the largest doubt in a new file.")
@click.option("--review-rows", type=click.IntRange(1), default=REVIEW_ROWS, show_default=True, help="Most rows of it.")
@click.option("--report/--no-report", default=True, help="Write a page that shows the results.  [default: report]")
@runner_option(f"up to {LOCAL_PHOTOGRAPHS:,} photographs")
@ENGINE
@click.option("--log-json", is_flag=True, help="Print one JSON object per line, for programs.")
def command(dry_run: bool, max_failed: float, log_json: bool, **settings: Any) -> int:
    """Colorizes the photographs of INPUT at full resolution into OUTPUT.

    INPUT is a folder (with all below it), a glob, an image, a .tar or .zip file, a .parquet file with a column of
    images, or a .txt file with a path or URL per line. Run the same command again to continue an interrupted run.
    """
    reporter: RunReporter = LogLines() if log_json else TerminalReporter()
    encoding = encoding_of(settings["file_format"], {name: settings.pop(name) for name in OPTIONS})
    job = ArchiveJob(ArchiveConfig(encoding=encoding, **settings))
    if dry_run:
        reporter.plan(job, job.plan())
        return DONE
    try:
        summary = colorize(job, reporter)
    except KeyboardInterrupt:
        click.echo("finished photographs are kept: run the same command to continue", err=True)
        raise
    return DONE if summary.is_within(max_failed) else TOO_MANY_FAILED


def colorize(job: ArchiveJob, reporter: RunReporter) -> RunSummary:
    """Plans and runs a job under the lock of OUTPUT, and shows the plan, the progress and the summary."""
    with job.locked(reporter.say) as lock:
        plan = job.plan()
        reporter.plan(job, plan)
        with reporter.progress(plan.todo.num_rows) as on_row:
            summary = run_job(job, plan, lock, on_row, reporter.say)
    reporter.summary(summary, job.config.output)
    return summary


if __name__ == "__main__":
    run(command)
