"""What the context of a job leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from PIL import Image

from jobs.exits import DONE, USAGE
from tests.support.listening import beyond_loopback

_INTERRUPTED_IN_RAY_DATA = """
import ray
from colorize_core.runtime import cluster

def interrupted():
    batches = iter(ray.data.range(1000).map_batches(lambda b: b, batch_size=10).iter_batches(batch_size=10))
    next(batches)
    raise KeyboardInterrupt

try:
    with cluster.connected():
        interrupted()
except KeyboardInterrupt:
    pass  # here, after Ray, the error's frames are forgotten, and with them the iterator
print("started again" if ray.is_initialized() else "ended")
"""


# Compiled code that imports a module loses what a signal's handler raises meanwhile; this finder loses it every time.
_INTERRUPTED_WHILE_IT_STARTS = """
import os, signal, sys
from colorize_core.runtime import cluster

class Loses:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                pass

sys.meta_path.insert(0, Loses())
try:
    with cluster.connected():
        print("lost")
except KeyboardInterrupt:
    import ray
    print("started" if ray.is_initialized() else "interrupted")
"""


@pytest.mark.parametrize("module", ["ray", "ray._raylet", "ray.data"])
def test_a_signal_is_not_lost_while_ray_is_imported_and_starts(module: str) -> None:
    call = [sys.executable, "-c", _INTERRUPTED_WHILE_IT_STARTS, module]
    ended = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ended.stdout == "interrupted\n"


def test_an_interruption_ends_what_ray_data_does_before_ray_itself() -> None:
    call = [sys.executable, "-c", _INTERRUPTED_IN_RAY_DATA]
    ended = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ended.stdout == "ended\n"


@pytest.mark.parametrize("runner", ["ray", "local"])
def test_a_path_that_ray_cannot_take_is_said_before_anything_is_written(tmp_path: Path, runner: str) -> None:
    scans = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(scans)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", scans + b"/a.png")
    call = [sys.executable, "-m", "jobs.archive", scans, tmp_path / "out", "--runner", runner]
    ended = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if runner == "local":
        assert ended.returncode == DONE, ended.stdout
        assert (tmp_path / "out" / "a.png").is_file()
        return
    assert ended.returncode == USAGE
    [line] = ended.stdout.splitlines()
    assert "Ray takes only UTF-8 on the command line" in line
    assert r"caf\xe9" in line
    assert not (tmp_path / "out").exists()


_WORKING = """
import time
from colorize_core.runtime import cluster

with cluster.connected():
    import ray
    assert ray.get([ray.remote(lambda: 1).remote() for _ in range(4)]) == [1] * 4
    print("works", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux' /proc to see who listens")
def test_nothing_listens_beyond_loopback() -> None:
    mark = uuid.uuid4().hex
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_ENABLE")}
    call = [sys.executable, "-c", _WORKING]
    with subprocess.Popen(call, env=environment | {"MARK": mark}, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout
        try:
            assert job.stdout.readline() == "works\n"
            others, sockets = beyond_loopback(mark)
        finally:
            job.terminate()
    assert sockets >= 4  # the cluster's own, the scheduler's, the driver's, the workers'
    assert others == set()
