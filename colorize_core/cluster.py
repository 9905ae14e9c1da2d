"""The Ray cluster that a job runs on: the one it was submitted to, else this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """What the cluster had when the job began."""

    cpus: float
    gpus: float


@contextmanager
def connected() -> Iterator[Resources]:
    """Connects to the cluster of ``RAY_ADDRESS`` (set inside ``ray job submit``), else starts Ray on this machine.

    Ray that is already running in this process is used and left running.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else its C++ warns on the screen about inner matters
    import ray

    mine = not ray.is_initialized()
    if mine:
        # A stale "current cluster" file would make anything but "local" fail where no cluster was asked for.
        ray.init(
            address=os.environ.get("RAY_ADDRESS") or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False if not os.environ.get("RAY_ADDRESS") else None,
        )
    _silence_ray_data()
    try:
        found = ray.cluster_resources()
        yield Resources(cpus=found.get("CPU", 0.0), gpus=found.get("GPU", 0.0))
    finally:
        if mine:
            ray.shutdown()


def _silence_ray_data() -> None:
    """Ray Data's own bars and plans off the screen: the jobs show their progress themselves."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
