"""A Ray cluster for tests: ``ray start --head`` on loopback."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Cluster:
    address: str
    metrics: int
    environment: dict[str, str]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yields a head node with two CPUs on loopback, guarded by a token. It is ended by its process id."""
    port, dashboard, agent, metrics = free_ports(4)
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        environment.pop(name, None)
    # A socket's path in the folder may have 107 bytes; pytest's own folders nearly use them up.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as session:
        call = ["ray", "start", "--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1", f"--port={port}"]
        call += [f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}", f"--temp-dir={session}"]
        call.append(f"--metrics-export-port={metrics}")
        with (
            open(Path(session) / "start.log", "wb") as log,
            subprocess.Popen(call, env=environment, stdout=log, stderr=subprocess.STDOUT) as head,
        ):
            try:
                address = f"http://127.0.0.1:{dashboard}"
                wait_for_agent(f"http://127.0.0.1:{agent}/api/healthz", head)
                yield Cluster(address, metrics, environment)
            finally:
                head.terminate()
                head.wait(timeout=900)


def wait_for_agent(url: str, head: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert head.poll() is None, "the head node ended"
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - a loopback address made above
                return
        except urllib.error.HTTPError:
            return  # it answers that the token is missing
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"no answer from {url}")
