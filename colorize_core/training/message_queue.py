"""A message queue on Ray: workers send messages to the driver, and the driver publishes one value to all workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ray.actor import ActorHandle

Message = TypeVar("Message")
Published = TypeVar("Published")

_CLOSE_SECONDS = 60.0  # wait for the last messages: writing to a slow store can take half a minute


@dataclass(frozen=True)
class _End:
    """A mark behind the last message."""


class MessageQueue(Generic[Message, Published]):
    """A handle of a message queue. The handle can be sent to other processes of the cluster.

    Args:
        actor: the Ray actor that holds the messages (``_QueueActor``).
    """

    def __init__(self, actor: ActorHandle) -> None:
        self._actor = actor

    def put(self, message: Message) -> None:
        """Sends a message to the driver."""
        import ray

        ray.get(self._actor.put.remote(message))

    def messages(self) -> Iterator[Message]:
        """Waits for messages to the driver and yields them, until ``end`` is called."""
        import ray

        while not isinstance(message := ray.get(self._actor.get.remote()), _End):
            yield message

    def end(self) -> None:
        """Ends ``messages`` after the messages that were sent before this call."""
        import ray

        ray.get(self._actor.put.remote(_End()))

    def publish(self, value: Published) -> None:
        """Publishes the value that every worker waits for in ``wait_for_published``."""
        import ray

        ray.get(self._actor.publish.remote(value))

    def wait_for_published(self) -> Published:
        """Waits until the driver has published a value, and returns the value.

        The value stays published until the queue is closed, so a worker that replaces a lost one gets it too.
        """
        import ray

        published: Published = ray.get(self._actor.wait_for_published.remote())
        return published

    def close(self) -> None:
        """Ends the actor that holds the messages; unread messages are lost."""
        import ray

        ray.kill(self._actor)


class _QueueActor:
    """The Ray actor behind a ``MessageQueue``."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[object] = asyncio.Queue()
        self._is_published = asyncio.Event()
        self._published: object = None

    async def put(self, message: object) -> None:
        await self._messages.put(message)

    async def get(self) -> object:
        return await self._messages.get()

    async def publish(self, value: object) -> None:
        self._published = value
        self._is_published.set()

    async def wait_for_published(self) -> object:
        await self._is_published.wait()
        return self._published


class MessageListener(Generic[Message, Published]):
    """A context manager that opens a message queue and calls a function with each message, in a thread.

    Args:
        handle: called with each message. Exceptions that the call raises are ignored.

    Attributes:
        queue: the queue, for the processes that send messages.
    """

    def __init__(self, handle: Callable[[Message], None]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # The actor runs on the driver's machine: on another one, messages would be lost together with that machine.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(_QueueActor).options(num_cpus=0, scheduling_strategy=here).remote()
        self.queue: MessageQueue[Message, Published] = MessageQueue(actor)
        self._handle = handle
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> MessageListener[Message, Published]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.end()
        self._thread.join(timeout=_CLOSE_SECONDS)
        self.queue.close()

    def _listen(self) -> None:
        for message in self.queue.messages():
            with suppress(Exception):  # a closed screen or a full disk must not lose the messages that follow
                self._handle(message)
