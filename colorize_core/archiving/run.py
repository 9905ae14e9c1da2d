"""One run of an archive job: runs the stages, counts, detects outages, and writes the summary and the gallery."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from itertools import count

import pyarrow as pa

from colorize_core import storage
from colorize_core.archiving import faults, review, runners
from colorize_core.archiving.config import ArchiveConfig
from colorize_core.archiving.gallery import gallery_page
from colorize_core.archiving.job import ArchiveJob
from colorize_core.archiving.planning.plan import Plan
from colorize_core.archiving.run_counts import RunCounts
from colorize_core.archiving.runners import Stages
from colorize_core.archiving.spilled_table import SpilledTable
from colorize_core.archiving.stages import dedupe, finished
from colorize_core.archiving.stages.finish import Finish
from colorize_core.archiving.stages.finished import FinishedPhotograph
from colorize_core.archiving.stages.read import Read
from colorize_core.archiving.stages.run_settings import RunSettings
from colorize_core.archiving.stages.sinks.formats import remove_orphan_shards
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.lock import Lock
from colorize_core.archiving.state.summary import RunSummary
from colorize_core.errors import ColorizeError, one_line
from colorize_core.inference.predictor import Networks
from colorize_core.networks import advice

Say = Callable[[str], None]


def archive(
    config: ArchiveConfig,
    *,
    on_progress: Callable[[LedgerRow], None] = lambda row: None,
    say: Say = lambda line: None,
) -> RunSummary:
    """Colorizes the photographs of an archive that are not done yet. Call it again to continue an interrupted run.

    Args:
        config: what to colorize, where to, and how.
        on_progress: called with the ledger's row of each photograph when it is finished.
        say: called with each message for the user.

    Returns:
        The facts of this run, such as the numbers of photographs that were colorized, skipped and failed.

    Raises:
        UserError: INPUT, OUTPUT or the model is wrong; nothing was written.
        ColorizeError: another run writes to OUTPUT, or a stage failed; finished photographs are kept.

    Example:
        >>> summary = archive(ArchiveConfig("scans", "colored", saturation="vivid"))
        >>> summary.ok, summary.failed
        (120, 0)
    """
    job = ArchiveJob(config)
    with job.locked(say) as held:
        return run(job, job.plan(), held, on_progress, say)


def run(
    job: ArchiveJob,
    planned: Plan,
    held: Lock,
    on_progress: Callable[[LedgerRow], None] = lambda row: None,
    say: Say = lambda line: None,
) -> RunSummary:
    """Carries out a plan. Writes the summary of the run, also if an exception ends it.

    Args:
        job: a validated job.
        planned: the plan, made while the lock was held.
        held: the lock of OUTPUT.
        on_progress: called with the ledger's row of each photograph when it is finished.
        say: called with each message for the user.

    Returns:
        The facts of this run.

    Raises:
        ColorizeError: a stage failed, or another run has taken over.
    """
    output = job.output
    remove_orphan_shards(output)
    storage.remove_if_there(storage.join(output, faults.FOLDER))
    counts = RunCounts(job, planned)
    counts.summary("running").write(output)  # marks OUTPUT as a folder of colorize, however the run ends
    outage, newest = faults.OutageDetector(), planned.newest
    try:
        with closing(_finished(job, planned, held, say)) as tasks:
            for photographs in tasks:
                for photograph in photographs:
                    counts.add(photograph)
                    on_progress(photograph.row)
                    newest = max(newest, photograph.row.finished_at)
                if outage.is_outage_after([photograph.row.reason for photograph in photographs]):
                    raise ColorizeError(
                        f"{outage.photographs} photographs in a row could not be read or written "
                        f"({photographs[-1].row.message}): check the store, then run the same command to continue"
                    )
    except BaseException as error:
        with suppress(OSError):  # for example, a full disk, which probably caused the first error too
            counts.summary("interrupted" if isinstance(error, KeyboardInterrupt) else "failed").write(output)
        raise
    if planned.todo.num_rows:
        with suppress(OSError):  # all photographs are done: a later run can tidy up
            storage.remove_if_there(storage.join(output, faults.FOLDER))
            ledger.compact(output)
    summary = counts.summary("done")
    summary.write(output)
    if job.config.report:
        try:
            if not gallery_page.is_current(output, newest):
                gallery_page.write(output, summary, newest)
        except OSError as error:  # all photographs are done, with or without a page
            say(f"{gallery_page.PAGE} in OUTPUT could not be written ({one_line(error)}): the next run writes it")
    if job.config.review:
        _write_review(job, say)
    return summary


def _write_review(job: ArchiveJob, say: Say) -> None:
    config = job.config
    if job.bundle.doubt is None:
        say(f"model bundle {job.bundle.name} has no doubt: --review {config.review} lists earlier results at most")
    rows = review.write_review(job.output, config.review, config.review_rows)
    say(f"review: {rows} results in {config.review}, the most doubtful first")


def _finished(job: ArchiveJob, planned: Plan, held: Lock, say: Say) -> Generator[list[FinishedPhotograph], None, None]:
    """Yields the photographs of each task when it is finished."""
    if not planned.todo.num_rows:
        return
    config = job.config
    if line := advice(job.bundle, config.engine):
        say(line)
    networks = Networks([job.bundle], config.saturation, config.engine)
    locally = runners.is_local(config.runner, planned)
    with runners.opened(locally, config.file_format, networks.engines(), say) as runner:
        copies = SpilledTable(dedupe.SCHEMA)
        if config.dedupe:
            planned, copies = dedupe.without_copies(
                planned, job.output, job.request, lambda tasks: runner.map(tasks, dedupe.hash_contents)
            )
        planned = runner.with_task_size(planned)
        settings = run_settings(job, planned, held)
        with_thumbnails = planned.tasks_of(gallery_page.MAX_PHOTOGRAPHS) if config.report else 0
        stages = Stages(Read(settings, job.bundle.recipe, config.recolor), networks, Finish(settings, with_thumbnails))
        numbers = count()
        tasks = (task for task, _ in zip(planned.tasks(), numbers, strict=False))
        yield from _photographs(runner.colorize(tasks, stages), held)
        if copies.num_rows:
            wanted = {source for table in copies for source in table["original"].to_pylist()}
            copy = dedupe.Copy(settings, ledger.latest(job.output, wanted))
            yield from _photographs(runner.map(dedupe.copy_tasks(copies, next(numbers)), copy), held)


def _photographs(tables: Iterator[pa.Table], held: Lock) -> Iterator[list[FinishedPhotograph]]:
    for table in tables:
        held.check()
        yield finished.from_table(table)


def run_settings(job: ArchiveJob, planned: Plan, held: Lock) -> RunSettings:
    """Returns the settings of a run that carries out a plan under the lock."""
    return RunSettings(
        run_id=job.run_id,
        output=job.output,
        file_format=job.config.file_format,
        encoding=job.config.image_encoding,
        model=job.bundle.name,
        digest=job.bundle.digest,
        settings=job.settings,
        fence=held.fence,
        not_before=planned.newest + timedelta(milliseconds=1),
    )
