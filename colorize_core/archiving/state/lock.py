"""A lock that lets only one run at a time write to an OUTPUT.

``OUTPUT/_lock/`` has a file ``<number>.json``, which the holder created exclusively, and a file ``<token>.beat``, the
holder's heartbeat, which it rewrites every few seconds. No clocks are compared: a run that wants the lock watches the
heartbeat, and creates the next number if no heartbeat comes for a minute of the watching run's own time. A holder that
wakes from a long sleep finds the next number and stops; its tasks check the lock before they record anything.
"""

from __future__ import annotations

import json
import math
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
_BEAT = 5.0  # seconds between two heartbeats
_LOOKS = 5  # looks of a waiting run between two heartbeats
_DEAD = 60.0  # seconds without a heartbeat: longer than a store may delay one
_SETTLE = 2.0  # seconds for pending writes of the tasks of a holder that was killed


@dataclass(frozen=True)
class Holder:
    """The run that holds a lock.

    Attributes:
        run_id: identifies the run.
        host: the run's machine, as ``_host`` describes it.
        process: the run's process, as ``_process`` describes it.
        since: when it took the lock, UTC.
        token: random, to tell two holders apart.
    """

    run_id: str
    host: str
    process: str
    since: str
    token: str

    @classmethod
    def current(cls, run_id: str) -> Holder:
        """Returns the holder for a run in this process."""
        since = datetime.now(timezone.utc).isoformat(sep=" ", timespec="seconds")
        return cls(run_id, _host(), _process(os.getpid()), since, uuid.uuid4().hex)

    def has_ended(self) -> bool:
        """Returns True if the run was on this machine and its process has ended; False for other machines."""
        pid = self.process.partition(" ")[0]
        return self.host == _host() and pid.isdigit() and _process(int(pid)) != self.process

    def __str__(self) -> str:
        host, _, _ = self.host.partition(" ")
        pid, _, _ = self.process.partition(" ")
        return f"run {self.run_id} on {host} (process {pid}) since {self.since.removesuffix('+00:00')} UTC"


class Lock:
    """The right to write to an OUTPUT.

    Attributes:
        is_exclusive: the store refuses to create a file twice; if it does not, nothing keeps two runs apart.
    """

    def __init__(self, output: str, holder: Holder) -> None:
        self._folder = storage.join(output, FOLDER)
        self._holder = holder
        self._number = 0
        self._lost: str = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_heartbeats, name="lock", daemon=True)
        self.is_exclusive = True

    @contextmanager
    def hold(self, say: Callable[[str], None]) -> Iterator[None]:
        """Holds the lock as long as the block runs.

        Args:
            say: called with a message for the user if the lock is not free.

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
        """The check that the tasks of this run make before they record anything."""
        return Fence(self._folder, self._holder)

    def check(self) -> None:
        """Raises ColorizeError if another run has taken over."""
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
            self._remove(number)

    def _wait_for_end(self, number: int, say: Callable[[str], None]) -> None:
        """Returns when the holder has ended or released the lock. Raises ColorizeError if it is alive."""
        holder = _read(self._folder, number)
        if holder and holder.has_ended():
            say(f"OUTPUT was held by {holder}, which has ended: this run takes over")
            return
        first, pause = self._heartbeat_of(holder), _BEAT / _LOOKS
        # Looks are counted, not seconds: after a suspend of this machine, the holder has to wake up, too.
        for looks in range(math.ceil(_DEAD / pause)):
            if number not in _numbers(self._folder):
                return
            if self._heartbeat_of(holder) != first:
                raise ColorizeError(f"OUTPUT is being written by {holder or 'another run'}: wait for its end")
            if looks == 2 * _LOOKS:
                say(f"OUTPUT is held by {holder or 'another run'}, which gives no heartbeat: waiting a minute for one")
            time.sleep(pause)

    def _heartbeat_of(self, holder: Holder | None) -> bytes:
        if holder is None:
            return b""
        try:
            return storage.read(storage.join(self._folder, f"{holder.token}.beat"))
        except FileNotFoundError:
            return b""

    def _beat(self, count: int) -> None:
        storage.write(storage.join(self._folder, f"{self._holder.token}.beat"), str(count).encode())

    def _send_heartbeats(self) -> None:
        count = 0
        while not self._stop.wait(_BEAT):
            count += 1
            with suppress(OSError):  # the next heartbeat may succeed; the lines below find out if another run took over
                self._beat(count)
            with suppress(OSError):
                holder = _newest(self._folder)
                if holder != self._holder:
                    self._lost = f"OUTPUT was taken over by {holder or 'another run'}: this run gave no heartbeat"
                    return

    def _release(self) -> None:
        with suppress(OSError):
            holder = _read(self._folder, self._number)
            if holder and holder.token == self._holder.token:
                storage.remove_if_there(_path(self._folder, self._number))
            storage.remove_if_there(storage.join(self._folder, f"{self._holder.token}.beat"))
            if storage.is_local(self._folder):
                os.rmdir(self._folder)

    def _remove(self, number: int) -> None:
        holder = _read(self._folder, number)
        if holder:
            storage.remove_if_there(storage.join(self._folder, f"{holder.token}.beat"))
        storage.remove_if_there(_path(self._folder, number))


@dataclass(frozen=True)
class Fence:
    """A check that a run still holds its lock. It can be sent to other processes with the tasks of the run."""

    folder: str
    holder: Holder

    def check(self) -> None:
        """Raises ColorizeError if another run holds the lock, OSError if the lock cannot be read."""
        if _newest(self.folder) != self.holder:
            raise ColorizeError("another run has taken over OUTPUT")


def _path(folder: str, number: int) -> str:
    return storage.join(folder, f"{number:08d}.json")


def _numbers(folder: str) -> list[int]:
    names = (posixpath.splitext(entry.name) for entry in storage.children(folder))
    return sorted(int(stem) for stem, suffix in names if suffix == ".json" and stem.isdigit())


def _newest(folder: str) -> Holder | None:
    """Returns the holder of the highest number. Compare holders, not numbers, which restart when no run is left."""
    return _read(folder, max(_numbers(folder), default=0))


def _read(folder: str, number: int) -> Holder | None:
    """Returns a holder; None if its file is gone or incomplete."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return Holder(**json.loads(storage.read(_path(folder, number))))
    return None


def _host() -> str:
    """Returns the machine's name, the id of its boot, and its namespace of process ids."""
    facts = [socket.gethostname()]
    with suppress(OSError):  # Linux
        facts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(facts)


def _process(pid: int) -> str:
    """Returns a process id with the start time, which tells processes of equal id apart; '' if there is no process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:  # another user's
        pass
    with suppress(OSError, IndexError):  # Linux: the start time
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if status[0] == "Z" else f"{pid} {status[19]}"
    return str(pid)
