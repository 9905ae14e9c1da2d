"""The list of the results that a person should look at first: those with the largest doubt."""

from __future__ import annotations

import csv
import heapq
import io
import posixpath

from colorize_core import storage
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import OutputError, UserError, one_line, printable
from colorize_core.runtime import cluster

HEADER = ("doubt", "photograph", "result", "width", "height", "pages", "bundle", "message")
_SUFFIX = ".csv"
_SCANNED = ("source", "doubt", "finished_at")


def check_path(path: str) -> None:
    """Checks that a list can be written to a path without harm to another file.

    Raises:
        UserError: the path is no name of a CSV file, or a relative path in a submitted job.
        OutputError: another file is there.
    """
    place = storage.absolute(path)
    if not place.lower().endswith(_SUFFIX):
        raise UserError(f"--review {path} must be the name of a CSV file, such as worst.csv")
    cluster.check_lasting(path, "--review")
    if storage.is_folder(place) or (storage.exists(place) and not _is_review(storage.read(place))):
        raise OutputError(f"--review {path} is there already, and no list of colorize: choose another name")


def check_writable(path: str) -> None:
    """Checks that a list can be written to a path, by writing a file beside it. Raises OutputError if not."""
    storage.check_writable(posixpath.dirname(storage.absolute(path)), f"--review {path}")


def _is_review(file: bytes) -> bool:
    return file.startswith(",".join(HEADER[:3]).encode())


def write_review(output: str, path: str, rows: int) -> int:
    """Writes a CSV file with the results in OUTPUT that have the largest doubt, the largest first.

    Args:
        output: folder or URL that holds the ledger.
        path: the file or URL to write.
        rows: the most rows to write.

    Returns:
        The number of rows that were written.

    Raises:
        OutputError: the ledger is damaged, or the file cannot be written.
    """
    results = _most_doubtful(output, rows)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(HEADER)
    for row in results:
        place = printable(storage.join(output, row.output))
        facts = (
            f"{row.doubt:.2f}",
            printable(row.source),
            place,
            row.width,
            row.height,
            row.pages,
            row.bundle,
            row.message,
        )
        writer.writerow(facts)
    try:
        storage.write(storage.absolute(path), file.getvalue().encode())
    except OSError as error:
        raise OutputError(f"--review {path} cannot be written: {one_line(error)}") from error
    return len(results)


def _most_doubtful(output: str, count: int) -> list[LedgerRow]:
    """Returns the newest rows of the sources with the largest doubt. Memory does not grow with the ledger."""
    candidates = 2 * count
    while True:
        rows = (row for table in ledger.scan(output, _SCANNED) for row in table.to_pylist() if row["doubt"] is not None)
        largest = heapq.nlargest(candidates, rows, key=lambda row: (row["doubt"], row["source"]))
        newest = ledger.latest(output, {row["source"] for row in largest})
        # A row counts if no newer one of its source has replaced it.
        current = {row["source"] for row in largest if row["finished_at"] == newest[row["source"]].finished_at}
        if len(current) >= count or len(largest) < candidates:
            return sorted((newest[source] for source in current), key=_rank)[:count]
        candidates *= 4


def _rank(row: LedgerRow) -> tuple[float, str]:
    return -(row.doubt or 0.0), row.source
