"""Stage 3 of an archive run: joins lightness and chroma, writes the results, then records them in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pyarrow as pa

from colorize_core import color
from colorize_core.archiving import scheduling
from colorize_core.archiving.faults import CircuitBreaker, CrashGuard, reason_of
from colorize_core.archiving.gallery.gallery_page import ThumbnailScripts
from colorize_core.archiving.stages import finished, pages
from colorize_core.archiving.stages.finished import FinishedPhotograph
from colorize_core.archiving.stages.kept_photographs import KeptPhotographs
from colorize_core.archiving.stages.merge import Colorized, colorize
from colorize_core.archiving.stages.pages import PagedPhotograph
from colorize_core.archiving.stages.run_settings import RunSettings
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.archiving.stages.sinks.sink import Sink
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.summary import StageSeconds
from colorize_core.errors import DEADLY, ColorizeError, ImageError, one_line
from colorize_core.images import decode
from colorize_core.images.encode import Encoded
from colorize_core.images.metadata.provenance import Provenance

_HELD_BYTES = 64 << 20  # larger results are stored before work on the next photograph begins
MAX_BYTES = 2 << 30  # bytes of one photograph's results, which are in memory until its last page is done


def _do_not_count(row: LedgerRow, read: int) -> None:
    """Does nothing: for runners without meters."""


@dataclass(frozen=True)
class Finish:
    """A stage that converts a table of ``pages.SCHEMA`` to one of ``finished.SCHEMA``, one photograph at a time.

    Attributes:
        run: settings of the run.
        tasks_with_thumbnails: number of tasks, from the first on, that keep thumbnails for the gallery.
        count: called with each row and the size of the photograph's file in bytes, for the operator's meters.
    """

    run: RunSettings
    tasks_with_thumbnails: int = 0
    count: Callable[[LedgerRow, int], None] = _do_not_count

    def __call__(self, batch: pa.Table, deaths: int = 0, kept: KeptPhotographs | None = None) -> pa.Table:
        """Finishes one task.

        Args:
            batch: a table of ``pages.SCHEMA``.
            deaths: number of processes that died over the task before.
            kept: decoded photographs of the task; others are decoded here.

        Raises:
            ColorizeError: OUTPUT cannot be written, or another run has taken over.
        """
        name = self.run.task_name(batch)
        sink = OUTPUT_FORMATS[self.run.file_format].sink(self.run.destination(batch))
        guard = CrashGuard(self.run.output, f"{name}-finish", deaths)
        has_thumbnails = batch["task"][0].as_py() < self.tasks_with_thumbnails
        thumbnails = ThumbnailScripts(self.run.output, name) if has_thumbnails else None
        try:
            results = list(self._finish(batch, sink, guard, thumbnails, kept or KeptPhotographs()))
            if thumbnails:
                thumbnails.close()
            sink.close()
            guard.close()
        except OSError as error:
            raise ColorizeError(f"OUTPUT {self.run.output} cannot be written: {one_line(error)}") from error
        for result, photograph in zip(results, pages.photographs_of(batch), strict=True):
            self.count(result.row, photograph.file_size)
        return finished.to_table(results)

    def _finish(
        self,
        batch: pa.Table,
        sink: Sink,
        guard: CrashGuard,
        thumbnails: ThumbnailScripts | None,
        kept: KeptPhotographs,
    ) -> Iterator[FinishedPhotograph]:
        """Yields each photograph. A thread stores the results of one while those of the next are computed."""
        breaker = CircuitBreaker()
        stored: list[Future[FinishedPhotograph]] = []  # at most one
        with ThreadPoolExecutor(1) as thread:
            for photograph in pages.photographs_of(batch):
                started = time.perf_counter()
                row, results = self._finish_photograph(photograph, guard, thumbnails, kept)
                seconds = StageSeconds(
                    read=sum(page.read for page in photograph.pages),
                    predict=sum(page.predict for page in photograph.pages),
                    finish=time.perf_counter() - started,
                )
                row = replace(row, seconds=seconds.total, finished_at=self.run.now())
                while stored:
                    yield stored.pop().result()
                stored.append(thread.submit(self._store, sink, breaker, FinishedPhotograph(row, seconds), results))
                if row.bytes > _HELD_BYTES:
                    yield stored.pop().result()
                del results  # frees the memory of a large scan before the next one
            while stored:
                yield stored.pop().result()

    def _store(
        self, sink: Sink, breaker: CircuitBreaker, photograph: FinishedPhotograph, results: Sequence[Encoded]
    ) -> FinishedPhotograph:
        """Hands a photograph to the sink. The row of the returned one tells if it was not stored. Raises OSError."""
        row = photograph.row
        try:
            with breaker.call(self.run.output):
                sink.add(row, results)
            return photograph
        except ImageError as error:
            row = row.failed(error.reason, error.message)
        except OSError as error:
            row = row.failed(reason_of(error), f"cannot be written: {one_line(error)}")
        sink.add(row, [])
        return replace(photograph, row=row)

    def _finish_photograph(
        self,
        photograph: PagedPhotograph,
        guard: CrashGuard,
        thumbnails: ThumbnailScripts | None,
        kept: KeptPhotographs,
    ) -> tuple[LedgerRow, list[Colorized]]:
        """Returns a photograph's row and the results of its pages; none if it is skipped or failed."""
        first = photograph.pages[0]
        row = self.run.unwritten_row(first, first.content)
        if first.reason:
            status: Literal["skipped", "failed"] = "skipped" if first.reason == "in_color" else "failed"
            return replace(row, status=status, reason=first.reason, message=first.message), []
        try:
            if guard.is_deadly(row.source):
                raise ImageError("internal", DEADLY)
            work = partial(self._colorize_pages, row, photograph, kept)
            row, results = scheduling.run_at_idle_priority(work, photograph.file_size)
            if thumbnails:
                thumbnails.add(row.content, results[0].thumbnails)
                row = replace(row, pictures=thumbnails.current_script)
            return row, results
        except Exception as error:  # one photograph must not take the others with it
            reason = error.reason if isinstance(error, ImageError) else "internal"
            return row.failed(reason, one_line(error)), []

    def _colorize_pages(
        self, row: LedgerRow, photograph: PagedPhotograph, kept: KeptPhotographs
    ) -> tuple[LedgerRow, list[Colorized]]:
        """Returns the row and the results of all pages. Raises ImageError."""
        provenance = Provenance(row.source, self.run.model, self.run.digest)
        results: list[Colorized] = []
        size, count = 0, len(photograph.pages)
        file = photograph.copy_file()
        for page in photograph.pages:
            ab = page.chroma()
            image = kept.take(row.content, page.frame) or decode.read_photograph(file, page.frame, as_stored=ab is None)
            if page is photograph.pages[-1]:
                file = b""  # held while its last image is encoded, it would take a quarter more memory for a large scan
            results.append(colorize(image, ab, self.run.encoding, provenance))
            size += len(results[-1].content)
            if len(results) > 1 and size > MAX_BYTES:
                done = f"{len(results)} of {count} pages make {size >> 20} MB, and {MAX_BYTES >> 20} MB is the limit"
                raise ImageError("too_large", f"{done}: split the file, or use a smaller format")
        first = results[0]
        row = replace(
            row,
            status="ok",
            output=photograph.pages[0].output,
            pages=count,
            bytes=size,
            width=first.width,
            height=first.height,
            colorfulness=color.colorfulness(first.thumbnails.after),
            doubt=photograph.doubt,
        )
        if in_color := sum(not page.ab for page in photograph.pages):
            pages_are = f"{in_color} of {count} pages {'is' if in_color == 1 else 'are'}"
            row = replace(row, reason="in_color", message=f"{pages_are} in color already: --recolor gives new colors")
        return row, results
