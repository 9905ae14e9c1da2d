"""Plans a run: the photographs of INPUT minus those that the ledger has finished, with the name of each output.

Listing and ledger may exceed memory: both are hash-partitioned by file stem and compared one partition at a time.
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
from colorize_core.archiving.planning.partitions import hash_partition, partition_numbers
from colorize_core.archiving.spilled_table import SpilledTable

_MIN_FILES, _MAX_FILES = 32, 256  # bounds of the number of files in a task
_TASKS = 2048  # approximate number of tasks in a run: each takes 40 ms of the driver, whatever its size
_BYTES_PER_TASK = 32 << 20  # bytes of source files in a task: a task holds few large scans
_UNKNOWN_SIZE = 1 << 20  # bytes that a file counts for if its store does not report a size
_ROWS_PER_PARTITION = 200_000  # about this many rows of listing or ledger: one partition is in memory at a time
_NEVER = datetime.min.replace(tzinfo=timezone.utc)
LEDGER_COLUMNS = ("source", "fingerprint", "status", "reason", "output", "bundle", "settings", "finished_at")
_DONE = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("failed", pa.bool_()),
        ("kept", pa.bool_()),  # the photograph kept its own colors, or some of its pages did
        ("for_storage", pa.bool_()),  # failed for a reason outside the photograph: tried again
        ("current", pa.bool_()),  # done by this model with these settings
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
    """The settings of a run that decide whether a photograph of the ledger is done.

    Attributes:
        bundle: digest of the model.
        settings: everything that decides how a result looks, except the model.
        suffix: suffix of outputs, such as '.png'.
        in_shards: results are in shards, and not in files of their own.
        retry_failed: plan photographs that failed before.
        recolor: plan photographs that kept their own colors before, in whole or on some pages.
        limit: largest number of photographs to plan; None for all.
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
    """The work of a run: the photographs to colorize, and counts of the others.

    Attributes:
        todo: the photographs to colorize, rows of ``SCHEMA``.
        photographs: number of photographs in INPUT; one that INPUT names twice counts once.
        size: total size of the files to colorize, in bytes.
        finished: number of photographs that the ledger has as ok or skipped, with this model and these settings.
        failed_before: number of photographs that failed in an earlier run and are not tried again.
        outdated: number of photographs in ``todo`` that were done with another model or settings, or have changed.
        newest: the newest time in the ledger.
        min_files_per_task: lower bound of ``files_per_task``; the runner sets it.
    """

    todo: SpilledTable
    photographs: int = 0
    size: int = 0
    finished: int = 0
    failed_before: int = 0
    outdated: int = 0
    newest: datetime = _NEVER
    min_files_per_task: int = _MIN_FILES

    @property
    def files_per_task(self) -> int:
        """The largest number of files in a task, which grows with the number of photographs."""
        return min(max(self.min_files_per_task, math.ceil(self.todo.num_rows / _TASKS)), _MAX_FILES)

    def tasks_of(self, photographs: int) -> int:
        """Returns how many tasks, counted from the first, have at most this number of photographs together."""
        together = accumulate(rows.num_rows for rows in self._parts())
        return sum(1 for _ in takewhile(lambda rows: rows <= photographs, together))

    def tasks(self) -> Iterator[pa.Table]:
        """Yields tables of ``TASK_SCHEMA``, one per task, bounded in files and in bytes."""
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
    """Returns the end of each task in a table of files. Omits the last task, which may continue in the next table."""
    ends, files, total = [], 0, 0
    for place, size in enumerate(sizes):
        size = size or _UNKNOWN_SIZE
        # A large scan is alone in its task, so that no other photograph waits for it.
        size = _BYTES_PER_TASK + 1 if size > scheduling.LARGE else size
        if files and (files == most or total + size > _BYTES_PER_TASK):
            ends.append(place)
            files = total = 0
        files += 1
        total += size
    return ends


def make_plan(sources: SpilledTable, done: Iterable[pa.Table], request: Request) -> Plan:
    """Compares the photographs with the ledger. Returns what is left to do.

    Args:
        sources: rows of ``photographs.SCHEMA``, in any order.
        done: rows of the ledger, with ``LEDGER_COLUMNS``.
        request: what the run asks for.
    """
    before = SpilledTable(_DONE)
    newest = _NEVER
    for table in done:
        before.append(_reduced(table, request))
        newest = max(newest, pc.max(table["finished_at"]).as_py() or newest)
    count = 1 + max(sources.num_rows, before.num_rows) // _ROWS_PER_PARTITION
    plan = Plan(SpilledTable(SCHEMA), newest=newest)
    like_outputs = names.folders_like_outputs(sources, request.suffix)
    folders = _partitioned(like_outputs, count)
    output_names = names.OutputNames(request.suffix, request.in_shards, names.results_among(before, like_outputs))
    there = hash_partition(sources, photographs.SCHEMA, "source", count)
    known = hash_partition(before, _DONE, "source", count)
    for number in range(count):
        rows = _once(there[number].table().sort_by([("name", "ascending"), ("source", "ascending")]))
        if rows.num_rows:
            plan.photographs += rows.num_rows
            _compare(rows, known[number].table(), folders[number], output_names, request, plan)
        there[number] = known[number] = SpilledTable(_DONE)  # frees the disk space of both
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
    """Returns the first row of each source: a list of paths may name a photograph twice."""
    firsts = pc.index_in(rows["source"], value_set=rows["source"])
    return rows.filter(pc.equal(firsts, pa.array(np.arange(rows.num_rows, dtype=np.int32))))


def _compare(
    rows: pa.Table, done: pa.Table, folders: set[str], output_names: names.OutputNames, request: Request, plan: Plan
) -> None:
    """Adds what is left to do of one partition to the plan.

    Args:
        rows: the photographs, sorted by name.
        done: rows of the ledger, in any order.
        folders: names that results must not have, ``casefolded``.
        output_names: assigns the names of results.
        request: what the run asks for.
        plan: the plan to add to.
    """
    # The newest row comes first, because ``index_in`` finds the first of equal values. Photographs that the ledger does
    # not have get nulls.
    done = done.sort_by([("finished_at", "descending")])
    last = done.take(pc.index_in(rows["source"], value_set=done["source"]))
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
        outputs = output_names.assign(rows, done, folders)
        chosen = rows.append_column("output", pa.array(outputs, pa.string())).filter(pa.array(todo))
        plan.size += pc.sum(chosen["size"]).as_py()
        plan.todo.append(chosen)


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(values, False).to_numpy()
    return mask


def _partitioned(paths: set[str], count: int) -> list[set[str]]:
    partitions: list[set[str]] = [set() for _ in range(count)]
    ordered = sorted(paths)
    for path, number in zip(ordered, partition_numbers(pa.chunked_array([ordered], pa.string()), count), strict=True):
        partitions[number].add(path)
    return partitions
