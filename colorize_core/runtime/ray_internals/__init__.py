"""Wraps the private names of Ray that colorize uses. Only this package uses any; ``train`` has those of training.

A new version of Ray may drop a private name. ``tests/unit/runtime/ray_internals`` then says which function here
needs a replacement.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient


def task_attempt_number() -> int:
    """Returns how often Ray has started the current task before; 0 outside of tasks.

    Uses ``ray._private.worker.global_worker`` and its ``core_worker``: the public ``RuntimeContext`` does not give the
    number.
    """
    from ray._private.worker import global_worker

    return int(global_worker.core_worker.get_current_task_attempt_number()) if global_worker.connected else 0


def hide_worker_messages() -> None:
    """Keeps what Ray prints about lost processes and machines off the screen; Ray's own log keeps it.

    Replaces ``ray._private.worker.print_to_stdstream``: each loss prints a page about Ray's internals, which no setting
    turns off. The lost work is done again, or the job raises an error.
    """
    from ray._private import worker

    setattr(worker, "print_to_stdstream", lambda *_, **__: None)  # noqa: B010 - mypy refuses a plain assignment


def limit_answer_time(client: JobSubmissionClient, seconds: float) -> None:
    """Makes each later request of a client fail if the server sends nothing for ``seconds``.

    Wraps ``JobSubmissionClient._do_request``, which hands further arguments to ``requests``: Ray sets no time limit,
    so a request whose connection broke silently would wait for ever.
    """
    client._do_request = partial(client._do_request, timeout=seconds)


def cluster_ray_version(client: JobSubmissionClient) -> str:
    """Returns the Ray version of the cluster that a client is connected to, as ``2.60.0``.

    Uses ``JobSubmissionClient._server_ray_version``, which the client sets when it connects: the public
    ``get_version`` returns the version of the HTTP interface.
    """
    return str(client._server_ray_version)
