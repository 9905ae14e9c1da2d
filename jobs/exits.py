"""From exceptions to exit status, the same for every job."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click

from colorize_core.errors import ColorizeError, UserError

DONE, FAILED, USAGE, TOO_MANY_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def run(command: click.Command) -> NoReturn:
    """Runs a command and ends the process: one line per error, no traceback for what a user can cause."""
    signal.signal(signal.SIGTERM, _interrupt)  # ray job stop, cron and systemd end a job so: keep what was done
    try:
        status = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = USAGE
    except UserError as error:
        click.echo(f"colorize: {error}", err=True)
        status = USAGE
    except ColorizeError as error:
        click.echo(f"colorize: {error}", err=True)
        status = FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("colorize: interrupted; run the same command again to go on", err=True)
        status = INTERRUPTED
    sys.exit(status if isinstance(status, int) else DONE)
