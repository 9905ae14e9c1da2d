"""Shows the progress of a job: a bar on a terminal; elsewhere the job prints a line every ten seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, ProgressColumn

_BarT = TypeVar("_BarT", bound="ProgressBar")  # typing.Self is not in Python 3.10
_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar:
    """A progress bar on a terminal. Use it as a context manager, which removes the bar at the end.

    Args:
        columns: the columns of the bar, as Rich defines them.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        self.console = Console(highlight=False)
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self._line = time.monotonic()

    def __enter__(self: _BarT) -> _BarT:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def is_line_due(self) -> bool:
        """Returns True if there is no bar and the last plain line is at least ten seconds old; resets that time."""
        now = time.monotonic()
        due = self.bar.disable and now - self._line >= _SECONDS_BETWEEN_LINES
        if due:
            self._line = now
        return due
