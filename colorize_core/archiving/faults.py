"""Detection of stores that are down, and of photographs that kill the process that works on them."""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from colorize_core import storage
from colorize_core.errors import MOST_DEATHS, ColorizeError, one_line

FOLDER = "_partial"  # folder in OUTPUT for files that are removed when a run ends
_GIVE_UP = 3  # failures of a store in a row, each after retries of its own
_OUTAGE_PHOTOGRAPHS, _OUTAGE_TASKS = 256, 8
_FILE_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def reason_of(error: OSError) -> str:
    """Returns the reason code of an error: ``unreadable`` if it concerns one file, ``storage`` if it may be the store.

    The next run tries photographs with either reason again.

    Example:
        >>> reason_of(PermissionError()), reason_of(TimeoutError())
        ('unreadable', 'storage')
    """
    return "unreadable" if _concerns_one_file(error) else "storage"


def _concerns_one_file(error: OSError) -> bool:
    return isinstance(error, _FILE_ERRORS) or error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST)


class CircuitBreaker:
    """Fails calls of a store at once while it is down, so that a task does not wait for each of its photographs."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()

    @contextmanager
    def call(self, path: str) -> Iterator[None]:
        """Encloses a call to the store of ``path``. Raises OSError at once if the last three calls to it failed."""
        store = "/".join(path.split("/", 3)[:3]) if "://" in path else ""
        if self._failures[store] >= _GIVE_UP:
            raise OSError(f"not tried: the store failed {_GIVE_UP} times in a row before")
        try:
            yield
        except OSError as error:
            self._failures[store] += not _concerns_one_file(error)
            raise
        self._failures[store] = 0


class OutageDetector:
    """Detects, over the tasks of a run, that a store is down.

    A store counts as down if 256 photographs in a row, in at least eight tasks, failed because of a store. Neither one
    broken host in a list of many nor one task with many photographs is enough.

    Attributes:
        photographs: number of photographs in a row that failed because of the store.
    """

    def __init__(self) -> None:
        self.photographs = self._tasks = 0

    def is_outage_after(self, reasons: Sequence[str]) -> bool:
        """Takes the reasons of a task's photographs. Returns True if the store is down."""
        if any(reason != "storage" for reason in reasons):
            self.photographs = self._tasks = 0
        else:
            self.photographs, self._tasks = self.photographs + len(reasons), self._tasks + 1
        return self.photographs >= _OUTAGE_PHOTOGRAPHS and self._tasks >= _OUTAGE_TASKS


class CrashGuard:
    """Finds a photograph that kills each process that works on it, so that its task can be finished without it.

    A decoder may crash or exhaust the memory, and runners repeat a task whose process died. From the second attempt on
    each photograph is noted in a file before work on it starts; one that killed two processes is left out.

    Args:
        output: folder or URL that the run writes to.
        name: name of task and stage, unique in the run.
        deaths: number of processes that died over the task before.
    """

    def __init__(self, output: str, name: str, deaths: int) -> None:
        self._path = storage.join(output, FOLDER, f"{name}.json")
        self._watches = deaths > 0
        self._deaths: dict[str, int] = {}
        if self._watches:
            with suppress(FileNotFoundError, ValueError):
                notes = json.loads(storage.read(self._path))
                self._deaths = notes["deaths"]
                self._deaths[notes["at"]] = self._deaths.get(notes["at"], 0) + 1

    def is_deadly(self, source: str) -> bool:
        """Returns True if the photograph must be left out; otherwise notes that work on it starts. Raises OSError."""
        if not self._watches:
            return False
        if self._deaths.get(source, 0) >= MOST_DEATHS:
            return True
        storage.write(self._path, json.dumps({"at": source, "deaths": self._deaths}).encode())
        return False

    def close(self) -> None:
        """Removes the notes of a finished task. Raises OSError."""
        if self._watches:
            storage.remove_if_there(self._path)


@contextmanager
def counted_deaths(output: str, name: str) -> Iterator[int]:
    """Yields the number of processes that died over a task, for runners that do not count attempts.

    Ray counts the attempts of tasks, but not those of actors. Each attempt is noted in a file, which is removed when
    the task is finished.

    Args:
        output: folder or URL that the run writes to.
        name: name of the task, unique in the run.

    Raises:
        ColorizeError: ``output`` cannot be written.
    """
    path = storage.join(output, FOLDER, f"{name}-attempts")
    attempts = 0
    try:
        with suppress(FileNotFoundError, ValueError):
            attempts = int(storage.read(path))
        storage.write(path, str(attempts + 1).encode())
        yield attempts
        storage.remove_if_there(path)
    except OSError as error:
        raise ColorizeError(f"OUTPUT {output} cannot be written: {one_line(error)}") from error
