"""Chooses between Ray and child processes of this machine, for each job that can use both."""

from __future__ import annotations

from typing import Literal, get_args

from colorize_core.errors import UserError
from colorize_core.runtime import cluster

RunnerName = Literal["auto", "ray", "local"]
RUNNERS: tuple[RunnerName, ...] = get_args(RunnerName)


def check_runner(name: str) -> None:
    """Raises UserError if there is no such runner."""
    if name not in RUNNERS:
        raise UserError(f"runner is {name!r}; choose from {', '.join(RUNNERS)}")


def runs_locally(name: RunnerName, *, small: bool) -> bool:
    """Returns True if a job runs on this machine without Ray.

    ``auto`` means this machine if the work is small and no cluster is in use: RAY_ADDRESS is not set, and this process
    is not connected to Ray.

    Args:
        name: the user's choice.
        small: True if the job has little work.
    """
    return name == "local" or (name == "auto" and small and not cluster.is_named())
