"""What workers tell while they train: to whom, and what a person can watch of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from colorize_core import storage
from colorize_core.training import curves, loop
from colorize_core.training.checkpoints import History
from colorize_core.training.pace import Moment, OnMoment

_LAST_WORDS = 60.0  # seconds: a slow store is asked for half a minute
OnEpoch = Callable[[dict[str, float]], None]
Told = Moment | dict[str, float] | bytes | Exception


class Listener:
    """Hands on what anybody on the cluster puts into ``queue``, in a thread; a context manager.

    Args:
        take: called with each thing but None.
    """

    def __init__(self, take: Callable[[Any], None]) -> None:
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # On this machine: on another one it would be lost with that.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        self._take = take
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.put(None)
        self._thread.join(timeout=_LAST_WORDS)
        self.queue.shutdown()

    def _listen(self) -> None:
        while (told := self.queue.get()) is not None:
            with suppress(Exception):  # a closed screen or a full disk: what the next one says may matter more
                self._take(told)


class Progress:
    """How far a training is: takes its moments, history rows, pictures, and what ended it.

    A person can watch ``history.csv``, ``curves.png``, ``samples.png`` and TensorBoard's log in ``folder``.

    Attributes:
        history: a row per epoch.
        trouble: why the training ended, where it did so before its time.
    """

    def __init__(self, folder: str, history: History, on_epoch: OnEpoch, on_moment: OnMoment) -> None:
        self.history: History = []
        self.trouble: Exception | None = None
        self._folder = folder
        self._on_epoch = on_epoch
        self._on_moment = on_moment
        for row in history:
            self._add(row)

    def take(self, told: Told) -> None:
        """A moment, a history row, a picture as PNG, or an error."""
        if isinstance(told, Moment):
            self._on_moment(told)
        elif isinstance(told, Exception):
            self.trouble = told
        elif isinstance(told, bytes):
            self._show({"samples.png": told})
        else:
            self._add(told)

    def _add(self, row: dict[str, float]) -> None:
        if row["epoch"] in {known["epoch"] for known in self.history}:
            return  # the worker was lost after it had told, and did the epoch again
        self.history.append(row)
        self._on_epoch(row)
        files = {"history.csv": loop.write_history(self.history), "curves.png": curves.draw(self.history)}
        self._show(files | curves.tensorboard(self.history))

    def _show(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            with suppress(OSError):  # a look, no result: the checkpoint says it where the disk is full
                storage.write(storage.join(self._folder, name), content)
