"""Chooses how many processes run and what they reserve, from the cluster's resources when a job begins.

There are two kinds: actors that hold a network, and tasks that prepare the rows of a training beside its workers.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from colorize_core.runtime import cluster

if TYPE_CHECKING:
    from ray.data import ActorPoolStrategy, TaskPoolStrategy

CPU_LEFT = 0.05  # part of a CPU that each process of a training leaves free for ``beside_workers``
_CPU_UNIT = 1e-4  # the smallest fraction of a CPU that Ray counts
_CPUS_A_NETWORK = 4  # CPUs per network; the other stages use what it leaves
_MOST_LATER = 16  # actors at most, on machines that start on demand
_NETWORK_BYTES = 1 << 30  # memory that Ray reserves for an actor


class Reservation(TypedDict, total=False):
    """Resources that Ray reserves for each task or actor, as arguments of ``map_batches``; empty for one CPU per task.

    Attributes:
        num_cpus: CPUs, also a fraction of one.
        num_gpus: GPUs, also a fraction of one.
        memory: bytes of memory.
        compute: how many tasks run at a time.
    """

    num_cpus: float
    num_gpus: float
    memory: int
    compute: TaskPoolStrategy


@dataclass(frozen=True)
class NetworkActors:
    """Actors of Ray Data that each hold a network.

    Attributes:
        number: actors at the start.
        most: actors at most, when machines are added; None for no limit.
        threads: CPU threads per actor; None for a GPU.
        reserved: resources that Ray reserves per actor, as arguments of ``map_batches``.
        ahead: tasks per actor at most, running and waiting; None for Ray's default.
    """

    number: int
    most: int | None
    threads: int | None
    reserved: Reservation
    ahead: int | None = None

    def strategy(self) -> ActorPoolStrategy:
        """Returns the ``compute`` argument of ``map_batches``."""
        from ray.data import ActorPoolStrategy

        return ActorPoolStrategy(min_size=self.number, max_size=self.most, max_tasks_in_flight_per_actor=self.ahead)


def networks(has: cluster.Resources, kinds: int = 1) -> NetworkActors:
    """Returns one actor per free GPU; without a GPU, one per four CPUs.

    On the CPUs of one machine, an actor reserves nothing and uses what the other stages leave: a reserved CPU would
    idle while large scans are encoded, and on a machine with one CPU no other stage could run. In a cluster of several
    machines, Ray would put all actors that reserve nothing on the head node, which may have no CPUs for work. There,
    each actor reserves one CPU.

    Args:
        has: resources of the cluster.
        kinds: number of different networks that a job runs one after the other; they share a GPU.
    """
    cpus = int(has.cpus)
    gpus = int(has.free_gpus) or (0 if cpus else int(has.gpus))
    if gpus:
        return NetworkActors(gpus, gpus, None, {"num_gpus": 1 / kinds, "num_cpus": 0})
    comes_later = not cpus  # machines start on demand, and Ray does not tell how many
    number = max(1, cpus // _CPUS_A_NETWORK)
    most = _MOST_LATER if comes_later else number
    threads = max(1, (cpus or _CPUS_A_NETWORK) // number)
    if comes_later or (has.machines > 1 and cpus > 1):
        # The reservation must differ from that of the stage before. Ray would fuse the two, and a single process would
        # read all files.
        return NetworkActors(number, most, threads, {"num_cpus": 1, "memory": _NETWORK_BYTES})
    return NetworkActors(number, most, threads, {"num_cpus": 0})


def chains(has: cluster.Resources, tasks: int) -> NetworkActors:
    """Returns one actor per CPU, for a light network: each actor takes its tasks through all stages.

    One task waits at each actor. More would wait behind a huge scan while other actors are idle.

    Args:
        has: resources of the cluster.
        tasks: number of tasks, which is also the largest number of actors.
    """
    cpus = int(has.cpus)
    alone = has.machines == 1 and cpus  # no machine will be added
    number = max(1, min(cpus, tasks))
    return NetworkActors(number, number if alone else None, 1, {"num_cpus": 1}, ahead=2)


def beside_workers(has: cluster.Resources) -> Reservation:
    """Returns the arguments of ``map_batches`` for tasks that read photographs while workers hold the CPUs.

    A task that needs a whole CPU would wait for ever, since the workers hold all CPUs and wait for the rows. That holds
    at the start of a training, and when a machine is lost and Ray repeats the tasks that made its rows. At most one
    task per CPU runs at a time. A worker may hold all CPUs of its machine but ``CPU_LEFT``, so each task reserves the
    part of ``CPU_LEFT`` that leaves room for one task per CPU of the machine.
    """
    from ray.data import TaskPoolStrategy

    cpus = max((node.get("CPU", 1.0) for node in cluster.nodes()), default=1.0)
    fraction = max(1, math.floor(CPU_LEFT / max(cpus, 1.0) / _CPU_UNIT)) * _CPU_UNIT
    return {"num_cpus": round(fraction, 4), "compute": TaskPoolStrategy(size=max(1, int(has.cpus)))}


def hide_gpus() -> None:
    """Hides all GPUs from this process: Ray leaves them visible to an actor that reserved none."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
