"""Runs tasks on this machine without Ray, in child processes that are replaced when one dies.

A decoder may crash its process or use all memory. In a child process this ends the child alone: the parent process
keeps the lock, the screen and the list of tasks, and starts another child.
"""

from __future__ import annotations

from colorize_core.runtime.local.pool import Pool
from colorize_core.runtime.local.processors import cpus

__all__ = ["Pool", "cpus"]
