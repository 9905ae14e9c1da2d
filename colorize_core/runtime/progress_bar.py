"""What a job shows while it goes on: a progress bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, ProgressColumn

_BarT = TypeVar("_BarT", bound="ProgressBar")  # typing.Self is not in Python 3.10
_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar:
    """A context manager, so that the bar is taken down whatever happens.

    Args:
        columns: of the bar.
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
        """Whether it is time for a plain line, where there is no bar; true once, then not for a while."""
        now = time.monotonic()
        due = self.bar.disable and now - self._line >= _SECONDS_BETWEEN_LINES
        if due:
            self._line = now
        return due
