"""The last stage: merge, write, enter into the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from itertools import groupby
from typing import Any, Literal

import pyarrow as pa

from colorize_core import color
from colorize_core.archiving import scheduling
from colorize_core.archiving.faults import CrashGuard, Outage, reason_of
from colorize_core.archiving.gallery import gallery_page
from colorize_core.archiving.stages import sink
from colorize_core.archiving.stages.merge import Colorized, colorize
from colorize_core.archiving.stages.predict import chroma_of
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.lock import Fence
from colorize_core.errors import DEADLY, ColorizeError, ImageError, one_line
from colorize_core.images import decode
from colorize_core.images.encode import Content, Encoding
from colorize_core.images.formats import FORMATS
from colorize_core.images.metadata.provenance import Provenance
from colorize_core.images.thumbnails import Thumbnails

OutputFormat = Literal["png", "jpeg", "webp", "tiff", "parquet", "tar"]
OUTPUT_FORMATS = (*FORMATS, "parquet", "tar")
MAX_BYTES = 2 << 30  # of the results of one photograph, which are held until its last page is done
_SHARDS: dict[str, type[sink.ShardSink]] = {"parquet": sink.ParquetSink, "tar": sink.TarSink}
STAGES = ("read", "predict", "finish")
SCHEMA = pa.schema([*ledger.SCHEMA, *((stage, pa.float32()) for stage in STAGES)])  # a ledger's row, seconds by stage


def _not_counted(row: LedgerRow, read: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Finish:
    """Rows that went through the network to rows of the ledger, one photograph at a time.

    Attributes:
        output: where to write.
        file_format: of OUTPUT.
        encoding: of the images in it.
        bundle: name of the model.
        digest: of the model.
        settings: as the ledger has them.
        run_id: of the run.
        pictured: how many tasks, from the first on, keep small pictures for the gallery.
        fence: asked before anything gets into the ledger.
        not_before: the ledger's last time and a bit: also after a clock was set back the newest row is the last.
        count: called with each row and the bytes of its file, where an operator watches.
    """

    output: str
    file_format: OutputFormat
    encoding: Encoding
    bundle: str
    digest: str
    settings: str
    run_id: str
    pictured: int
    fence: Fence
    not_before: datetime
    count: Callable[[LedgerRow, int], None] = _not_counted

    def __call__(self, batch: pa.Table, deaths: int = 0) -> pa.Table:
        """Rows of ``predict.SMALL_SCHEMA`` to rows of ``SCHEMA``; ``deaths`` as of ``Read``. Raises ColorizeError."""
        name = self.task_name(batch)
        target = self._sink(name)
        guard = CrashGuard(self.output, f"{name}-finish", deaths)
        album = gallery_page.Album(self.output, name) if batch["task"][0].as_py() < self.pictured else None
        try:
            finished = list(self._finish(batch, target, guard, album))
            if album:
                album.close()
            target.close()
            guard.close()
        except OSError as error:
            raise ColorizeError(f"OUTPUT {self.output} cannot be written: {one_line(error)}") from error
        for row, _, size in finished:
            self.count(row, size)
        return pa.Table.from_pylist([vars(row) | stages for row, stages, _ in finished], SCHEMA)

    def _sink(self, name: str) -> sink.Sink:
        if shards := _SHARDS.get(self.file_format):
            return shards(self.output, name, self.fence.check, self.bundle)
        return sink.FileSink(self.output, name, self.fence.check)

    def task_name(self, batch: pa.Table) -> str:
        """As no other task has it, in any run."""
        return f"{self.run_id}-{batch['task'][0].as_py():08d}"

    def _finish(
        self, batch: pa.Table, target: sink.Sink, guard: CrashGuard, album: gallery_page.Album | None
    ) -> Iterator[tuple[LedgerRow, dict[str, float], int]]:
        """Rows, their seconds by stage, and the bytes of their files."""
        outage = Outage()
        for pages in _photographs(batch):
            started, size = time.perf_counter(), len(pages[0]["file"])
            before = {stage: sum(page[stage] for page in pages) for stage in ("read", "predict")}
            row = self.begun(pages[0])
            content: Content = b""
            try:
                if not row.reason:
                    if guard.is_deadly(row.source):
                        raise ImageError("internal", DEADLY)
                    make = partial(self._made, row, pages, target)
                    row, content, seen = scheduling.run_at_idle_priority(make, size)
                    if album:
                        album.add(row.content, seen)
                        row = replace(row, pictures=album.name)
            except Exception as error:  # one photograph must not take the others with it
                reason = error.reason if isinstance(error, ImageError) else "internal"
                row = row.failed(reason, one_line(error))
            stages = before | {"finish": time.perf_counter() - started}
            row = replace(row, seconds=sum(stages.values()), finished_at=self._now())
            try:
                with outage.watched(self.output):
                    target.add(row, content)
            except ImageError as error:
                row = row.failed(error.reason, error.message)
                target.add(row, b"")
            except OSError as error:
                row = row.failed(reason_of(error), f"cannot be written: {one_line(error)}")
                target.add(row, b"")
            del pages, content  # of a large scan, before the next one
            yield row, stages, size

    def _made(
        self, row: LedgerRow, pages: list[dict[str, Any]], target: sink.Sink
    ) -> tuple[LedgerRow, Content, Thumbnails]:
        """The row, the file and the look of a photograph's first page; further pages are with ``target`` by then."""
        provenance = Provenance(row.source, self.bundle, self.digest)
        made: list[Colorized] = []
        size = 0
        for page in pages:
            # Nothing holds the file while its last image is encoded: with it a large scan would take a quarter more.
            ab = chroma_of(page)
            photograph = decode.read_photograph(
                pages[0].pop("file") if page is pages[-1] else pages[0]["file"], page["frame"], as_stored=ab is None
            )
            made.append(colorize(photograph, ab, self.encoding, provenance))
            size += len(made[-1].content)
            if len(made) > 1 and size > MAX_BYTES:
                done = f"{len(made)} of {len(pages)} pages make {size >> 20} MB of results"
                raise ImageError("too_large", f"{done}, held until all are done: split it, or take a smaller format")
        for page, further in zip(pages[1:], made[1:], strict=True):
            target.add_page(page["page"], further)
        first = made[0]
        row = replace(row, status="ok", output=pages[0]["output"], pages=len(pages), bytes=size)
        row = replace(row, width=first.width, height=first.height)
        if kept := sum(not page["small"] for page in pages):
            of = f"{kept} of {len(pages)} pages " + ("is" if kept == 1 else "are")
            row = replace(row, reason="in_color", message=f"{of} in color already: --recolor gives new colors")
        return replace(row, colorfulness=color.colorfulness(first.look.after)), first.content, first.look

    def begun(self, record: dict[str, Any]) -> LedgerRow:
        """The row of a photograph of which nothing was written: as if that were all, skipped or failed."""
        return LedgerRow(
            source=record["source"],
            fingerprint=record["fingerprint"],
            content=record["content"],
            status="skipped" if record["reason"] == "in_color" else "failed",
            reason=record["reason"],
            message=record["message"],
            output="",
            width=0,
            height=0,
            pages=0,
            colorfulness=0.0,
            bytes=0,
            bundle=self.digest,
            settings=self.settings,
            run_id=self.run_id,
            pictures="",
            seconds=record["read"] + record["predict"],
            finished_at=self._now(),
        )

    def _now(self) -> datetime:
        return max(datetime.now(timezone.utc), self.not_before)


def _photographs(batch: pa.Table) -> Iterator[list[dict[str, Any]]]:
    """The pages of each photograph, whose file is copied out of the batch when it is its turn."""
    first = 0
    for _, group in groupby(batch["source"].to_pylist()):
        count = len(list(group))
        yield batch.slice(first, count).to_pylist()
        first += count
