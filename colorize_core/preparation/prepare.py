"""Runs the preparation job on Ray Data: lists chunks, writes a shard per chunk and split, then ``dataset.json``."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

import pyarrow as pa

from colorize_core import datasets, storage
from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets import prepared
from colorize_core.datasets.prepared_facts import DataSetFacts, PairFacts
from colorize_core.datasets.rows import Chunk, ReadPlan, Reject
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, OutputError, printable
from colorize_core.preparation import overview, shards
from colorize_core.preparation.shards import RECORDS, Record, Transform
from colorize_core.runtime import cluster, pickled_rows
from colorize_core.runtime.pickled_rows import Columns
from colorize_core.version import __version__

_PLAN = "plan"  # file in RECORDS that names the data set being prepared
_REJECTS_SHOWN = 1000  # rejected images that dataset.json lists; rejected.csv lists all
REJECTED = "rejected.csv"
SAMPLES = "samples.png"
OnRecord = Callable[[Record, int], None]
"""Called with the record of a finished chunk and the number of all chunks."""


@dataclass(frozen=True)
class PrepareConfig:
    """Settings of one preparation.

    Attributes:
        dataset: name of the data set, one of ``datasets.DATASETS``.
        source: path or URL of the data set; 'official' downloads a data set with a published archive.
        output: folder or URL to write into; new, empty, or left by an interrupted run with the same settings.
        transform: size and crop of the stored images.
        rule: fractions of the validation and test splits.
        gray: default formula of the gray input that ``load_pairs`` computes. The shards hold colors.
        color_space: default color space of the target that ``load_pairs`` computes.

    Example:
        >>> config = PrepareConfig("folder", "photographs", "prepared", Transform(size=128), SplitRule(val=0.1))
        >>> config.gray, config.color_space
        ('luminance', 'lab')
    """

    dataset: str
    source: str
    output: str
    transform: Transform
    rule: SplitRule
    gray: GrayFormula = "luminance"
    color_space: ColorSpace = "lab"


def prepare(config: PrepareConfig, on_record: OnRecord = lambda record, chunks: None) -> DataSetFacts:
    """Writes training-ready shards of a data set.

    The job runs on the Ray cluster that ``RAY_ADDRESS`` names, else on this machine. A call with the same settings
    resumes an interrupted run, and does nothing after a complete one.

    Args:
        config: what to prepare, and where to.
        on_record: called with the record of each finished chunk and the number of all chunks.

    Returns:
        The content of ``dataset.json``: settings, number of images by split, rejected images, statistics.

    Raises:
        InputError: the data set is unknown, or has no usable image.
        OutputError: the output cannot be written, holds something else, or lies inside the source.
        ColorizeError: a chunk failed. The same call resumes with the chunks that are left.

    Example:
        >>> transform, rule = Transform(size=128), SplitRule(val=0.1, test=0.1)
        >>> facts = prepare(PrepareConfig("folder", "photographs", "prepared", transform, rule))
        >>> facts["images"]
        {'test': 90, 'val': 98, 'train': 812}
    """
    cluster.check_lasting(config.output)
    plan = datasets.plan(f"{config.dataset}:{config.source}", config.rule)
    output = storage.absolute(config.output)
    if config.source and storage.is_inside(output, config.source):
        raise OutputError(f"OUTPUT {config.output} lies inside SOURCE {config.source}: choose a place beside it")
    identity = _identity(config, plan)
    finished = _check_output(config, output, identity)
    if finished is not None:
        return finished
    storage.check_writable(output)
    storage.write(storage.join(output, RECORDS, _PLAN), identity.encode())
    records = {record.chunk: record for record in shards.read_records(output)}
    todo = [_Task(number, chunk) for number, chunk in enumerate(plan.chunks) if number not in records]
    for record in records.values():
        on_record(record, len(plan.chunks))
    if todo:
        failure = "a chunk failed; run the same command to resume"
        with cluster.connected(), cluster.explained(failure), closing(_run(todo, config.transform, output)) as results:
            for record in results:
                records[record.chunk] = record
                on_record(record, len(plan.chunks))
    return _finish(config, identity, [records[number] for number in sorted(records)], plan.rejects)


def _check_output(config: PrepareConfig, output: str, identity: str) -> DataSetFacts | None:
    """Returns the facts if OUTPUT holds this data set already. Raises OutputError if it holds something else."""
    begun = storage.join(output, RECORDS, _PLAN)
    if prepared.is_prepared(output):
        facts = prepared.read_facts(output)
        if facts.get("identity") == identity:
            storage.remove_if_there(storage.join(output, RECORDS))  # left if a run was killed at its last step
            return facts
    elif storage.exists(begun):
        if storage.read(begun).decode(errors="replace") == identity:
            return None
    elif storage.is_empty(output):
        return None
    raise OutputError(
        f"OUTPUT {config.output} holds something else, or a data set of other settings or of an earlier state of "
        "SOURCE: choose a new folder, or remove this one"
    )


def _identity(config: PrepareConfig, plan: ReadPlan) -> str:
    """Returns SHA-256 over the settings and over names, sizes and stamps of all files to read."""
    digest = hashlib.sha256(
        json.dumps([config.dataset, asdict(config.transform), _pair(config)], sort_keys=True).encode()
    )
    for entry in storage.find(config.source) if storage.is_folder(config.source) else storage.match(config.source):
        digest.update(f"{entry.name}\t{entry.size}\t{entry.stamp}\n".encode("utf-8", "surrogateescape"))
    for chunk in plan.chunks:
        function, arguments = getattr(chunk, "func", chunk), getattr(chunk, "args", ())
        digest.update(
            f"{function.__module__}.{function.__qualname__}{arguments!r}\n".encode("utf-8", "surrogateescape")
        )
    return digest.hexdigest()


@dataclass(frozen=True)
class _Task:
    """A chunk to prepare, and the number of the chunk."""

    number: int
    chunk: Chunk


@dataclass(frozen=True)
class _Result:
    """The record of a finished chunk, or the error that ended the chunk. Ray would drop the type of a raised error."""

    record: Record | None
    failure: Exception | None


def _run(tasks: Sequence[_Task], transform: Transform, output: str) -> Generator[Record, None, None]:
    import ray.data

    dataset = ray.data.from_arrow([pickled_rows.to_table([task]) for task in tasks])
    results = dataset.map_batches(_run_tasks, batch_size=1, fn_kwargs={"transform": transform, "output": output})
    cluster.give_all_cpus(results)
    batches = iter(results.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0))
    try:
        for columns in batches:
            yield from _records(pickled_rows.from_columns(columns))
    finally:
        batches.close()  # stops the tasks while Ray still runs


def _records(results: Sequence[_Result]) -> Generator[Record, None, None]:
    """Yields the record of each chunk. Raises the error of a chunk that failed."""
    for result in results:
        if result.failure:
            raise result.failure
        if result.record:
            yield result.record


def _run_tasks(columns: Columns, transform: Transform, output: str) -> pa.Table:
    tasks: list[_Task] = pickled_rows.from_columns(columns)
    return pickled_rows.to_table([_run_task(task, transform, output) for task in tasks])


def _run_task(task: _Task, transform: Transform, output: str) -> _Result:
    try:
        cluster.check_tries(f"chunk {task.number} of SOURCE")
        return _Result(shards.prepare_chunk(task.chunk, task.number, transform, output), None)
    except Exception as error:
        return _Result(None, error)


def _finish(config: PrepareConfig, identity: str, records: list[Record], missing: Sequence[Reject]) -> DataSetFacts:
    """Writes ``rejected.csv``, ``samples.png`` and, last, ``dataset.json``; removes the records."""
    output = storage.absolute(config.output)
    rejects = sorted([*missing, *(reject for record in records for reject in record.rejects)])
    facts: DataSetFacts = {
        "format": prepared.FORMAT,
        "dataset": config.dataset,
        "source": printable(config.source),
        "transform": {
            "size": config.transform.size,
            "crop": config.transform.crop,
            "min_chroma": config.transform.min_chroma,
        },
        "pair": _pair(config),
        "split": {"val": config.rule.val, "test": config.rule.test, "seed": config.rule.seed},
        **shards.facts(records, list(missing)),
        "rejects": [{"id": r.id, "reason": r.reason, "message": r.message} for r in rejects[:_REJECTS_SHOWN]],
        "identity": identity,
        "version": __version__,
    }
    if not sum(facts["images"].values()):
        storage.remove_if_there(storage.join(output, RECORDS))
        first = f": {rejects[0].id}: {rejects[0].message}" if rejects else ""
        raise InputError(f"{config.source} has no image that can be used, {len(rejects)} were rejected{first}")
    storage.write(storage.join(output, REJECTED), _csv(rejects))
    storage.write(storage.join(output, SAMPLES), overview.draw(output, facts))
    content = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    storage.write(storage.join(output, prepared.FACTS), content.encode())
    storage.remove_if_there(storage.join(output, RECORDS))
    return facts


def _pair(config: PrepareConfig) -> PairFacts:
    return {"gray": config.gray, "color_space": config.color_space}


def _csv(rejects: Sequence[Reject]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(Reject._fields)
    writer.writerows(rejects)
    return file.getvalue().encode()
