"""``TF_CONFIG`` for the workers of a training: the addresses through which they find each other.

Ray Train's own ``TensorflowTrainer`` imports TensorFlow in the driver and in the controller, which compute nothing. The
two processes would start six seconds later, and would hold half a gigabyte.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol

import ray
from ray.train.backend import Backend, BackendConfig
from ray.util import get_node_ip_address


class _StartedWorkers(Protocol):
    """The part of Ray Train's worker group that this module uses."""

    def execute(self, function: Callable[..., Any]) -> list[Any]:
        """Calls the function in each worker, and returns the results by rank."""

    def execute_single_async(self, worker_index: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls the function in one worker, and returns a reference to its result."""


class TFConfigBackend(BackendConfig):  # type: ignore[misc]
    """Sets ``TF_CONFIG`` in each worker, which tf.distribute.MultiWorkerMirroredStrategy reads.

    A single worker gets no ``TF_CONFIG`` and opens no port.
    """

    @property
    def backend_cls(self) -> type[Backend]:
        """Returns the class that Ray Train calls when workers have started, and again after it replaced some."""
        return _TFConfigSetter


class _TFConfigSetter(Backend):  # type: ignore[misc]
    def on_start(self, worker_group: _StartedWorkers, backend_config: BackendConfig) -> None:
        addresses = worker_group.execute(_free_address)
        if len(addresses) > 1:
            ray.get(
                [
                    worker_group.execute_single_async(rank, _set_tf_config, addresses, rank)
                    for rank in range(len(addresses))
                ]
            )


def _free_address() -> str:
    """Returns HOST:PORT with a free port of this worker's machine."""
    host = get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _set_tf_config(addresses: list[str], rank: int) -> None:
    task = {"type": "worker", "index": rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
