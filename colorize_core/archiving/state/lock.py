"""One run at a time writes into an OUTPUT.

``OUTPUT/_lock/`` has a file ``<number>.json`` that its holder has created exclusively, and a file ``<token>.beat``
that it rewrites every few seconds. Nobody compares clocks: whoever wants the lock watches the beat, and takes over, by
creating the next number, when it has stood still for a minute of its own time. Who wakes from a long sleep finds the
next number there and stops; its tasks look before they record anything.
"""

from __future__ import annotations

import json
import os
import posixpath
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from colorize_core import storage
from colorize_core.errors import ColorizeError

FOLDER = "_lock"
_BEAT = 5.0  # seconds between two signs of life
_DEAD = 60.0  # seconds without one: longer than a store may keep one waiting
_SETTLE = 2.0  # seconds for what a killed holder's tasks have on their way


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: the run, where it runs, since when (UTC), and what only it knows."""

    run_id: str
    host: str
    process: str
    since: str
    token: str

    @classmethod
    def me(cls, run_id: str) -> Holder:
        """This process."""
        since = datetime.now(timezone.utc).isoformat(sep=" ", timespec="seconds")
        return cls(run_id, _host(), _process(os.getpid()), since, uuid.uuid4().hex)

    def is_gone(self) -> bool:
        """Whether it ran on this very machine and does no more; nothing is known of other machines."""
        pid = self.process.partition(" ")[0]
        return self.host == _host() and pid.isdigit() and _process(int(pid)) != self.process

    def __str__(self) -> str:
        host, _, _ = self.host.partition(" ")
        pid, _, _ = self.process.partition(" ")
        return f"run {self.run_id} on {host} (process {pid}) since {self.since.removesuffix('+00:00')} UTC"


class Lock:
    """The right to write into an OUTPUT."""

    def __init__(self, output: str, holder: Holder) -> None:
        self._folder = storage.join(output, FOLDER)
        self._holder = holder
        self._number = 0
        self._lost: str = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="lock", daemon=True)
        self.is_exclusive = True
        """Whether the store refuses a second creation; if not, nothing keeps two runs apart."""

    @contextmanager
    def held(self, say: Callable[[str], None]) -> Iterator[None]:
        """Holds the lock as long as the block runs.

        Args:
            say: called with a line for the user when there is something to wait for.

        Raises:
            ColorizeError: another run holds it.
            OSError: OUTPUT cannot be written.
        """
        try:
            self._acquire(say)
            self._thread.start()
            yield
        finally:
            self._stop.set()
            if self._thread.is_alive():
                self._thread.join()
            self._release()

    @property
    def fence(self) -> Fence:
        """For the tasks of this run."""
        return Fence(self._folder, self._holder)

    def check(self) -> None:
        """Raises ColorizeError when another run has taken over."""
        if self._lost:
            raise ColorizeError(self._lost)

    def _acquire(self, say: Callable[[str], None]) -> None:
        while True:
            numbers = _numbers(self._folder)
            last = max(numbers, default=0)
            if numbers:
                self._wait_for_end(last, say)
            self._number = last + 1
            self._beat(0)
            content = json.dumps(asdict(self._holder)).encode()
            if storage.create(_path(self._folder, self._number), content):
                break
        self.is_exclusive = not storage.create(_path(self._folder, self._number), content + b"\n")
        if numbers:
            time.sleep(_SETTLE)
        for number in numbers:
            self._forget(number)

    def _wait_for_end(self, number: int, say: Callable[[str], None]) -> None:
        """Comes back when the holder is dead or has let go. Raises ColorizeError when it lives."""
        holder = _read(self._folder, number)
        if holder and holder.is_gone():
            say(f"OUTPUT was held by {holder}, which is gone: going on from there")
            return
        first, started, told = self._beat_of(holder), time.monotonic(), False
        while time.monotonic() - started < _DEAD:
            if number not in _numbers(self._folder):
                return
            if self._beat_of(holder) != first:
                raise ColorizeError(f"OUTPUT is being written by {holder or 'another run'}: wait for its end")
            if not told and time.monotonic() - started > 2 * _BEAT:
                told = True
                say(f"OUTPUT is held by {holder or 'another run'}, without a sign of life: waiting a minute for one")
            time.sleep(_BEAT / 5)

    def _beat_of(self, holder: Holder | None) -> bytes:
        if holder is None:
            return b""
        try:
            return storage.read(storage.join(self._folder, f"{holder.token}.beat"))
        except FileNotFoundError:
            return b""

    def _beat(self, count: int) -> None:
        storage.write(storage.join(self._folder, f"{self._holder.token}.beat"), str(count).encode())

    def _live(self) -> None:
        count = 0
        while not self._stop.wait(_BEAT):
            count += 1
            with suppress(OSError):  # it is tried again; who thinks us dead takes over, and the next line says so
                self._beat(count)
            with suppress(OSError):
                holder = _newest(self._folder)
                if holder != self._holder:
                    self._lost = f"OUTPUT was taken over by {holder or 'another run'}, as this one gave no sign of life"
                    return

    def _release(self) -> None:
        with suppress(OSError):
            holder = _read(self._folder, self._number)
            if holder and holder.token == self._holder.token:
                storage.remove_if_there(_path(self._folder, self._number))
            storage.remove_if_there(storage.join(self._folder, f"{self._holder.token}.beat"))
            if storage.is_local(self._folder):
                os.rmdir(self._folder)

    def _forget(self, number: int) -> None:
        holder = _read(self._folder, number)
        if holder:
            storage.remove_if_there(storage.join(self._folder, f"{holder.token}.beat"))
        storage.remove_if_there(_path(self._folder, number))


@dataclass(frozen=True)
class Fence:
    """What tasks of a run carry: proof that the lock is still its."""

    folder: str
    holder: Holder

    def check(self) -> None:
        """Raises ColorizeError when the lock is another run's, OSError when nobody can tell."""
        if _newest(self.folder) != self.holder:
            raise ColorizeError("another run has taken over OUTPUT")


def _path(folder: str, number: int) -> str:
    return storage.join(folder, f"{number:08d}.json")


def _numbers(folder: str) -> list[int]:
    names = (posixpath.splitext(entry.name) for entry in storage.children(folder))
    return sorted(int(stem) for stem, suffix in names if suffix == ".json" and stem.isdigit())


def _newest(folder: str) -> Holder | None:
    """Who holds the lock: not by its number alone, since numbers begin again when all is over."""
    return _read(folder, max(_numbers(folder), default=0))


def _read(folder: str, number: int) -> Holder | None:
    """None where the file is gone, or not whole yet."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return Holder(**json.loads(storage.read(_path(folder, number))))
    return None


def _host() -> str:
    """The machine, since it was started, and of its process numbers those that we see."""
    facts = [socket.gethostname()]
    with suppress(OSError):  # Linux
        facts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(facts)


def _process(pid: int) -> str:
    """The number and what tells two processes of one number apart; '' where there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:  # another user's
        pass
    with suppress(OSError, IndexError):  # Linux: the time at which it was started
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if status[0] == "Z" else f"{pid} {status[19]}"
    return str(pid)
