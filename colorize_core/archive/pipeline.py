"""The chain on one screen: source -> plan -> predict -> finish (merge, sink, ledger), on Ray Data."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count, islice
from typing import TYPE_CHECKING

import pyarrow as pa

from colorize_core import bundle as bundles
from colorize_core import cluster, placement, storage
from colorize_core.archive import dedupe, gallery, ledger, lock, plan, sink, source, summary, troubles
from colorize_core.archive.finish import STAGES, Finish, OutputFormat
from colorize_core.archive.ledger import LedgerRow
from colorize_core.archive.lock import Holder, Lock
from colorize_core.archive.plan import Plan, Request
from colorize_core.archive.predict import Predictor, read_small
from colorize_core.archive.spool import Spool
from colorize_core.archive.summary import Run, RunSummary, StageSeconds
from colorize_core.errors import ColorizeError, OutputError, UserError, one_line
from colorize_core.images.encode import FILE_FORMATS, SUFFIXES, Encoding

if TYPE_CHECKING:
    import ray.data

_TASKS_PER_WAVE = 1 << 12  # at most a million photographs, whose names are in Ray's memory at a time
_CPUS_TO_READ = 0.5  # much of its time is the store's; and a second one reads on beside one that has a huge scan


@dataclass(frozen=True)
class ArchiveConfig:
    """One call of ``colorize archive``."""

    input: str
    output: str
    model: str = bundles.DEFAULT
    file_format: OutputFormat = "png"
    encoding: Encoding = field(default_factory=Encoding)  # of the images, which in shards are PNG
    retry_failed: bool = False
    limit: int | None = None
    saturation: str | float = bundles.FAITHFUL  # a gain of the bundle by name, or a number
    dedupe: bool = False
    recolor: bool = False  # also what is in color already
    report: bool = True  # a page that shows the results


class Archive:
    """A checked call: what is there is known, and nothing was written yet.

    Raises:
        UserError: INPUT, OUTPUT or the model is wrong.
    """

    def __init__(self, config: ArchiveConfig) -> None:
        self.config = config
        self.bundle = bundles.load_bundle(config.model)
        self.gain = self.bundle.gain(config.saturation)
        self.output = storage.absolute(config.output)
        self.run_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        self.listing = source.list_sources(config.input)
        source.check_apart(config.input, config.output)
        cluster.check_lasting(config.output)
        cluster.check_arguments()
        self._check_ours()
        if config.dedupe and config.file_format not in FILE_FORMATS:
            raise UserError(f"--dedupe makes copies of files: --format is {config.file_format}, not one of files")

    def plan(self) -> Plan:
        """What is left to do now. Raises OutputError where the ledger is damaged."""
        return plan.make_plan(self.listing.sources, ledger.scan(self.output, plan.LEDGER_COLUMNS), self._request)

    @property
    def _request(self) -> Request:
        return Request(
            bundle=self.bundle.digest,
            settings=self._settings,
            suffix=SUFFIXES[self.config.encoding.file_format],
            in_shards=self.config.file_format not in FILE_FORMATS,
            retry_failed=self.config.retry_failed,
            recolor=self.config.recolor,
            limit=self.config.limit,
        )

    def estimate(self, planned: Plan) -> float | None:
        """Seconds that a run will take, at the pace of one of the last ones here; None where none did anything."""
        pace = summary.last_pace(self.output) if planned.todo.num_rows else None
        return planned.todo.num_rows / pace if pace else None

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[Lock]:
        """Keeps other runs out of OUTPUT as long as the block runs: what is planned in it stays true.

        Args:
            say: called with a line for the user when there is something to know or to wait for.

        Raises:
            OutputError: OUTPUT cannot be written.
            ColorizeError: another run writes there.
        """
        storage.check_writable(self.output)
        held = Lock(self.output, Holder.me(self.run_id))
        with held.held(say):
            if not held.is_exclusive:
                say(f"the store of OUTPUT {self.output} does not keep two runs apart: see to it that only one writes")
            yield held

    def _check_ours(self) -> None:
        """Files that no run has made could have the name of a result, and would be overwritten."""
        marks = (ledger.FOLDER, lock.FOLDER, summary.FOLDER)
        try:
            if storage.is_empty(self.output) or any(storage.is_folder(storage.join(self.output, m)) for m in marks):
                return
        except OSError:  # not a folder, or one that cannot be listed: check_writable says so
            return
        raise OutputError(
            f"OUTPUT {self.config.output} holds files that colorize did not make: choose a new or an empty folder"
        )

    @property
    def _settings(self) -> str:
        return f"format={self.config.file_format} saturation={self.gain:g}{self.config.encoding}"

    def run(
        self,
        planned: Plan,
        held: Lock,
        on_progress: Callable[[LedgerRow], None] = lambda row: None,
        say: Callable[[str], None] = lambda line: None,
    ) -> RunSummary:
        """Colorizes what is left to do, on the cluster that ``cluster.connected`` finds.

        Interrupted by any exception, the summary of what was done is written before it goes on upwards.

        Args:
            planned: made under the lock.
            held: the lock.
            on_progress: called with each row.
            say: called with a line for the user when there is something to know.

        Raises:
            ColorizeError: a stage failed, or another run has taken over.
        """
        sink.sweep(self.output)
        storage.remove_if_there(storage.join(self.output, troubles.FOLDER))
        run = Run(self.run_id, self.config, self.bundle, self.listing, planned)
        run.end("running").write(self.output)  # from now on OUTPUT is known as ours, whatever ends the run
        absence, last = troubles.Absence(), planned.newest
        try:
            with closing(self._tasks(planned, held, say)) as tasks:
                for rows in tasks:
                    for row, seconds in rows:
                        run.add(row, seconds)
                        on_progress(row)
                        last = max(last, row.finished_at)
                    if absence.lasts([row.reason for row, _ in rows]):
                        raise ColorizeError(
                            f"{absence.photographs} photographs in a row could not be read or written ({row.message}): "
                            "see to the store; the same command goes on"
                        )
        except BaseException as error:
            with suppress(OSError):  # of a full disk, say, of which the error speaks already
                run.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed").write(self.output)
            raise
        if planned.todo.num_rows:
            with suppress(OSError):  # all is done: what could not be tidied now is tidied by a later run
                storage.remove_if_there(storage.join(self.output, troubles.FOLDER))
                ledger.compact(self.output)
        done = run.end("done")
        done.write(self.output)
        if self.config.report:
            try:
                if not gallery.is_current(self.output, last):
                    gallery.write(self.output, done, last)
            except OSError as error:  # all is done, which a page does not change
                say(f"the page {gallery.PAGE} in OUTPUT could not be made ({one_line(error)}): the next run makes it")
        return done

    def _tasks(
        self, planned: Plan, held: Lock, say: Callable[[str], None]
    ) -> Generator[list[tuple[LedgerRow, StageSeconds]], None, None]:
        if not planned.todo.num_rows:
            return
        lost = "a stage failed; what was finished is kept, the same command goes on"
        with cluster.connected() as resources, cluster.explained(lost):
            placed = placement.networks(resources)
            if placed.threads and resources.gpus:
                say(f"other jobs hold all {resources.gpus:.0f} GPUs of the cluster: the network runs on CPUs")
            copies = Spool(dedupe.SCHEMA)
            if self.config.dedupe:
                planned, copies = dedupe.without_copies(planned, self.output, self._request, _hashed)
            finish = self._finish(held, planned)
            numbers = count()
            tasks = (task for task, _ in zip(planned.tasks(), numbers, strict=False))
            yield from self._results(tasks, lambda wave: self._chain(wave, finish, placed), held)
            if copies.num_rows:
                wanted = {source for table in copies for source in table["original"].to_pylist()}
                copy = dedupe.Copy(finish, ledger.latest(self.output, wanted))
                more = dedupe.copy_tasks(copies, next(numbers))
                yield from self._results(more, lambda wave: _map(wave, copy), held)

    def _results(
        self, tasks: Iterator[pa.Table], chain: Callable[[list[pa.Table]], ray.data.Dataset], held: Lock
    ) -> Generator[list[tuple[LedgerRow, StageSeconds]], None, None]:
        while wave := list(islice(tasks, _TASKS_PER_WAVE)):
            for batch in _batches(chain(wave)):
                held.check()
                rows = batch.to_pylist()
                stages = [{stage: row.pop(stage) for stage in STAGES} for row in rows]
                yield [(LedgerRow(**row), seconds) for row, seconds in zip(rows, stages, strict=True)]

    def _finish(self, held: Lock, planned: Plan) -> Finish:
        return Finish(
            self.output,
            self.config.file_format,
            self.config.encoding,
            self.bundle.name,
            self.bundle.digest,
            self._settings,
            self.run_id,
            planned.tasks_of(gallery.MOST) if self.config.report else 0,
            held.fence,
            not_before=planned.newest + timedelta(milliseconds=1),
        )

    def _chain(self, tasks: list[pa.Table], finish: Finish, placed: placement.Networks) -> ray.data.Dataset:
        """The stages; blocks go through whole, since the plan has made them the size of a task."""
        import ray

        small = ray.data.from_arrow(tasks).map_batches(
            read_small,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={
                "recipe": self.bundle.recipe,
                "recolor": self.config.recolor,
                "output": self.output,
                "run_id": self.run_id,
            },
            num_cpus=_CPUS_TO_READ,
        )
        predicted = small.map_batches(
            Predictor,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(self.bundle, placed.threads, self.gain),
            compute=placed.strategy(),
            **placed.reserved,
        )
        return predicted.map_batches(finish, batch_size=None, batch_format="pyarrow")


def _map(tasks: Iterable[pa.Table], stage: Callable[[pa.Table], pa.Table]) -> ray.data.Dataset:
    """A chain of one stage."""
    import ray

    made = ray.data.from_arrow(list(tasks)).map_batches(stage, batch_size=None, batch_format="pyarrow")
    cluster.give_all_cpus(made)
    return made


def _hashed(tasks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    tasks = iter(tasks)
    while wave := list(islice(tasks, _TASKS_PER_WAVE)):
        yield from _batches(_map(wave, dedupe.hash_contents))


def _batches(dataset: ray.data.Dataset) -> Iterator[pa.Table]:
    batches = iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
    try:
        yield from batches
    finally:
        batches.close()  # ends the stages, which could not be ended after Ray
