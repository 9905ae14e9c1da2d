"""Work on this machine without Ray: child processes, started again whenever one dies.

A decoder may crash its process or take all memory. In a child that ends the child alone: the parent keeps the lock,
the screen and the list of what is left to do, and starts another one.
"""

from __future__ import annotations

from colorize_core.runtime.local.pool import Pool
from colorize_core.runtime.local.processors import cpus

__all__ = ["Pool", "cpus"]
