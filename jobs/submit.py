"""The command ``colorize submit JOB ARGUMENTS``: runs a job on a Ray cluster."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

import colorize_core
import jobs
from colorize_core.runtime.cluster import check_arguments
from colorize_core.submission import Submission, shell_command, submit
from colorize_core.submission.dialog import TerminalDialog
from colorize_core.submission.names import fresh_id, slot_id
from jobs.arguments import JOBS, files_of
from jobs.exits import run
from jobs.values import Period

_CODE = [Path(package.__path__[0]) for package in (colorize_core, jobs)]
_DAY = timedelta(days=1)


def _name(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", value):
        raise click.BadParameter(f"{value!r} is not a valid name: use letters, digits, - and _.", ctx, option)
    return value


# Options that are unknown here are passed on to the job.
@click.command("submit", context_settings={"ignore_unknown_options": True})
@click.argument("job", type=click.Choice(JOBS))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--address",
    envvar="RAY_API_SERVER_ADDRESS",
    default="http://127.0.0.1:8265",
    show_default=True,
    help="URL of the dashboard on the cluster's head node.",
)
@click.option("--name", callback=_name, help="Name of a schedule. The job runs once per slot of time.")
@click.option("--every", type=Period(), help="Length of a slot, such as 15m, 1h or 1d.  [default: 1d]")
@click.option("--wait/--no-wait", default=True, help="--no-wait prints the name of the job and ends.")
@click.option("--installed", is_flag=True, help="Run the colorize that is installed on the cluster; send no code.")
def command(
    job: str,
    arguments: tuple[str, ...],
    address: str,
    name: str | None,
    every: timedelta | None,
    wait: bool,
    installed: bool,
) -> int:
    """Runs a job on a Ray cluster, shows its log, waits for its end, and exits with the job's status.

    The code of this installation is sent to the cluster. So are files that ARGUMENTS name by a relative path, such as
    bundles and recipes. INPUT, SOURCE, DATA and OUTPUT must be URLs or absolute paths on the cluster's machines.
    Ctrl-C asks whether to stop the job. Without a terminal, and on SIGTERM, the job goes on.

    With --name, a second call within the same slot waits for the job of the first call.
    """
    if every and not name:
        raise click.UsageError("--every sets the length of a schedule's slot: give the schedule a --name")
    check_arguments()
    files = files_of(job, arguments)
    now = datetime.now(timezone.utc)
    identity = slot_id(f"colorize-{name}", every or _DAY, now) if name else fresh_id(f"colorize-{job}", now)
    line = shell_command("jobs.arrive", [job, *arguments])
    status = submit(Submission(identity, line, [] if installed else _CODE, files), address, TerminalDialog(), wait=wait)
    if not wait:
        click.echo(identity)
    return status


if __name__ == "__main__":
    run(command)
