"""What the workers tell while they train: history rows, pictures, and what ended the training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from colorize_core import storage
from colorize_core.training import curves, loop
from colorize_core.training.checkpoints import History

OnEpoch = Callable[[dict[str, float]], None]


class Progress:
    """Takes what the workers put into ``queue``, and hands each history row on; a context manager.

    A person can watch ``history.csv``, ``curves.png``, ``samples.png`` and TensorBoard's log in ``folder``.

    Attributes:
        history: a row per epoch.
        trouble: why the training ended, where it did so before its time.
    """

    def __init__(self, folder: str, history: History, on_epoch: OnEpoch) -> None:
        from ray.util.queue import Queue

        self.queue = Queue(actor_options={"num_cpus": 0})
        self.history: History = []
        self.trouble: Exception | None = None
        self._folder = folder
        self._on_epoch = on_epoch
        for row in history:
            self._take(row)
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Progress:
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.put(None)
        self._listener.join(timeout=10)
        self.queue.shutdown()

    def _listen(self) -> None:
        while (told := self.queue.get()) is not None:
            if isinstance(told, Exception):
                self.trouble = told
            elif isinstance(told, bytes):
                self._show({"samples.png": told})
            else:
                self._take(told)

    def _take(self, row: dict[str, float]) -> None:
        done = {known["epoch"] for known in self.history}
        if row["epoch"] in done:  # the worker was lost after it had told, and did the epoch again
            return
        self.history.append(row)
        self._on_epoch(row)
        files = {"history.csv": loop.write_history(self.history), "curves.png": curves.draw(self.history)}
        self._show(files | curves.tensorboard(self.history))

    def _show(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            with suppress(OSError):  # a look, no result: the checkpoint says it where the disk is full
                storage.write(storage.join(self._folder, name), content)
