"""Equal photographs: one is colorized, the others get copies of its result.

Only photographs of one size are read to be compared; of those the SHA-256 counts. The ledger has that of all that was
ever done, so that a copy that arrives next year is known as one.
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
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.planning import names, plan
from colorize_core.archiving.planning.plan import Plan, Request
from colorize_core.archiving.spool import Spool
from colorize_core.archiving.stages import sink
from colorize_core.archiving.stages.finish import SCHEMA as RESULT_SCHEMA
from colorize_core.archiving.stages.finish import STAGES, Finish
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import ColorizeError, ImageError, one_line
from colorize_core.images.encode import Encoded

LEDGER_COLUMNS = ("source", "fingerprint", "status", "bundle", "settings", "content")
SCHEMA = pa.schema([*plan.TASK_SCHEMA, ("original", pa.string()), ("content", pa.string())])
_HASHES = pa.schema([("source", pa.string()), ("name", pa.string()), ("content", pa.string())])
_COPIES_PER_TASK = 32
_LAST = "\U0010ffff"  # after any name


def without_copies(
    made: Plan, output: str, request: Request, hashed: Callable[[Iterable[pa.Table]], Iterable[pa.Table]]
) -> tuple[Plan, Spool]:
    """A plan without what is equal to something else, and the copies, rows of ``SCHEMA``.

    Args:
        made: the plan.
        output: where the ledger is.
        request: what the plan was made for.
        hashed: gives what ``hash_contents`` makes of the plan's tasks, on whatever machines.
    """
    known = list(_known_sizes(ledger.scan(output, LEDGER_COLUMNS), request))
    sizes, counts = np.unique(_column(made.todo, "size"), return_counts=True)
    shared = pa.array(sizes[(counts > 1) | np.isin(sizes, known)], pa.int64())
    guard = Plan(Spool(plan.SCHEMA))
    for table in made.todo:
        of_tables = pa.array(
            [path.lower().endswith(photographs.PARQUET) for path in table["path"].to_pylist()], pa.bool_()
        )
        guard.todo.append(table.filter(pc.or_(pc.is_in(table["size"], shared), of_tables)))  # theirs are guesses
    content: dict[str, str] = {}
    first: dict[str, tuple[str, str]] = {}  # of each content: name and source
    for table in hashed(guard.tasks()) if guard.todo.num_rows else ():
        for row in table.to_pylist():
            if digest := row["content"]:
                content[row["source"]] = digest
                first[digest] = min(first.get(digest, (_LAST, "")), (row["name"], row["source"]))
    originals = {digest: source for digest, (_, source) in first.items()} | _known(made, output, request, list(first))
    return _split(made, content, originals)


def copy_tasks(copies: Spool, first: int) -> Iterator[pa.Table]:
    """Rows of ``SCHEMA`` for a task each, numbered from ``first`` on."""
    for table in copies:
        for start in range(0, table.num_rows, _COPIES_PER_TASK):
            part = table.slice(start, _COPIES_PER_TASK)
            number = pa.array([first] * part.num_rows, pa.int64())
            yield part.set_column(part.schema.get_field_index("task"), "task", number)
            first += 1


def _split(made: Plan, content: dict[str, str], originals: dict[str, str]) -> tuple[Plan, Spool]:
    kept, copies = Spool(plan.SCHEMA), Spool(SCHEMA)
    for table in made.todo:
        digests = [content.get(source, "") for source in table["source"].to_pylist()]
        of = [originals.get(digest, "") for digest in digests]
        is_copy = np.array([bool(o) and o != source for o, source in zip(of, table["source"].to_pylist(), strict=True)])
        kept.append(table.filter(pa.array(~is_copy)))
        extra = {"task": pa.array([0] * len(of), pa.int64()), "original": pa.array(of), "content": pa.array(digests)}
        columns = dict(zip(table.column_names, table.columns, strict=True)) | extra
        copies.append(pa.table(columns, SCHEMA).filter(pa.array(is_copy)))
    return replace(made, todo=kept), copies


def hash_contents(task: pa.Table, deaths: int = 0) -> pa.Table:
    """Rows of ``plan.TASK_SCHEMA`` to source, name and SHA-256; '' for what cannot be read: another stage says why."""
    rows = []
    for row in task.to_pylist():
        try:
            digest = hashlib.sha256(photographs.read(row)).hexdigest()
        except (ImageError, OSError):
            digest = ""
        rows.append({"source": row["source"], "name": row["name"], "content": digest})
    return pa.Table.from_pylist(rows, _HASHES)


@dataclass(frozen=True)
class Copy:
    """A task that writes copies.

    Attributes:
        finish: the last stage of the same run, which knows where and as what things are written.
        originals: rows of the ledger by source.
    """

    finish: Finish
    originals: dict[str, LedgerRow]

    def __call__(self, task: pa.Table, deaths: int = 0) -> pa.Table:
        """Rows of ``SCHEMA`` to rows of ``finish.SCHEMA``. Raises ColorizeError."""
        target = sink.FileSink(self.finish.output, self.finish.task_name(task), self.finish.fence.check)
        try:
            rows = list(self._copied(task, target))
            target.close()
        except OSError as error:
            raise ColorizeError(f"OUTPUT {self.finish.output} cannot be written: {one_line(error)}") from error
        stages = dict.fromkeys(STAGES, 0.0)
        return pa.Table.from_pylist([vars(row) | stages for row in rows], RESULT_SCHEMA)

    def _copied(self, task: pa.Table, target: sink.FileSink) -> Iterator[LedgerRow]:
        for record in task.to_pylist():
            original = self.originals.get(record["original"])
            row = self.finish.begun(record | {"read": 0.0, "predict": 0.0, "reason": "", "message": ""})
            result = b""
            if original is not None and original.content != record["content"]:
                message = f"equal to {record['original']} when they were compared, which has changed since"
                row = replace(row, reason="unreadable", message=message)
            elif original is None:
                row = replace(row, reason="storage", message=f"equal to {record['original']}: was not made")
            elif original.status != "ok":
                message = f"equal to {record['original']}: {original.message}"
                row = replace(row, status=original.status, reason=original.reason, message=message)
            else:
                try:
                    result = self._pages(original, target)
                    row = replace(row, width=original.width, height=original.height, pages=original.pages)
                    row = replace(row, colorfulness=original.colorfulness, pictures=original.pictures)
                    row = replace(row, bytes=original.bytes, status="ok", output=record["output"])
                    message = f"equal to {original.source}" + (f": {original.message}" if original.reason else "")
                    row = replace(row, reason=original.reason, message=message)
                except ImageError as error:
                    row = replace(row, reason=error.reason, message=error.message)
                except OSError as error:
                    row = replace(row, reason="storage", message=f"cannot be copied: {one_line(error)}")
            try:
                target.add(row, result)
            except ImageError as error:
                row = row.failed(error.reason, error.message)
                target.add(row, b"")
            yield row

    def _pages(self, original: LedgerRow, target: sink.FileSink) -> bytes:
        """The first page; the others are with ``target`` by then."""
        first, *others = (names.of_page(original.output, number) for number in range(1, original.pages + 1))
        for number, name in enumerate(others, 2):
            content = storage.read(storage.join(self.finish.output, name))
            target.add_page(number, Encoded(content, 0, 0))  # a file: nobody asks for its size
        return storage.read(storage.join(self.finish.output, first))


def _column(spool: Spool, name: str) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *(table[name].to_numpy() for table in spool)])


def _is_current(table: pa.Table, request: Request) -> pa.Array:
    same = pc.and_(pc.equal(table["bundle"], request.bundle), pc.equal(table["settings"], request.settings))
    return pc.and_(pc.and_(same, pc.equal(table["status"], "ok")), pc.not_equal(table["content"], ""))


def _known_sizes(done: Iterable[pa.Table], request: Request) -> Iterator[int]:
    for table in done:
        for fingerprint in pc.unique(table.filter(_is_current(table, request))["fingerprint"]).to_pylist():
            yield int(fingerprint.split("-")[0])


def _known(made: Plan, output: str, request: Request, digests: list[str]) -> dict[str, str]:
    """Sources by content that are done, and whose result will stay as it is."""
    candidates: set[str] = set()
    wanted = pa.array(digests, pa.string())
    for table in ledger.scan(output, LEDGER_COLUMNS):
        chosen = pc.and_(_is_current(table, request), pc.is_in(table["content"], wanted))
        candidates |= set(table.filter(chosen)["source"].to_pylist())
    for table in made.todo:  # among them those that have changed since
        candidates.difference_update(table["source"].to_pylist())
    return {
        row.content: row.source
        for row in ledger.latest(output, candidates).values()
        if (row.status, row.bundle, row.settings) == ("ok", request.bundle, request.settings)
        and storage.exists(storage.join(output, row.output))  # somebody may have removed it
    }
