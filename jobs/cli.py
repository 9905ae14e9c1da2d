"""The command ``colorize``: one subcommand per job. The code of a job is imported when the job is called."""

from __future__ import annotations

import importlib
from typing import NoReturn

import click

from colorize_core.version import __version__
from jobs.exits import run

_JOBS = {
    name: f"jobs.{name}"
    for name in ("archive", "demo", "evaluate", "export", "image", "prepare", "submit", "train", "tune")
}


class _Jobs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_JOBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _JOBS:
            return None
        command: click.Command = importlib.import_module(_JOBS[name]).command
        return command


@click.group(cls=_Jobs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def group() -> None:
    """Colorizes grayscale photographs at any scale."""


def main() -> NoReturn:
    """Runs the command ``colorize`` and exits with its status."""
    run(group)


if __name__ == "__main__":
    main()
