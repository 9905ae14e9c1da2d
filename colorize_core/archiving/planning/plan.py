"""What is left to do: the photographs minus those that the ledger has finished, each with the name of its output.

Both may be longer than memory: they are cut into buckets in which everything that concerns one another meets, and
compared bucket by bucket.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import accumulate, takewhile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from colorize_core.archiving import scheduling, typed_rows
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.inputs.photographs import ListedPhotograph
from colorize_core.archiving.planning import names
from colorize_core.archiving.spool import Spool, bucket_of, partition

_LEAST_FILES, _MOST_FILES = 32, 256  # of a task
_TASKS = 2048  # of a run, about: each takes 40 ms of the driver, whatever is in it
_BYTES_PER_TASK = 32 << 20  # of source files: a task of large scans holds few of them
_UNKNOWN = 1 << 20  # bytes of a file of which its store does not say it
_ROWS_PER_BUCKET = 200_000  # of one side, about: what is in memory at a time
_NEVER = datetime.min.replace(tzinfo=timezone.utc)
LEDGER_COLUMNS = ("source", "fingerprint", "status", "reason", "output", "bundle", "settings", "finished_at")
_DONE = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("failed", pa.bool_()),
        ("kept", pa.bool_()),  # it was in color, or some of its pages
        ("for_storage", pa.bool_()),  # failed through no fault of the photograph itself
        ("current", pa.bool_()),  # by this model and these settings
        ("output", pa.string()),
        ("finished_at", pa.timestamp("ms", "UTC")),
    ]
)


@dataclass(frozen=True, kw_only=True)
class PlannedPhotograph(ListedPhotograph):
    """A photograph to colorize. The fields are the columns of ``TASK_SCHEMA``.

    Attributes:
        output: path of the result below OUTPUT; name of the result in a shard.
        task: number of the task, the same for all rows of a table.
    """

    output: str
    task: int


TASK_SCHEMA = typed_rows.schema_of(PlannedPhotograph)
SCHEMA = TASK_SCHEMA.remove(TASK_SCHEMA.get_field_index("task"))  # before tasks are numbered


@dataclass(frozen=True)
class Request:
    """What decides which photographs are done.

    Attributes:
        bundle: digest of the model.
        settings: all that decides how an output looks, beside the model.
        suffix: of outputs, as '.png'.
        in_shards: they are no files of their own.
        retry_failed: do again what failed before.
        recolor: do what was in color before and kept its colors, or some pages of it.
        limit: do at most so many.
    """

    bundle: str
    settings: str
    suffix: str
    in_shards: bool = False
    retry_failed: bool = False
    recolor: bool = False
    limit: int | None = None


@dataclass
class Plan:
    """What a run will do.

    Attributes:
        photographs: how many there are; one that INPUT names twice counts once.
        todo: those to colorize, rows of ``SCHEMA``.
        size: of their files together, in bytes.
        finished: how many the ledger has with this model and these settings: ok, skipped.
        failed_before: how many failed in an earlier run and are left alone.
        outdated: how many of ``todo`` were done by another model or other settings, or changed since.
        newest: the last time in the ledger.
        least_per_task: fewer files make no task of their own.
    """

    todo: Spool
    photographs: int = 0
    size: int = 0
    finished: int = 0
    failed_before: int = 0
    outdated: int = 0
    newest: datetime = _NEVER
    least_per_task: int = _LEAST_FILES

    @property
    def files_per_task(self) -> int:
        """At most: the more photographs there are, the more of them."""
        return min(max(self.least_per_task, math.ceil(self.todo.num_rows / _TASKS)), _MOST_FILES)

    def tasks_of(self, photographs: int) -> int:
        """How many tasks, from the first on, have at most so many photographs together."""
        together = accumulate(rows.num_rows for rows in self._parts())
        return sum(1 for _ in takewhile(lambda rows: rows <= photographs, together))

    def tasks(self) -> Iterator[pa.Table]:
        """Tables of ``TASK_SCHEMA``, each the work of one task: bounded in files and in bytes."""
        for number, rows in enumerate(self._parts()):
            yield rows.append_column("task", pa.array([number] * rows.num_rows, pa.int64()))

    def _parts(self) -> Iterator[pa.Table]:
        held = SCHEMA.empty_table()
        for table in self.todo:
            rows = pa.concat_tables([held, table]).combine_chunks()
            ends = _ends(rows["size"].to_pylist(), self.files_per_task)
            for start, end in zip([0, *ends], ends, strict=False):
                yield rows.slice(start, end - start)
            held = rows.slice(ends[-1] if ends else 0)
        if held.num_rows:
            yield held


def _ends(sizes: Sequence[int], most: int) -> list[int]:
    """Where tasks end, but for the last, which may go on."""
    ends, files, total = [], 0, 0
    for place, size in enumerate(sizes):
        size = size or _UNKNOWN
        size = _BYTES_PER_TASK + 1 if size > scheduling.LARGE else size  # nothing waits for it in a task with it
        if files and (files == most or total + size > _BYTES_PER_TASK):
            ends.append(place)
            files = total = 0
        files += 1
        total += size
    return ends


def make_plan(sources: Spool, done: Iterable[pa.Table], request: Request) -> Plan:
    """Compares the photographs with the ledger.

    Args:
        sources: rows of ``photographs.SCHEMA``, in any order.
        done: the ledger's rows, with ``LEDGER_COLUMNS``.
        request: what is wanted.
    """
    before = Spool(_DONE)
    newest = _NEVER
    for table in done:
        before.append(_reduced(table, request))
        newest = max(newest, pc.max(table["finished_at"]).as_py() or newest)
    count = 1 + max(sources.num_rows, before.num_rows) // _ROWS_PER_BUCKET
    plan = Plan(Spool(SCHEMA), newest=newest)
    like_outputs = names.folders_like_outputs(sources, request.suffix)
    folders = _by_bucket(like_outputs, count)
    given = names.Names(request.suffix, request.in_shards, names.results_among(before, like_outputs))
    there = partition(sources, photographs.SCHEMA, "source", count)
    known = partition(before, _DONE, "source", count)
    for number in range(count):
        rows = _once(there[number].table().sort_by([("name", "ascending"), ("source", "ascending")]))
        if rows.num_rows:
            plan.photographs += rows.num_rows
            _compare(rows, known[number].table(), folders[number], given, request, plan)
        there[number] = known[number] = Spool(_DONE)  # and their files are gone
    return plan


def _reduced(table: pa.Table, request: Request) -> pa.Table:
    columns = {
        "failed": pc.equal(table["status"], "failed"),
        "for_storage": pc.is_in(table["reason"], pa.array(["storage", "unreadable", "taken"])),
        "current": pc.and_(pc.equal(table["bundle"], request.bundle), pc.equal(table["settings"], request.settings)),
        "kept": pc.equal(table["reason"], "in_color"),
    }
    return pa.table({name: columns[name] if name in columns else table[name] for name in _DONE.names}, _DONE)


def _once(rows: pa.Table) -> pa.Table:
    """The first row of each source: a list may name one twice, by other names."""
    firsts = pc.index_in(rows["source"], value_set=rows["source"])
    return rows.filter(pc.equal(firsts, pa.array(np.arange(rows.num_rows, dtype=np.int32))))


def _compare(
    rows: pa.Table, done: pa.Table, folders: set[str], given: names.Names, request: Request, plan: Plan
) -> None:
    """Adds to the plan what is left to do of one bucket.

    Args:
        rows: the photographs, sorted by name.
        done: what the ledger says, in any order.
        folders: that results must not be named after, ``folded``.
        given: the names of results.
        request: what is wanted.
        plan: where to add.
    """
    done = done.sort_by([("finished_at", "descending")])  # of equal values ``index_in`` finds the first
    last = done.take(pc.index_in(rows["source"], value_set=done["source"]))  # nulls where there is none
    known = _mask(pc.is_valid(last["source"]))
    same = _mask(last["current"]) & _mask(pc.equal(last["fingerprint"], rows["fingerprint"]))
    failed = same & _mask(last["failed"])
    again = same & _mask(last["kept"]) & request.recolor
    left = failed & ~_mask(last["for_storage"]) & (not request.retry_failed)
    todo = ~left & ~(same & ~failed & ~again)
    if request.limit is not None:
        todo &= np.cumsum(todo) <= request.limit - plan.todo.num_rows
    plan.finished += int((same & ~failed & ~again).sum())
    plan.failed_before += int(left.sum())
    plan.outdated += int((todo & known & ~same).sum())
    if todo.any():
        outputs = given.of(rows, done, folders)
        chosen = rows.append_column("output", pa.array(outputs, pa.string())).filter(pa.array(todo))
        plan.size += pc.sum(chosen["size"]).as_py()
        plan.todo.append(chosen)


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(values, False).to_numpy()
    return mask


def _by_bucket(paths: set[str], count: int) -> list[set[str]]:
    buckets: list[set[str]] = [set() for _ in range(count)]
    ordered = sorted(paths)
    for path, bucket in zip(ordered, bucket_of(pa.chunked_array([ordered], pa.string()), count), strict=True):
        buckets[bucket].add(path)
    return buckets
