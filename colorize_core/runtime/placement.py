"""Where processes run, and how many there are, from what the cluster has when a job begins.

Those that hold a network; and those that read what a training keeps in memory, beside its workers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorize_core.runtime import cluster

if TYPE_CHECKING:
    from ray.data import ActorPoolStrategy

CPU_LEFT = 0.05  # by whoever holds a CPU as long as a training lasts, to ``beside_workers``
_CPUS_A_NETWORK = 4  # the other stages keep them busy
_MOST_LATER = 16
_NETWORK_BYTES = 1 << 30


@dataclass(frozen=True)
class Networks:
    """Actors of Ray Data that each hold a network.

    Attributes:
        number: of actors that begin.
        most: there may be when machines come; None for as many as find a place.
        threads: of the processor, for each; None for a GPU.
        reserved: what Ray is to reserve for each, as arguments of ``map_batches``.
        ahead: how many tasks each holds at most; None for Ray's own number.
    """

    number: int
    most: int | None
    threads: int | None
    reserved: dict[str, Any]
    ahead: int | None = None

    def strategy(self) -> ActorPoolStrategy:
        """For ``map_batches``."""
        from ray.data import ActorPoolStrategy

        return ActorPoolStrategy(min_size=self.number, max_size=self.most, max_tasks_in_flight_per_actor=self.ahead)


def networks(has: cluster.Resources, kinds: int = 1) -> Networks:
    """One on each GPU that no other job holds; without such a one, one for each four CPUs.

    On CPUs a network takes what the other stages leave. An actor that reserved a CPU would idle on it while large scans
    are encoded, and on a machine with one CPU no other stage could run. Among several machines that would put all of
    them on the head, which may have no CPUs to work with: there each reserves one.

    Args:
        has: the cluster.
        kinds: of networks that a job has one after the other, which share a GPU.
    """
    cpus = int(has.cpus)
    gpus = int(has.free_gpus) or (0 if cpus else int(has.gpus))
    if gpus:
        return Networks(gpus, gpus, None, {"num_gpus": 1 / kinds, "num_cpus": 0})
    comes_later = not cpus  # machines on demand, of which Ray does not say how many there may be
    number = max(1, cpus // _CPUS_A_NETWORK)
    most = _MOST_LATER if comes_later else number
    threads = max(1, (cpus or _CPUS_A_NETWORK) // number)
    if comes_later or (has.machines > 1 and cpus > 1):
        # Also unlike what the stage before asks for: Ray would join the two, and one process read for all.
        return Networks(number, most, threads, {"num_cpus": 1, "memory": _NETWORK_BYTES})
    return Networks(number, most, threads, {"num_cpus": 0})


def chains(has: cluster.Resources, tasks: int) -> Networks:
    """Actors that take tasks through all stages with a light network: one on each CPU.

    Each holds one task that waits: more would wait for a huge scan while other actors have nothing to do.

    Args:
        has: the cluster.
        tasks: how many there are: no more actors than these.
    """
    cpus = int(has.cpus)
    alone = has.machines == 1 and cpus  # no other machine will come
    number = max(1, min(cpus, tasks))
    return Networks(number, number if alone else None, 1, {"num_cpus": 1}, ahead=2)


def beside_workers(has: cluster.Resources) -> dict[str, Any]:
    """For stages of which the workers of a training read the rows all the time, as arguments of ``map_batches``.

    Rows that are lost with a machine are made again by the tasks that made them. Those would wait for ever for a CPU
    that all workers hold, while these wait for the rows. As many run at a time as if each took a CPU.
    """
    from ray.data import TaskPoolStrategy

    return {"num_cpus": CPU_LEFT, "compute": TaskPoolStrategy(size=max(1, int(has.cpus)))}


def hide_gpus() -> None:
    """In a process without a GPU of its own: Ray leaves all in sight of an actor that asked for none."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
