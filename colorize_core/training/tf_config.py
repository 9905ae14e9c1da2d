"""How the workers of a training find each other.

Ray Train's own ``TensorflowTrainer`` imports TensorFlow in the driver and in the controller, neither of which computes
anything: two processes that start six seconds later, and hold half a gigabyte.
"""

from __future__ import annotations

import json
import os
import socket

import ray
from ray.train._internal.base_worker_group import BaseWorkerGroup
from ray.train.backend import Backend, BackendConfig
from ray.util import get_node_ip_address


class TFConfigBackend(BackendConfig):  # type: ignore[misc]
    """Gives each worker ``TF_CONFIG``, which tf.distribute.MultiWorkerMirroredStrategy reads.

    A worker that is alone needs none, and listens nowhere.
    """

    @property
    def backend_cls(self) -> type[Backend]:
        """What Ray Train calls when the workers have started, and again when some were replaced."""
        return _Introduction


class _Introduction(Backend):  # type: ignore[misc]
    def on_start(self, worker_group: BaseWorkerGroup, backend_config: BackendConfig) -> None:
        addresses = worker_group.execute(_address)
        if len(addresses) > 1:
            ray.get(
                [worker_group.execute_single_async(rank, _introduce, addresses, rank) for rank in range(len(addresses))]
            )


def _address() -> str:
    """A port of this worker's node that is free."""
    host = get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _introduce(addresses: list[str], rank: int) -> None:
    task = {"type": "worker", "index": rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
