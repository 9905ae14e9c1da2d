"""The number of networks on a cluster, and the resources that each reserves."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from colorize_core.runtime import cluster
from colorize_core.runtime.cluster import Resources
from colorize_core.runtime.placement import CPU_LEFT, beside_workers, networks

A_CPU = {"num_cpus": 1, "memory": 1 << 30}
NOTHING = {"num_cpus": 0}


@pytest.mark.parametrize(
    ("has", "number", "most", "threads", "reserved"),
    [
        # CPUs, GPUs, free ones, machines
        (Resources(2, 0, 0, 1), 1, 1, 2, NOTHING),
        (Resources(1, 0, 0, 1), 1, 1, 1, NOTHING),
        (Resources(1, 0, 0, 3), 1, 1, 1, NOTHING),
        (Resources(64, 0, 0, 1), 16, 16, 4, NOTHING),
        (Resources(64, 0, 0, 4), 16, 16, 4, A_CPU),
        (Resources(0, 0, 0, 1), 1, 16, 4, A_CPU),
        (Resources(16, 4, 4, 2), 4, 4, None, {"num_cpus": 0, "num_gpus": 1}),
        (Resources(16, 4, 1, 2), 1, 1, None, {"num_cpus": 0, "num_gpus": 1}),
        (Resources(16, 4, 0, 2), 4, 4, 4, A_CPU),
        (Resources(0, 2, 0, 1), 2, 2, None, {"num_cpus": 0, "num_gpus": 1}),
    ],
)
def test_networks(has: Resources, number: int, most: int, threads: int | None, reserved: dict[str, Any]) -> None:
    placed = networks(has)
    assert (placed.number, placed.most, placed.threads, placed.reserved) == (number, most, threads, reserved)


def test_two_kinds_of_networks_share_each_gpu() -> None:
    placed = networks(Resources(16, 2, 2, 1), kinds=2)
    assert (placed.number, placed.reserved["num_gpus"]) == (2, 0.5)


@pytest.mark.parametrize("cpus", [1, 2, 7, 64])
def test_what_one_worker_leaves_of_a_machine_is_enough_for_a_task_per_cpu(
    cpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "nodes", lambda: [{"CPU": float(cpus)}, {"GPU": 1.0}])
    reserved = beside_workers(Resources(cpus, 0, 0, 2))
    assert 0 < reserved["num_cpus"] * cpus <= CPU_LEFT
    assert reserved["compute"].size == cpus


_BUSY = """
import ray
from colorize_core.runtime import cluster

ray.init(num_cpus=1, num_gpus=3, include_dashboard=False, log_to_driver=False)

@ray.remote(num_cpus=0, num_gpus=1)
class Training:
    def is_here(self):
        return True

training = Training.remote()
assert ray.get(training.is_here.remote())
with cluster.connected() as has:
    print(has.gpus, has.free_gpus)
"""


def test_a_gpu_that_another_job_holds_is_not_free() -> None:
    ended = subprocess.run([sys.executable, "-c", _BUSY], capture_output=True, text=True, check=True)
    assert ended.stdout == "3.0 2.0\n"
