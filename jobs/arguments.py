"""The arguments of a job that is to run elsewhere: looked at before anything is sent there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import click

from colorize_core.bundle import is_shipped
from colorize_core.datasets import official, source_of
from colorize_core.errors import InputError, OutputError, printable
from colorize_core.recipes import load_recipe
from colorize_core.storage import is_local
from colorize_core.submission.cargo import is_callers

JOBS = ("archive", "evaluate", "prepare", "train", "tune")

_NO_PATHS = ("none", "imagenet")  # in place of paths
_OF_THE_CLUSTER = ("input", "source", "data", "output")


def files_of(job: str, arguments: Sequence[str]) -> list[str]:
    """The relative paths in a call of a job whose files it will need where it runs.

    Raises:
        click.ClickException: the job does not take these arguments.
        UserError: a recipe cannot be used; or INPUT, SOURCE, DATA or OUTPUT is relative, and so on no other machine.
    """
    command: click.Command = importlib.import_module(f"jobs.{job}").command
    with command.make_context(job, list(arguments)) as context:
        given = context.params
    for name in _OF_THE_CLUSTER:
        if name in given:
            _check_of_the_cluster(name, given[name])
    paths = dict.fromkeys(_paths(given))
    return [path for path in paths if is_callers(path) and path not in _NO_PATHS]


def _paths(given: dict[str, Any]) -> Iterator[str]:
    """What may be a path of the caller's, and names of what colorize has where it runs."""
    bundles = [*given.get("bundle", ()), given.get("model", "none")]
    files = [given.get("space"), given.get("fid_weights")]
    if is_callers(name := given.get("recipe", "")):
        model = load_recipe(name, given.get("settings")).model
        bundles.append(model.start)
        files += [name if name.endswith((".yaml", ".yml")) else None, model.encoder_weights]
    yield from (path for path in bundles if not is_shipped(path))
    yield from (path for path in files if path)


def _check_of_the_cluster(name: str, path: str) -> None:
    place = source_of(path)
    if place != official.SOURCE and is_local(place) and is_callers(place):
        raise (OutputError if name == "output" else InputError)(
            f"{name.upper()} {printable(path)} is relative, and a path of the cluster's machines: give an absolute "
            "one, or a URL"
        )
