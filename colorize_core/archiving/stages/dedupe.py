"""Detects equal photographs: one is colorized, the others get copies of its result.

Photographs are equal if their files have the same SHA-256. Only files of equal size are read to be compared. The ledger
has the SHA-256 of every photograph that was ever colorized, so that a copy that arrives a year later is recognized.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.planning import names, plan
from colorize_core.archiving.planning.plan import Plan, PlannedPhotograph, Request
from colorize_core.archiving.spilled_table import SpilledTable
from colorize_core.archiving.stages import finished
from colorize_core.archiving.stages.finished import FinishedPhotograph
from colorize_core.archiving.stages.run_settings import RunSettings
from colorize_core.archiving.stages.sinks.files import FileSink
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.summary import StageSeconds
from colorize_core.errors import ColorizeError, ImageError, one_line
from colorize_core.images.encode import Encoded

LEDGER_COLUMNS = ("source", "fingerprint", "status", "bundle", "settings", "content")
_COPIES_PER_TASK = 32
_LAST = "\U0010ffff"  # sorts after every name


@dataclass(frozen=True, kw_only=True)
class Duplicate(PlannedPhotograph):
    """A photograph whose file is equal to another one. The fields are the columns of ``TASK_SCHEMA``.

    Attributes:
        original: source of the photograph that is colorized in its place.
        content: SHA-256 of both files.
    """

    original: str
    content: str


@dataclass(frozen=True, kw_only=True)
class _Hash:
    """The SHA-256 of a photograph's file, '' if it could not be read."""

    source: str
    name: str
    content: str


TASK_SCHEMA = typed_rows.schema_of(Duplicate)
SCHEMA = TASK_SCHEMA.remove(TASK_SCHEMA.get_field_index("task"))  # before tasks are numbered


def without_copies(
    planned: Plan, output: str, request: Request, hashed: Callable[[Iterable[pa.Table]], Iterable[pa.Table]]
) -> tuple[Plan, SpilledTable]:
    """Splits a plan: photographs to colorize, and duplicates that get a copy of a result.

    Args:
        planned: the plan.
        output: where the ledger is.
        request: what the plan was made for.
        hashed: runs ``hash_contents`` on tasks, on this machine or on a cluster.

    Returns:
        The plan without the duplicates, and the duplicates: rows of ``SCHEMA``.
    """
    known = list(_known_sizes(ledger.scan(output, LEDGER_COLUMNS), request))
    sizes, counts = np.unique(_column(planned.todo, "size"), return_counts=True)
    shared = pa.array(sizes[(counts > 1) | np.isin(sizes, known)], pa.int64())
    candidates = Plan(SpilledTable(plan.SCHEMA))
    for table in planned.todo:
        in_parquet = pa.array(
            [path.lower().endswith(photographs.PARQUET) for path in table["path"].to_pylist()], pa.bool_()
        )
        # The sizes of rows of Parquet files are estimates, which say nothing about equality.
        candidates.todo.append(table.filter(pc.or_(pc.is_in(table["size"], shared), in_parquet)))
    content: dict[str, str] = {}
    first: dict[str, tuple[str, str]] = {}  # name and source by content
    for table in hashed(candidates.tasks()) if candidates.todo.num_rows else ():
        for each in typed_rows.from_table(table, _Hash):
            if each.content:
                content[each.source] = each.content
                first[each.content] = min(first.get(each.content, (_LAST, "")), (each.name, each.source))
    originals = {digest: source for digest, (_, source) in first.items()}
    return _split(planned, content, originals | _known(planned, output, request, list(first)))


def copy_tasks(copies: SpilledTable, first: int) -> Iterator[pa.Table]:
    """Yields a table of ``TASK_SCHEMA`` per task, numbered from ``first`` on, of duplicates from ``without_copies``."""
    for table in copies:
        for start in range(0, table.num_rows, _COPIES_PER_TASK):
            part = table.slice(start, _COPIES_PER_TASK)
            numbers = pa.array([first] * part.num_rows, pa.int64())
            yield part.append_column("task", numbers).select(TASK_SCHEMA.names)
            first += 1


def _split(planned: Plan, content: dict[str, str], originals: dict[str, str]) -> tuple[Plan, SpilledTable]:
    kept, copies = SpilledTable(plan.SCHEMA), SpilledTable(SCHEMA)
    for table in planned.todo:
        sources = table["source"].to_pylist()
        digests = [content.get(source, "") for source in sources]
        original_of = [originals.get(digest, "") for digest in digests]
        pairs = zip(original_of, sources, strict=True)
        is_copy = np.array([bool(original) and original != source for original, source in pairs])
        kept.append(table.filter(pa.array(~is_copy)))
        columns = dict(zip(table.column_names, table.columns, strict=True))
        columns |= {"original": original_of, "content": digests}
        copies.append(pa.table(columns, SCHEMA).filter(pa.array(is_copy)))
    return replace(planned, todo=kept), copies


def hash_contents(task: pa.Table, deaths: int = 0) -> pa.Table:
    """Returns source, name and SHA-256 of each photograph of a task, a table of ``plan.TASK_SCHEMA``.

    The SHA-256 is '' for a file that cannot be read: the stage that reads it again reports the reason.
    """
    hashes = []
    for photograph in typed_rows.from_table(task, PlannedPhotograph):
        try:
            digest = hashlib.sha256(photographs.read(photograph)).hexdigest()
        except (ImageError, OSError):
            digest = ""
        hashes.append(_Hash(source=photograph.source, name=photograph.name, content=digest))
    return typed_rows.to_table(hashes, _Hash)


@dataclass(frozen=True)
class Copy:
    """A stage that converts a table of ``TASK_SCHEMA`` to one of ``finished.SCHEMA``: it copies results that exist.

    Attributes:
        run: settings of the run.
        originals: rows of the ledger by source.
    """

    run: RunSettings
    originals: dict[str, LedgerRow]

    def __call__(self, task: pa.Table, deaths: int = 0) -> pa.Table:
        """Copies the results of one task. Raises ColorizeError if OUTPUT cannot be written."""
        sink = FileSink(self.run.destination(task))
        try:
            rows = [self._added(duplicate, sink) for duplicate in typed_rows.from_table(task, Duplicate)]
            sink.close()
        except OSError as error:
            raise ColorizeError(f"OUTPUT {self.run.output} cannot be written: {one_line(error)}") from error
        return finished.to_table([FinishedPhotograph(row, StageSeconds()) for row in rows])

    def _added(self, duplicate: Duplicate, sink: FileSink) -> LedgerRow:
        """Writes the copy of one photograph's result; returns its row."""
        row, pages = self._copied(duplicate)
        try:
            sink.add(row, pages)
        except ImageError as error:
            row = row.failed(error.reason, error.message)
            sink.add(row, [])
        return row

    def _copied(self, duplicate: Duplicate) -> tuple[LedgerRow, list[Encoded]]:
        """Returns the row of one photograph and its pages."""
        row = self.run.unwritten_row(duplicate, duplicate.content)
        original = self.originals.get(duplicate.original)
        equal = f"equal to {duplicate.original}"
        if original is None:
            return row.failed("storage", f"{equal}, which has no result: run the same command again"), []
        if original.content != duplicate.content:
            return row.failed("unreadable", f"{equal} when they were compared, but that file has changed since"), []
        if original.status != "ok":
            message = f"{equal}: {original.message}"
            return replace(row, status=original.status, reason=original.reason, message=message), []
        try:
            pages = self._pages(original)
        except ImageError as error:
            return row.failed(error.reason, error.message), []
        except OSError as error:
            return row.failed("storage", f"cannot be copied: {one_line(error)}"), []
        message = equal + (f": {original.message}" if original.reason else "")
        return replace(row.with_result_of(original), output=duplicate.output, message=message), pages

    def _pages(self, original: LedgerRow) -> list[Encoded]:
        paths = (names.of_page(original.output, number) for number in range(1, original.pages + 1))
        return [Encoded(storage.read(storage.join(self.run.output, path)), 0, 0) for path in paths]  # of any size


def _column(spool: SpilledTable, name: str) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *(table[name].to_numpy() for table in spool)])


def _is_current(table: pa.Table, request: Request) -> pa.Array:
    same = pc.and_(pc.equal(table["bundle"], request.bundle), pc.equal(table["settings"], request.settings))
    return pc.and_(pc.and_(same, pc.equal(table["status"], "ok")), pc.not_equal(table["content"], ""))


def _known_sizes(done: Iterable[pa.Table], request: Request) -> Iterator[int]:
    for table in done:
        for fingerprint in pc.unique(table.filter(_is_current(table, request))["fingerprint"]).to_pylist():
            yield int(fingerprint.split("-")[0])


def _known(planned: Plan, output: str, request: Request, digests: list[str]) -> dict[str, str]:
    """Maps SHA-256 to the source that was colorized first, for results that this run does not touch."""
    candidates: set[str] = set()
    wanted = pa.array(digests, pa.string())
    for table in ledger.scan(output, LEDGER_COLUMNS):
        chosen = pc.and_(_is_current(table, request), pc.is_in(table["content"], wanted))
        candidates |= set(table.filter(chosen)["source"].to_pylist())
    for table in planned.todo:  # some of them have changed since
        candidates.difference_update(table["source"].to_pylist())
    return {
        row.content: row.source
        for row in ledger.latest(output, candidates).values()
        if (row.status, row.bundle, row.settings) == ("ok", request.bundle, request.settings)
        and storage.exists(storage.join(output, row.output))  # somebody may have removed it
    }
