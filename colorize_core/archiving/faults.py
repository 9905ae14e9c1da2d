"""What tasks and runs do about a store that is away, and about photographs that kill the process that works on them."""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from colorize_core import storage
from colorize_core.errors import MOST_DEATHS, ColorizeError, one_line

FOLDER = "_partial"  # in OUTPUT: what nobody needs when a run is over
_GIVE_UP = 3  # photographs in a row that a store fails, each after patience of its own
_AWAY_PHOTOGRAPHS, _AWAY_TASKS = 256, 8
_OF_THE_FILE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def reason_of(error: OSError) -> str:
    """``unreadable`` where it lies with the one file, ``storage`` where it may be the store: both are tried again."""
    return "unreadable" if _is_of_the_file(error) else "storage"


def _is_of_the_file(error: OSError) -> bool:
    return isinstance(error, _OF_THE_FILE) or error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST)


class Outage:
    """Notices, within a task, that a store is away: the rest of its photographs need not wait out the same."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()

    @contextmanager
    def watched(self, path: str) -> Iterator[None]:
        """Around a call of the path's store. Raises OSError, at once when the last three calls of it have failed."""
        store = "/".join(path.split("/", 3)[:3]) if "://" in path else ""
        if self._failures[store] >= _GIVE_UP:
            raise OSError("not tried, as the store failed the ones before")
        try:
            yield
        except OSError as error:
            self._failures[store] += not _is_of_the_file(error)
            raise
        self._failures[store] = 0


class Absence:
    """Notices, over the tasks of a run, that a store is away, and so will be for the rest.

    One host of many in a list is not meant, nor one task of many photographs that lost patience: it takes 256
    photographs in a row, and eight tasks, of which none could be read or written.
    """

    def __init__(self) -> None:
        self.photographs = self._tasks = 0

    def lasts(self, reasons: Sequence[str]) -> bool:
        """Whether it is so after a task, of whose photographs these are the reasons."""
        if any(reason != "storage" for reason in reasons):
            self.photographs = self._tasks = 0
        else:
            self.photographs, self._tasks = self.photographs + len(reasons), self._tasks + 1
        return self.photographs >= _AWAY_PHOTOGRAPHS and self._tasks >= _AWAY_TASKS


class CrashGuard:
    """Remembers over the death of a process what it was doing, when its task is done again.

    A decoder may crash, or take more memory than there is. Runners run such a task again, on and on. The second time
    each photograph is noted in a file before it is begun: one over which two processes have died is left out.

    Args:
        output: where the run writes.
        name: of the task, as no other has it.
        deaths: how many processes died over the task before.
    """

    def __init__(self, output: str, name: str, deaths: int) -> None:
        self._path = storage.join(output, FOLDER, f"{name}.json")
        self._watches = deaths > 0
        self._deaths: dict[str, int] = {}
        if self._watches:
            with suppress(FileNotFoundError, ValueError):
                noted = json.loads(storage.read(self._path))
                self._deaths = noted["deaths"]
                self._deaths[noted["at"]] = self._deaths.get(noted["at"], 0) + 1

    def is_deadly(self, source: str) -> bool:
        """Whether nobody should touch this photograph again; otherwise it is now begun."""
        if not self._watches:
            return False
        if self._deaths.get(source, 0) >= MOST_DEATHS:
            return True
        storage.write(self._path, json.dumps({"at": source, "deaths": self._deaths}).encode())
        return False

    def close(self) -> None:
        """The task came to its end."""
        if self._watches:
            storage.remove_if_there(self._path)


@contextmanager
def counted_deaths(output: str, name: str) -> Iterator[int]:
    """Gives the number of processes that died over a task, where its runner does not know it.

    Ray counts the attempts of tasks, but not those of actors. Each begin is noted in a file, which the end removes.

    Args:
        output: where the run writes.
        name: of the task, as no other has it.

    Raises:
        ColorizeError: ``output`` cannot be written.
    """
    path = storage.join(output, FOLDER, f"{name}-begun")
    begun = 0
    try:
        with suppress(FileNotFoundError, ValueError):
            begun = int(storage.read(path))
        storage.write(path, str(begun + 1).encode())
        yield begun
        storage.remove_if_there(path)
    except OSError as error:
        raise ColorizeError(f"OUTPUT {output} cannot be written: {one_line(error)}") from error
