"""Checks the arguments of a job before ``colorize submit`` sends the job to a cluster."""

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

_NO_PATHS = ("none", "imagenet")  # values that an option accepts in place of a path
_PATHS_ON_CLUSTER = {"input": "INPUT", "source": "SOURCE", "data": "DATA", "output": "OUTPUT", "review": "--review"}


def files_of(job: str, arguments: Sequence[str]) -> list[str]:
    """Returns the relative paths in the arguments of a job. The job needs these files on the cluster.

    Raises:
        click.ClickException: the job does not accept these arguments.
        UserError: a recipe cannot be used, or INPUT, SOURCE, DATA or OUTPUT is relative: the cluster does not have it.
    """
    command: click.Command = importlib.import_module(f"jobs.{job}").command
    with command.make_context(job, list(arguments)) as context:
        values = context.params
    for name in _PATHS_ON_CLUSTER:
        if values.get(name):
            _check_absolute(name, values[name])
    paths = dict.fromkeys(_paths(values))
    return [path for path in paths if is_callers(path) and path not in _NO_PATHS]


def _paths(values: dict[str, Any]) -> Iterator[str]:
    """Yields arguments that may be paths of the caller; some are names that colorize knows."""
    bundles = [*values.get("bundle", ()), values.get("model", "none")]
    files = [values.get("space"), values.get("fid_weights")]
    if is_callers(name := values.get("recipe", "")):
        model = load_recipe(name, values.get("settings")).model
        bundles.append(model.start)
        files += [name if name.endswith((".yaml", ".yml")) else None, model.encoder_weights]
    yield from (path for path in bundles if not is_shipped(path))
    yield from (path for path in files if path)


def _check_absolute(name: str, path: str) -> None:
    """Raises InputError or OutputError if a path on the cluster is relative."""
    place = source_of(path)
    if place != official.SOURCE and is_local(place) and is_callers(place):
        raise (OutputError if name in ("output", "review") else InputError)(
            f"{_PATHS_ON_CLUSTER[name]} {printable(path)} is relative, but it must be a path on the cluster's "
            "machines: give an absolute path or a URL"
        )
