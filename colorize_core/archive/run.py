"""One run: rows of the ledger as they are finished, the summary, and when to give up."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pyarrow as pa

from colorize_core import storage
from colorize_core.archive import dedupe, gallery, ledger, runners, sink, troubles
from colorize_core.archive.finish import STAGES, Finish
from colorize_core.archive.ledger import LedgerRow
from colorize_core.archive.lock import Lock
from colorize_core.archive.plan import Plan
from colorize_core.archive.predict import Read
from colorize_core.archive.runners import Stages
from colorize_core.archive.spool import Spool
from colorize_core.archive.summary import Run, RunSummary, StageSeconds
from colorize_core.errors import ColorizeError, one_line
from colorize_core.networks import advice
from colorize_core.predictor import Networks

if TYPE_CHECKING:
    from colorize_core.archive.job import Archive

Say = Callable[[str], None]
Finished = list[tuple[LedgerRow, StageSeconds]]  # of a task


def run(archive: Archive, planned: Plan, held: Lock, on_progress: Callable[[LedgerRow], None], say: Say) -> RunSummary:
    """Colorizes what is left to do, by the runner that ``runners.choose`` gives.

    Interrupted by any exception, the summary of what was done is written before it goes on upwards.

    Args:
        archive: the checked call.
        planned: made under the lock.
        held: the lock.
        on_progress: called with each row.
        say: called with a line for the user when there is something to know.

    Raises:
        ColorizeError: a stage failed, or another run has taken over.
    """
    output = archive.output
    sink.sweep(output)
    storage.remove_if_there(storage.join(output, troubles.FOLDER))
    counted = Run(archive.run_id, archive.config, archive.bundle, archive.listing, planned)
    counted.end("running").write(output)  # from now on OUTPUT is known as ours, whatever ends the run
    absence, last = troubles.Absence(), planned.newest
    try:
        with closing(_finished(archive, planned, held, say)) as tasks:
            for rows in tasks:
                for row, seconds in rows:
                    counted.add(row, seconds)
                    on_progress(row)
                    last = max(last, row.finished_at)
                if absence.lasts([row.reason for row, _ in rows]):
                    raise ColorizeError(
                        f"{absence.photographs} photographs in a row could not be read or written ({row.message}): "
                        "see to the store; the same command goes on"
                    )
    except BaseException as error:
        with suppress(OSError):  # of a full disk, say, of which the error speaks already
            counted.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed").write(output)
        raise
    if planned.todo.num_rows:
        with suppress(OSError):  # all is done: what could not be tidied now is tidied by a later run
            storage.remove_if_there(storage.join(output, troubles.FOLDER))
            ledger.compact(output)
    done = counted.end("done")
    done.write(output)
    if archive.config.report:
        try:
            if not gallery.is_current(output, last):
                gallery.write(output, done, last)
        except OSError as error:  # all is done, which a page does not change
            say(f"the page {gallery.PAGE} in OUTPUT could not be made ({one_line(error)}): the next run makes it")
    return done


def _finished(archive: Archive, planned: Plan, held: Lock, say: Say) -> Generator[Finished, None, None]:
    """Yields the rows of each task when it is finished."""
    if not planned.todo.num_rows:
        return
    config = archive.config
    if line := advice(archive.bundle, config.engine):
        say(line)
    networks = Networks([archive.bundle], archive.gain, config.engine)
    locally = runners.is_local(config.runner, planned)
    with runners.opened(locally, config.file_format, networks.engines(), say) as runner:
        copies = Spool(dedupe.SCHEMA)
        if config.dedupe:
            planned, copies = dedupe.without_copies(
                planned, archive.output, archive.request, lambda tasks: runner.map(tasks, dedupe.hash_contents)
            )
        planned = runner.shaped(planned)
        stages = Stages(
            Read(archive.bundle.recipe, config.recolor, archive.output, archive.run_id),
            networks,
            _finish(archive, planned, held),
        )
        numbers = count()
        tasks = (task for task, _ in zip(planned.tasks(), numbers, strict=False))
        yield from _rows(runner.colorize(tasks, stages), held)
        if copies.num_rows:
            wanted = {source for table in copies for source in table["original"].to_pylist()}
            copy = dedupe.Copy(stages.finish, ledger.latest(archive.output, wanted))
            yield from _rows(runner.map(dedupe.copy_tasks(copies, next(numbers)), copy), held)


def _rows(tables: Iterator[pa.Table], held: Lock) -> Iterator[Finished]:
    for table in tables:
        held.check()
        rows = table.to_pylist()
        stages = [{stage: row.pop(stage) for stage in STAGES} for row in rows]
        yield [(LedgerRow(**row), seconds) for row, seconds in zip(rows, stages, strict=True)]


def _finish(archive: Archive, planned: Plan, held: Lock) -> Finish:
    return Finish(
        archive.output,
        archive.config.file_format,
        archive.config.encoding,
        archive.bundle.name,
        archive.bundle.digest,
        archive.settings,
        archive.run_id,
        planned.tasks_of(gallery.MOST) if archive.config.report else 0,
        held.fence,
        not_before=planned.newest + timedelta(milliseconds=1),
    )
