"""A Ray cluster of several nodes on this machine, on loopback.

Each node has its own processes and shared memory. Where the system has mount namespaces, each node also has its own
folder for temporary files, which other nodes do not see. The head has no CPUs, as in ``cluster.yaml``. All processes of
a lost node are killed by SIGKILL.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.processes import marked

_STORE_BYTES = 200 << 20
_HIDE = 'mount -t tmpfs none "$0" && mkdir "$TMPDIR" && exec "$@"'


class Nodes:
    """A head node, and workers that can be added and lost.

    Attributes:
        environment: environment of jobs that run on the cluster.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        (folder / "tmp").mkdir()
        self.environment = {**environment, "TMPDIR": str(folder / "tmp")}
        self._workers: list[tuple[str, subprocess.Popen[str]]] = []
        self._head = self._start([], "head")
        self.environment["RAY_ADDRESS"] = self._next_line(self._head[1])

    def add(self) -> None:
        """Adds a worker with one CPU."""
        apart = ["unshare", "-m", "sh", "-c", _HIDE, str(self._folder)] if _has_namespaces() else []
        self._workers.append(self._start(apart, self.environment["RAY_ADDRESS"]))
        assert self._next_line(self._workers[-1][1]) == "joined"

    def lose_one_with(self, title: bytes, job: subprocess.Popen[str]) -> None:
        """Waits for a process with this text in its name, and kills the worker that runs it."""
        while True:
            for number, (mark, _) in enumerate(self._workers):
                if next(marked(mark, title), None):
                    return self.lose(number)
            assert job.poll() is None, f"the job ended before anything had {title!r} in its name"

    def lose(self, number: int = 0) -> None:
        """Kills a worker, by default the oldest."""
        mark, process = self._workers.pop(number)
        while left := list(marked(mark, b"")):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()

    def end(self) -> None:
        """Ends all nodes."""
        while self._workers:
            self.lose()
        self._head[1].communicate(timeout=900)

    def _start(self, prefix: list[str], argument: str) -> tuple[str, subprocess.Popen[str]]:
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.support.nodes", argument, str(self._folder / "ray")],
            cwd=Path(__file__).parents[2],
            env={**self.environment, "COLORIZE_TEST_NODE": mark},
            stdin=subprocess.PIPE,  # the process ends when this pipe is closed
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return mark, process

    def _next_line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout
        return process.stdout.readline().strip()


@contextmanager
def nodes(environment: Mapping[str, str], workers: int) -> Iterator[Nodes]:
    """Yields a cluster with this environment for its nodes and jobs. A token guards it."""
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    own |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}  # on loopback; as all else
    everything = {**os.environ, **environment, **own}
    everything.pop("RAY_ADDRESS", None)
    # A socket's path in the folder may have 107 bytes; pytest's own folders nearly use them up.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        cluster = Nodes(everything, Path(folder))
        try:
            for _ in range(workers):
                cluster.add()
            yield cluster
        finally:
            cluster.end()


def _has_namespaces() -> bool:
    call = ["unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    try:
        return subprocess.run(call, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _serve(what: str, folder: str) -> None:
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    settings = {"object_store_memory": _STORE_BYTES, "min_worker_port": 0, "max_worker_port": 0}
    if what == "head":
        node = Node(
            RayParams(num_cpus=0, include_dashboard=False, temp_dir=folder, **settings), head=True, spawn_reaper=True
        )
    else:
        own = {"node_manager_port": 0, "dashboard_agent_listen_port": None, "include_log_monitor": False}
        node = Node(RayParams(num_cpus=1, gcs_address=what, **settings, **own), head=False, spawn_reaper=True)
    print(node.gcs_address if what == "head" else "joined", flush=True)
    sys.stdin.read()
    node.kill_all_processes(check_alive=False, allow_graceful=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
