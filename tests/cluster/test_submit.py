"""The job that README submits, on a cluster of its own: ``ray start --head``, ``ray job submit``."""

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
from PIL import Image

from colorize_core.archive import ledger

REPO = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cluster:
    address: str
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
    """A head node with two CPUs on loopback, guarded by a token; ended by its process id."""
    port, dashboard, agent = free_ports(3)
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    environment.pop("RAY_ADDRESS", None)
    # The path of a socket in it may have 107 bytes, which pytest's own folders nearly take.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as session:
        call = ["ray", "start", "--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1", f"--port={port}"]
        call += [f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}", f"--temp-dir={session}"]
        with (
            open(Path(session) / "start.log", "wb") as log,
            subprocess.Popen(call, env=environment, stdout=log, stderr=subprocess.STDOUT) as head,
        ):
            try:
                address = f"http://127.0.0.1:{dashboard}"
                wait_for_agent(f"http://127.0.0.1:{agent}/api/healthz", head)
                yield Cluster(address, environment)
            finally:
                head.terminate()
                head.wait(timeout=60)


def wait_for_agent(url: str, head: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert head.poll() is None, "the head node ended"
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - a loopback address made above
                return
        except urllib.error.HTTPError:
            return  # it answers: what is missing is the token
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"no answer from {url}")


def submit(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    call = ["ray", "job", "submit", "--address", cluster.address, "--working-dir", "."]
    call += ["--", "python", "-m", "jobs.archive", *arguments]
    return subprocess.run(
        call, cwd=REPO, env=cluster.environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_the_submitted_job_does_the_same(cluster: Cluster, archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = submit(cluster, str(archive_dir), str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "colorized" in done.stdout
    rows = ledger.read(str(out)).latest.values()
    assert sorted((row.status, row.output) for row in rows) == [
        ("ok", "album/chelsea.png"),
        ("ok", "album/coffee.png"),
        ("ok", "astronaut.png"),
    ]
    with Image.open(archive_dir / "astronaut.png") as before, Image.open(out / "astronaut.png") as after:
        assert (after.size, after.mode) == (before.size, "RGB")

    wrong = submit(cluster, str(tmp_path / "nowhere"), str(out))
    assert wrong.returncode == 1
    assert "exit code 2" in wrong.stdout + wrong.stderr
    assert "does not exist: give a folder" in wrong.stdout + wrong.stderr


def test_without_the_token_nobody_gets_in(cluster: Cluster, archive_dir: Path, tmp_path: Path) -> None:
    stranger = Cluster(cluster.address, cluster.environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)})
    refused = submit(stranger, str(archive_dir), str(tmp_path / "out"))
    assert refused.returncode != 0
    assert "Unauthenticated" in refused.stderr or "token" in refused.stderr
    assert not (tmp_path / "out").exists()
