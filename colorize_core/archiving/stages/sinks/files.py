"""Results as files that mirror the source tree: one per page."""

from __future__ import annotations

from collections.abc import Sequence

from colorize_core import storage
from colorize_core.archiving.planning import names
from colorize_core.archiving.stages.sinks.sink import Destination
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import ImageError
from colorize_core.images.encode import Content, Encoded
from colorize_core.images.metadata.provenance import is_ours


class FileSink:
    """Writes each page as a file, and the rows of the task into the ledger when it is closed."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._rows: list[LedgerRow] = []

    def add(self, row: LedgerRow, pages: Sequence[Encoded]) -> None:
        """Writes the first page to ``row.output`` and the others beside it, each completely or not at all.

        Raises:
            ImageError: OUTPUT has a file of this name that colorize did not make.
            OSError: OUTPUT cannot be written.
        """
        replaced = False
        for number, page in reversed(list(enumerate(pages, 1))):  # the first page last: it says that all are there
            replaced = self._write(names.of_page(row.output, number), page.content)
        if replaced:
            self._remove_further_pages(row)
        self._rows.append(row)

    def close(self) -> None:
        """Appends the rows to the ledger."""
        self._destination.check_lock()
        ledger.append(self._destination.output, self._destination.task, self._rows)

    def _write(self, name: str, content: Content) -> bool:
        """Writes a file. Returns True if it replaced one of the same name."""
        path = storage.join(self._destination.output, name)
        existed = storage.exists(path)
        if existed and not _is_ours(path) and storage.read(path) != bytes(content):
            raise ImageError("taken", f"OUTPUT has a file {name} that colorize did not make: move it away")
        storage.write(path, content, self._destination.temp_dir)
        return existed

    def _remove_further_pages(self, row: LedgerRow) -> None:
        """Removes the files of further pages from an earlier result, if the photograph has fewer pages now."""
        number = row.pages + 1
        while storage.exists(path := storage.join(self._destination.output, names.of_page(row.output, number))):
            if _is_ours(path):
                storage.remove_if_there(path)
            number += 1


def _is_ours(path: str) -> bool:
    with storage.open_file(path) as file:
        return is_ours(file)
