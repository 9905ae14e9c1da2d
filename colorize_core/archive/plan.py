"""What is left to do: the photographs minus those that the ledger has finished, each with the name of its output."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa

from colorize_core.archive.ledger import Ledger
from colorize_core.archive.source import Source

_FILES_PER_TASK = 32
_BYTES_PER_TASK = 32 << 20  # of source files: a task of large scans holds few of them
SCHEMA = pa.schema(
    [
        ("path", pa.binary()),  # as the file system has it: a name need not be UTF-8
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("output", pa.string()),
    ]
)


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        todo: photographs to colorize, and the outputs of each, relative to OUTPUT ('' where rows go into shards).
        finished: how many the ledger has with this model and these settings: ok, skipped.
        failed_before: how many failed in an earlier run and are left alone.
        outdated: how many of ``todo`` were done by another model or other settings, or changed since.
    """

    todo: list[tuple[Source, str]]
    finished: int
    failed_before: int
    outdated: int

    def tasks(self) -> Iterator[pa.Table]:
        """Tables of ``SCHEMA``, each the work of one task: bounded in files and in bytes."""
        part: list[tuple[Source, str]] = []
        size = 0
        for source, output in self.todo:
            if part and (len(part) == _FILES_PER_TASK or size + source.size > _BYTES_PER_TASK):
                yield _table(part)
                part, size = [], 0
            part.append((source, output))
            size += source.size
        if part:
            yield _table(part)


def make_plan(
    sources: Sequence[Source],
    done: Ledger,
    *,
    bundle: str,
    settings: str,
    suffix: str,
    retry_failed: bool = False,
    limit: int | None = None,
) -> Plan:
    """Compares the photographs with the ledger.

    Args:
        sources: sorted by name.
        done: the ledger.
        bundle: digest of the model.
        settings: all that decides how an output looks, beside the model.
        suffix: of outputs, as '.png'; '' where outputs are rows of shards.
        retry_failed: do again what failed before.
        limit: do at most so many.
    """
    names = _assign_names(sources, done, suffix) if suffix else {}
    todo: list[tuple[Source, str]] = []
    finished = failed = outdated = 0
    for source in sources:
        row = done.latest.get(source.uri)
        if row and (row.fingerprint, row.bundle, row.settings) == (source.fingerprint, bundle, settings):
            if row.status != "failed":
                finished += 1
                continue
            if not retry_failed and row.reason != "storage":  # which is no fault of the photograph: try again
                failed += 1
                continue
        elif row and (limit is None or len(todo) < limit):
            outdated += 1
        todo.append((source, names.get(source.uri, "")))
    return Plan(todo[:limit], finished, failed, outdated)


def _assign_names(sources: Sequence[Source], done: Ledger, suffix: str) -> dict[str, str]:
    """An output per source: ``album/a.png`` for ``album/a.tif``, and no two alike, also where case does not count.

    What the ledger has named keeps its name, and it stays taken when its source is gone. Of those that clash the first
    by name gets the plain one, others keep their own suffix in it (``a.tif.png``).
    """
    names = {s.uri: done.names[s.uri, suffix] for s in sources if (s.uri, suffix) in done.names}
    taken = {output.casefold() for output in done.outputs}
    taken |= {str(folder).casefold() for source in sources for folder in PurePosixPath(source.name).parents}
    for source in sources:
        if source.uri in names:
            continue
        name = next(name for name in _candidates(source, suffix) if name.casefold() not in taken)
        names[source.uri] = name
        taken.add(name.casefold())
    return names


def _candidates(source: Source, suffix: str) -> Iterable[str]:
    yield posixpath.splitext(source.name)[0] + suffix
    yield source.name + suffix
    yield f"{source.name}.{hashlib.sha256(source.uri.encode()).hexdigest()[:16]}{suffix}"


def _table(part: list[tuple[Source, str]]) -> pa.Table:
    rows = [
        {"path": os.fsencode(s.path), "source": s.uri, "fingerprint": s.fingerprint, "output": output}
        for s, output in part
    ]
    return pa.Table.from_pylist(rows, SCHEMA)
