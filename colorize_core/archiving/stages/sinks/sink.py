"""The interface of sinks, the place where they write, and the record of an output format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from colorize_core import storage
from colorize_core.archiving import faults
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.images.encode import Encoded


@dataclass(frozen=True)
class Destination:
    """The place for the results of one task.

    Attributes:
        output: folder or URL of the run's results.
        task: name of the task, unique among all tasks that ever wrote to ``output``.
        model: name of the bundle.
        image_format: format of the images, a key of ``images.formats.FORMATS``.
        check_lock: raises ColorizeError if another run has taken over; called before anything is recorded.
    """

    output: str
    task: str
    model: str
    image_format: str
    check_lock: Callable[[], None]

    @property
    def temp_dir(self) -> str:
        """Folder for files that are not complete yet."""
        return storage.join(self.output, faults.FOLDER)


class Sink(Protocol):
    """A writer of a task's results, which records each photograph in the ledger once its images are stored.

    The names of all files follow from the task. A task that is run again, as after the death of a process, writes the
    same files.
    """

    def add(self, row: LedgerRow, pages: Sequence[Encoded]) -> None:
        """Takes a photograph's row and the files of its pages, in their order; none if it was skipped or failed.

        Raises:
            ImageError: the results cannot be stored, for a reason of this photograph alone.
            OSError: OUTPUT cannot be written.
        """

    def close(self) -> None:
        """Writes all rows and images that the sink still holds. Raises OSError."""


@dataclass(frozen=True)
class OutputFormat:
    """A format that OUTPUT can have. A new format is a module with a sink, and an entry in ``formats.OUTPUT_FORMATS``.

    Attributes:
        name: the value of ``--format``.
        sink: opens the sink of a task.
        image_format: format of the images, a key of ``images.formats.FORMATS``.
        shard_suffix: suffix of the shards, such as '.tar'; '' if each page is a file of its own.
    """

    name: str
    sink: Callable[[Destination], Sink]
    image_format: str
    shard_suffix: str = ""

    @property
    def in_shards(self) -> bool:
        """True if images lie in shards, not in files of their own."""
        return bool(self.shard_suffix)
