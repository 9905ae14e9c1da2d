"""Archive runs of which a process is killed by SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from colorize_core.archiving.state import ledger
from tests.support.processes import marked

Kill = Callable[[subprocess.Popen[str], str], bool]


def driver(job: subprocess.Popen[str], mark: str) -> bool:
    """Kills the process that a user starts. Returns True if it was killed, as all functions of this kind do."""
    job.kill()
    return True


def child(job: subprocess.Popen[str], mark: str) -> bool:
    """Kills a process that does the work of the local runner."""
    return _kill_one(mark, b"colorize_core.runtime.local.worker")


def actor(job: subprocess.Popen[str], mark: str) -> bool:
    """Kills a process in which Ray runs all stages."""
    return _kill_one(mark, b"Chain")


def worker(job: subprocess.Popen[str], mark: str) -> bool:
    """Kills a process in which Ray runs a stage without the network, if the engine is Keras."""
    return _kill_one(mark, b"ray::MapBatches(")


def model_actor(job: subprocess.Popen[str], mark: str) -> bool:
    """Kills the process with the network."""
    return _kill_one(mark, b"Predictor")


KILLS: dict[tuple[str, str], Kill] = {  # by runner and the process that is killed
    ("local", "driver"): driver,
    ("local", "child"): child,
    ("ray", "driver"): driver,
    ("ray", "actor"): actor,
    ("ray --engine keras", "worker"): worker,
    ("ray --engine keras", "model actor"): model_actor,
}

NAMES = {f"{runner}: {victim}": (runner, victim) for runner, victim in KILLS}


def _kill_one(mark: str, title: bytes) -> bool:
    for pid in marked(mark, title):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def run(
    scans: Path,
    out: Path,
    *options: str,
    kill: Kill | None = None,
    moment: float | None = None,
    on: Mapping[str, str] = os.environ,
) -> int:
    """Runs ``colorize archive``, kills a process if ``kill`` is given, and returns the exit status.

    The process is killed ``moment`` seconds after the start, or when a task is finished. ``on`` is the environment,
    which may name a cluster.
    """
    mark = uuid.uuid4().hex
    call = [sys.executable, "-m", "jobs.archive", str(scans), str(out), *options]
    environment = {**on, "COLORIZE_TEST_MARK": mark}
    before = _records(out)
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as job:
        if kill:
            until = time.monotonic() + (moment or 0)
            while job.poll() is None and (time.monotonic() < until if moment is not None else _records(out) == before):
                time.sleep(0.25)
            while job.poll() is None and not kill(job, mark):
                time.sleep(0.25)
        printed, _ = job.communicate(timeout=900)
    deadline = time.monotonic() + 600
    while list(marked(mark, b"MapBatches")) and time.monotonic() < deadline:
        time.sleep(0.5)  # Ray ends the processes that a killed driver leaves
    if kill is not driver:
        print(printed, file=sys.stderr)
    return job.returncode


def _records(out: Path) -> int:
    """Returns the number of complete files in the ledger. Incomplete ones come and go meanwhile."""
    return sum(1 for _ in (out / "_ledger").glob("*.parquet"))


def sources_in_ledger(out: Path) -> list[str]:
    """Returns the source of each row, sorted. Checks that each photograph is ok."""
    table = pa.concat_tables(ledger.scan(str(out), ["source", "status"]))
    assert set(table["status"].to_pylist()) == {"ok"}
    return sorted(table["source"].to_pylist())
