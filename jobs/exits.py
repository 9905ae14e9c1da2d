"""The exit statuses that all jobs share, and the exceptions that lead to each."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from colorize_core import storage
from colorize_core.errors import ColorizeError, UserError
from jobs.values import FRACTION

DONE, FAILED, USAGE, TOO_MANY_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
MAX_FAILED = click.option(
    "--max-failed",
    type=FRACTION,
    default=0.0,
    show_default=True,
    help="Exit with status 3 if more than this fraction of the photographs failed.",
)


def run(command: click.Command) -> NoReturn:
    """Runs a command with the arguments of this process, and ends the process with the command's status."""
    signal.signal(signal.SIGTERM, _interrupt)  # sent by ray job stop, cron and systemd: stop as after Ctrl-C
    sys.exit(status_of(command))


def status_of(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status. An error that a user can cause prints one line and no traceback."""
    try:
        for argument in sys.argv[1:] if arguments is None else arguments:
            storage.refuse_secrets(argument)  # before a log, a ledger or a cluster could keep the secret
        status = command.main(args=arguments, standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"colorize: {error.format_message()}", err=True)
        return USAGE
    except UserError as error:
        click.echo(f"colorize: {error}", err=True)
        return USAGE
    except (ColorizeError, OSError) as error:
        click.echo(f"colorize: {error}", err=True)
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("colorize: interrupted", err=True)
        return INTERRUPTED
    return status if isinstance(status, int) else DONE


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
