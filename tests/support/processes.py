"""Jobs as processes of their own."""

from __future__ import annotations

import signal


def hear_signals() -> None:
    """For ``preexec_fn``: what a shell starts with ``&`` ignores SIGINT, and so do its children, tests among them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
