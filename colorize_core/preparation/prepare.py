"""The chain on one screen: plan -> chunks -> shards -> ``dataset.json``, on Ray Data."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from colorize_core import datasets, storage
from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets import prepared
from colorize_core.datasets.rows import Chunk, ReadPlan, Reject
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, OutputError, printable
from colorize_core.preparation import overview, shards
from colorize_core.preparation.shards import RECORDS, Record, Transform
from colorize_core.runtime import cluster
from colorize_core.version import __version__

_PLAN = "plan"  # in RECORDS, until the data set is complete
_REJECTS_SHOWN = 1000  # in dataset.json; rejected.csv has all
REJECTED = "rejected.csv"
SAMPLES = "samples.png"
OnRecord = Callable[[Record, int], None]


@dataclass(frozen=True)
class PrepareConfig:
    """One call of ``colorize prepare``.

    ``gray`` and ``color_space`` say which pairs ``load_pairs`` makes of the pixels where nobody asks for others.
    """

    dataset: str
    source: str
    output: str
    transform: Transform
    rule: SplitRule
    gray: GrayFormula = "luminance"
    color_space: ColorSpace = "lab"


def prepare(config: PrepareConfig, on_record: OnRecord = lambda record, chunks: None) -> dict[str, Any]:
    """Makes training-ready shards of a data set; gives what ``dataset.json`` says.

    A run that was ended in the middle goes on with the chunks that have no record yet. Runs on the cluster that
    ``cluster.connected`` finds.

    Args:
        config: what to prepare, from where, to where.
        on_record: called with each finished chunk and the number of all.

    Raises:
        UserError: the data or the place is wrong; nothing was written.
        ColorizeError: a chunk failed; the same call goes on with what is left.
    """
    cluster.check_lasting(config.output)
    plan = datasets.plan(f"{config.dataset}:{config.source}", config.rule)
    output = storage.absolute(config.output)
    if config.source and storage.is_inside(output, config.source):
        raise OutputError(f"OUTPUT {config.output} lies inside SOURCE {config.source}: choose a place beside it")
    identity = _identity(config, plan)
    done = _check_output(config, output, identity)
    if done is not None:
        return done
    storage.check_writable(output)
    storage.write(storage.join(output, RECORDS, _PLAN), identity.encode())
    records = {record.chunk: record for record in shards.read_records(output)}
    todo = [(number, chunk) for number, chunk in enumerate(plan.chunks) if number not in records]
    for record in records.values():
        on_record(record, len(plan.chunks))
    if todo:
        lost = "a chunk failed; the same command goes on with what is left"
        with cluster.connected(), cluster.explained(lost), closing(_run(todo, config.transform, output)) as made:
            for record in made:
                records[record.chunk] = record
                on_record(record, len(plan.chunks))
    return _finish(config, identity, [records[number] for number in sorted(records)], plan.rejects)


def _check_output(config: PrepareConfig, output: str, identity: str) -> dict[str, Any] | None:
    """The facts, where OUTPUT holds this very data set already. Raises OutputError where it holds something else."""
    begun = storage.join(output, RECORDS, _PLAN)
    if prepared.is_prepared(output):
        facts = prepared.read_facts(output)
        if facts.get("identity") == identity:
            storage.remove_if_there(storage.join(output, RECORDS))  # of a run that was ended at its last step
            return facts
    elif storage.exists(begun):
        if storage.read(begun).decode(errors="replace") == identity:
            return None
    elif storage.is_empty(output):
        return None
    raise OutputError(
        f"OUTPUT {config.output} holds something else, or the same with other settings or of a SOURCE that has changed "
        "since: choose a new folder, or remove this one"
    )


def _identity(config: PrepareConfig, plan: ReadPlan) -> str:
    """SHA-256 of the settings and of all that the chunks will read: another one, another data set."""
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


def _run(todo: Sequence[tuple[int, Chunk]], transform: Transform, output: str) -> Generator[Record, None, None]:
    import ray.data
    from ray import cloudpickle

    rows = [{"number": number, "chunk": cloudpickle.dumps(chunk)} for number, chunk in todo]
    results = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _prepare,
        batch_size=1,
        fn_kwargs={"transform": transform, "output": output},
    )
    cluster.give_all_cpus(results)
    batches = iter(results.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0))
    try:
        for batch in batches:
            for record, failure in zip(batch["record"], batch["failure"], strict=True):
                if failure:
                    raise cloudpickle.loads(failure)
                yield Record.from_json(record)
    finally:
        batches.close()  # ends the tasks, which could not be ended after Ray


def _prepare(batch: dict[str, Any], transform: Transform, output: str) -> dict[str, Any]:
    from ray import cloudpickle

    chunk: Chunk = cloudpickle.loads(batch["chunk"][0])
    record, failure = "", b""
    try:
        cluster.check_tries(f"chunk {batch['number'][0]} of SOURCE")
        record = shards.prepare_chunk(chunk, int(batch["number"][0]), transform, output).to_json()
    except Exception as error:  # as data: Ray would lose its kind and its words
        failure = cloudpickle.dumps(error)
    return {"record": [record], "failure": np.array([failure], object)}


def _finish(config: PrepareConfig, identity: str, records: list[Record], missing: Sequence[Reject]) -> dict[str, Any]:
    """Writes what a person looks at, ``dataset.json`` last, and removes the records."""
    output = storage.absolute(config.output)
    rejects = sorted([*missing, *(reject for record in records for reject in record.rejects)])
    facts: dict[str, Any] = {
        "format": prepared.FORMAT,
        "dataset": config.dataset,
        "source": printable(config.source),
        "transform": asdict(config.transform),
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


def _pair(config: PrepareConfig) -> dict[str, str]:
    return {"gray": config.gray, "color_space": config.color_space}


def _csv(rejects: Sequence[Reject]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(Reject._fields)
    writer.writerows(rejects)
    return file.getvalue().encode()
