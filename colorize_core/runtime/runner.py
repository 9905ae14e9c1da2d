"""The choice between Ray and this machine alone, the same for every job that has both."""

from __future__ import annotations

from typing import Literal, get_args

from colorize_core.runtime import cluster

RunnerName = Literal["auto", "ray", "local"]
RUNNERS: tuple[RunnerName, ...] = get_args(RunnerName)


def runs_locally(name: RunnerName, *, small: bool) -> bool:
    """Returns True if a job runs on this machine without Ray.

    ``auto`` does where the work is small, RAY_ADDRESS names no cluster, and this process is connected to none.
    """
    return name == "local" or (name == "auto" and small and not cluster.is_named())
