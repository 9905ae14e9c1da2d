"""``colorize submit JOB ARGUMENTS``"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

import colorize_core
import jobs
from colorize_core.runtime.cluster import check_arguments
from colorize_core.submission import Submission, shell_command, submit
from colorize_core.submission.names import fresh_id, slot_id
from colorize_core.submission.screen import Terminal
from jobs.arguments import JOBS, files_of
from jobs.exits import run
from jobs.values import Period

_CODE = [Path(package.__path__[0]) for package in (colorize_core, jobs)]
_DAY = timedelta(days=1)


def _name(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", value):
        raise click.BadParameter(f"{value!r} is no name: letters, digits, - and _.", ctx, option)
    return value


# What is no option here is one of the job's.
@click.command("submit", context_settings={"ignore_unknown_options": True})
@click.argument("job", type=click.Choice(JOBS))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--address",
    envvar="RAY_API_SERVER_ADDRESS",
    default="http://127.0.0.1:8265",
    show_default=True,
    help="Of the head's dashboard.",
)
@click.option("--name", callback=_name, help="Of a schedule: the job is run once per slot.")
@click.option("--every", type=Period(), help="Length of a slot: 15m, 1h, 1d.  [default: 1d]")
@click.option("--wait/--no-wait", default=True, help="With --no-wait prints the name of the job, and ends.")
@click.option("--installed", is_flag=True, help="Run the colorize that is installed there; send no code.")
def command(
    job: str,
    arguments: tuple[str, ...],
    address: str,
    name: str | None,
    every: timedelta | None,
    wait: bool,
    installed: bool,
) -> int:
    """Runs a job on a Ray cluster: shows its log, waits for its end, and exits as it did.

    This installation's code is sent along. In ARGUMENTS the relative paths of bundles, recipes and other settings are
    files of yours and sent along too; INPUT, SOURCE, DATA and OUTPUT are URLs, or absolute paths of the cluster's
    machines. Ctrl-C asks whether to stop the job; without a terminal, and on SIGTERM, it goes on.

    With --name a second call within the slot waits for the first one's job.
    """
    if every and not name:
        raise click.UsageError("--every is the length of a slot of a schedule: give it a --name")
    check_arguments()
    files = files_of(job, arguments)
    now = datetime.now(timezone.utc)
    identity = slot_id(f"colorize-{name}", every or _DAY, now) if name else fresh_id(f"colorize-{job}", now)
    line = shell_command("jobs.arrive", [job, *arguments])
    status = submit(Submission(identity, line, [] if installed else _CODE, files), address, Terminal(), wait=wait)
    if not wait:
        click.echo(identity)
    return status


if __name__ == "__main__":
    run(command)
