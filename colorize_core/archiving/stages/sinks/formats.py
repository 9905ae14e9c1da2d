"""The formats that OUTPUT can have: files of each image format, and shards."""

from __future__ import annotations

import re

import pyarrow.compute as pc

from colorize_core import storage
from colorize_core.archiving.stages.sinks.files import FileSink
from colorize_core.archiving.stages.sinks.parquet import PARQUET
from colorize_core.archiving.stages.sinks.sink import OutputFormat
from colorize_core.archiving.stages.sinks.tar import TAR
from colorize_core.archiving.state import ledger
from colorize_core.images.formats import FORMATS

_FILES = [OutputFormat(name, FileSink, name) for name in FORMATS]
OUTPUT_FORMATS: dict[str, OutputFormat] = {each.name: each for each in (*_FILES, PARQUET, TAR)}

_SUFFIXES = "|".join(re.escape(each.shard_suffix) for each in OUTPUT_FORMATS.values() if each.in_shards)
_SHARD_NAME = re.compile(rf"part-\d{{8}}T\d{{6}}Z-[0-9a-f]{{6}}-\d{{8}}-\d+({_SUFFIXES})")  # only colorize's


def remove_orphan_shards(output: str) -> None:
    """Removes shards that a killed run wrote without recording them in the ledger: their images are made again.

    Raises:
        OutputError: a file of the ledger is damaged.
        OSError: OUTPUT cannot be read or written.
    """
    shards = {entry.name: entry.path for entry in storage.children(output) if _SHARD_NAME.fullmatch(entry.name)}
    for table in ledger.scan(output, ["output"]) if shards else ():
        for name in pc.unique(table["output"]).to_pylist():
            shards.pop(name, None)
    for path in shards.values():
        storage.remove(path)
