"""The command ``python -m jobs.arrive JOB ARGUMENTS``: starts a submitted job on a cluster that may lack packages."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

_OLDEST = (3, 10)


def main() -> NoReturn:
    """Runs a job as ``colorize JOB ARGUMENTS`` does.

    Exits with status 1 and one line on standard error if Python is too old or a package is missing.
    """
    name, *arguments = sys.argv[1:]
    sys.argv = [f"colorize {name}", *arguments]
    here = f"the cluster's Python {sys.version.split()[0]} ({sys.executable})"
    if sys.version_info < _OLDEST:
        sys.exit(f"colorize: {here} is too old: install Python 3.10 to 3.13 on every node")
    try:
        from jobs.exits import run

        run(importlib.import_module(f"jobs.{name}").command)
    except ImportError as error:
        sys.exit(f"colorize: {here} lacks what colorize needs ({error}): install it on every node")


if __name__ == "__main__":
    main()
