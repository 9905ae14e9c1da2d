"""What workers tell while they train: to whom, and what a person can watch of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from colorize_core import storage
from colorize_core.errors import RecipeError
from colorize_core.training import curves, loop
from colorize_core.training.checkpoints import History
from colorize_core.training.messages import Entered, Verdict
from colorize_core.training.pace import Moment, OnMoment

_LAST_WORDS = 60.0  # seconds: a slow store is asked for half a minute
OnEpoch = Callable[[dict[str, float]], None]
Told = Entered | Moment | Verdict | dict[str, float] | bytes | Exception


class Post:
    """Carries what processes on the cluster tell each other; travels to them.

    Args:
        office: the actor that keeps the messages.
    """

    def __init__(self, office: Any) -> None:
        self._office = office

    def put(self, told: Any) -> None:
        """Sends a message to the listener."""
        import ray

        ray.get(self._office.put.remote(told))

    def get(self) -> Any:
        """Waits for the next message to the listener, and returns it."""
        import ray

        return ray.get(self._office.get.remote())

    def give(self, work: Any) -> None:
        """Leaves what every worker waits for in ``take``."""
        import ray

        ray.get(self._office.give.remote(work))

    def take(self) -> Any:
        """Waits for what ``give`` leaves, and returns it. A worker that replaces a lost one takes the same."""
        import ray

        return ray.get(self._office.take.remote())

    def close(self) -> None:
        """Ends the actor."""
        import ray

        ray.kill(self._office)


class _Office:
    """An actor: messages from the workers to the driver, and the work that the driver has for each of them."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._given = asyncio.Event()
        self._work: Any = None

    async def put(self, told: Any) -> None:
        await self._told.put(told)

    async def get(self) -> Any:
        return await self._told.get()

    async def give(self, work: Any) -> None:
        self._work = work
        self._given.set()

    async def take(self) -> Any:
        await self._given.wait()
        return self._work


class Listener:
    """Hands on what anybody on the cluster puts into ``post``, in a thread; a context manager.

    Args:
        take: called with each thing but None.
    """

    def __init__(self, take: Callable[[Any], None]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # On this machine: on another one it would be lost with that.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.post = Post(ray.remote(_Office).options(num_cpus=0, scheduling_strategy=here).remote())
        self._take = take
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.post.put(None)
        self._thread.join(timeout=_LAST_WORDS)
        self.post.close()

    def _listen(self) -> None:
        while (told := self.post.get()) is not None:
            with suppress(Exception):  # a closed screen or a full disk: what the next one says may matter more
                self._take(told)


class Progress:
    """How far a training is: takes its moments, history rows, pictures, and what ended it.

    A person can watch ``history.csv``, ``curves.png``, ``samples.png`` and TensorBoard's log in ``folder``.

    Attributes:
        history: a row per epoch.
        entered: set as soon as a worker's process runs.
        checked: set as soon as a worker has found out whether the recipe's model can be trained.
        trouble: why the training ended, where it did so before its time.
    """

    def __init__(self, folder: str, on_epoch: OnEpoch, on_moment: OnMoment) -> None:
        self.history: History = []
        self.entered = threading.Event()
        self.checked = threading.Event()
        self.trouble: Exception | None = None
        self._folder = folder
        self._on_epoch = on_epoch
        self._on_moment = on_moment

    def go_on(self, history: History) -> None:
        """Takes the rows of a training that was interrupted."""
        for row in history:
            self._add(row)

    def take(self, told: Told) -> None:
        """Takes a moment, a history row, a picture as PNG, a verdict on the model, or an error."""
        if isinstance(told, Moment):
            self._on_moment(told)
        elif isinstance(told, Entered):
            self.entered.set()
        elif isinstance(told, Verdict):
            if told.wrong:
                self.trouble = RecipeError(told.wrong)
            self.checked.set()
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
