"""Archives under faults: whatever dies, fills up or vanishes, a later run leaves each photograph done exactly once."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core.archiving.state import ledger
from colorize_core.runtime.local import memory
from jobs.exits import DONE, FAILED, TOO_MANY_FAILED
from tests.support import kills
from tests.support.archive_job import results

COUNT = 300


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, gray_photographs: dict[str, NDArray[np.uint8]]) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "scans"
    folder.mkdir()
    for i in range(COUNT):
        Image.fromarray(np.roll(gray_photographs["coffee"], 2 * i, axis=1)[:200, :300]).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="module")
def undisturbed(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run that nothing happens to makes, by file format."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert kills.run(scans, out) == DONE
    return results(out)


def call(scans: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "jobs.archive", str(scans), str(out), *options]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.parametrize(("runner", "kind"), kills.KILLS)
def test_whoever_is_killed_each_photograph_is_done_once(
    scans: Path, undisturbed: dict[str, bytes], tmp_path: Path, runner: str, kind: str
) -> None:
    out = tmp_path / "out"
    options = ["--runner", *runner.split()]
    status = kills.run(scans, out, *options, kill=kills.KILLS[runner, kind])
    assert status == (-signal.SIGKILL if kind == "driver" else DONE)
    if kind == "driver":
        assert 0 < len(kills.sources_in_ledger(out)) < COUNT
    assert kills.run(scans, out, *options) == DONE
    assert kills.sources_in_ledger(out) == [str(scans / f"{i:03d}.png") for i in range(COUNT)]
    made = results(out)
    assert made.keys() == undisturbed.keys()
    for name, content in made.items():
        if "keras" not in runner:
            assert content == undisturbed[name]
        else:
            pixels, expected = (
                np.asarray(Image.open(io.BytesIO(each))).astype(int) for each in (content, undisturbed[name])
            )
            assert np.abs(pixels - expected).max() <= 1


def test_the_second_of_two_runs_says_who_writes(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(call(scans, out), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        while not (out / "_lock").exists():
            assert first.poll() is None
            time.sleep(0.05)
        second = subprocess.run(call(scans, out), capture_output=True, text=True, check=False)
        assert second.returncode == FAILED
        [line] = second.stderr.splitlines()
        assert line.startswith("colorize: OUTPUT is being written by run 20")
        assert f"(process {first.pid}) since 20" in line
        printed, _ = first.communicate(timeout=900)
    assert first.returncode == DONE, printed
    assert len(kills.sources_in_ledger(out)) == COUNT
    assert not (out / "_lock").exists()


def test_inputs_that_vanish_or_change_under_the_run(scans: Path, tmp_path: Path) -> None:
    mine, out = tmp_path / "scans", tmp_path / "out"
    mine.mkdir()
    for path in sorted(scans.iterdir()):
        (mine / path.name).write_bytes(path.read_bytes())
    with subprocess.Popen(call(mine, out), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        while not (out / "_runs").exists():  # the plan is made
            assert job.poll() is None
            time.sleep(0.02)
        (mine / "299.png").unlink()
        Image.fromarray(np.full((30, 40), 90, np.uint8)).save(mine / "298.png")
        (mine / "297.png").write_bytes(b"")
        printed, _ = job.communicate(timeout=900)
    assert job.returncode == TOO_MANY_FAILED, printed
    rows = ledger.latest(str(out))
    assert len(rows) == COUNT
    assert [rows[str(mine / f"{number}.png")].reason for number in (297, 298, 299)] == ["unreadable"] * 3
    assert kills.run(mine, out) == TOO_MANY_FAILED  # they are tried again
    rows = ledger.latest(str(out))
    assert rows[str(mine / "297.png")].reason == "empty"
    assert (rows[str(mine / "298.png")].width, rows[str(mine / "298.png")].status) == (40, "ok")
    with Image.open(out / "298.png") as image:
        assert image.size == (40, 30)


CRASHING = """
import mmap, os, time
from colorize_core.archiving import scheduling
from colorize_core.images import layouts
from colorize_core.runtime.local import memory
def die(size):
    if size == {size}:
        if {hungry}:
            taken = mmap.mmap(-1, {gigabytes} << 30)
            for place in range(0, len(taken), mmap.PAGESIZE):
                taken[place] = 1
            time.sleep(600)
        os.kill(os.getpid(), 9)  # as a codec with a fault, or the kernel for want of memory
decode, work_on = layouts.pixels_of, scheduling.run_at_idle_priority
if {stage!r} == "read":
    layouts.pixels_of = lambda image, content: die(len(content)) or decode(image, content)
else:
    scheduling.run_at_idle_priority = lambda work, size: die(size) or work_on(work, size)
memory.SPARE = {spare}
"""
_GIGABYTES = 6


@pytest.mark.parametrize("runner", ["local", "ray"])
@pytest.mark.parametrize(("stage", "hungry"), [("read", False), ("finish", False), ("finish", True)])
def test_a_photograph_that_kills_processes_is_left_out(
    scans: Path, tmp_path: Path, runner: str, stage: str, hungry: bool
) -> None:
    """By a crash, or by taking more memory than there is: than half of what it takes, to leave some for others."""
    left = min(memory._shares_left(), default=0.0)
    share = _GIGABYTES * 2**30 / os.sysconf("SC_PHYS_PAGES") / os.sysconf("SC_PAGE_SIZE")
    if hungry and left < 2 * share:
        pytest.skip(f"needs {2 * _GIGABYTES} GiB of free memory")
    spare = left - share / 2 if hungry else 0.0
    mine, out, site = tmp_path / "scans", tmp_path / "out", tmp_path / "site"
    mine.mkdir()
    site.mkdir()
    for path in sorted(scans.iterdir())[:40]:
        (mine / path.name).write_bytes(path.read_bytes())
    deadly = mine / "017.png"
    deadly.write_bytes(deadly.read_bytes() + b"\0" * 12345)
    code = CRASHING.format(stage=stage, size=deadly.stat().st_size, hungry=hungry, gigabytes=_GIGABYTES, spare=spare)
    (site / "crashing.py").write_text(code)
    (site / "sitecustomize.py").write_text("import crashing\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    environment["RAY_memory_usage_threshold"] = f"{1 - spare}"
    job = subprocess.run(
        call(mine, out, "--runner", runner), env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert job.returncode == TOO_MANY_FAILED, job.stdout + job.stderr
    rows = ledger.latest(str(out))
    assert {Path(row.source).name: row.reason for row in rows.values() if row.status == "failed"} == {
        "017.png": "internal"
    }
    assert "2 processes died over it" in rows[str(deadly)].message
    assert len(rows) == 40
    assert not (out / "_partial").exists()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full_ends_the_run_and_a_later_one_repairs_it(
    scans: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False, capture_output=True)
    if mount.returncode:
        pytest.skip(f"no disk can be mounted here: {mount.stderr.decode()}")
    try:
        out = disk / "out"
        job = subprocess.run(call(scans, out), capture_output=True, text=True, check=False, timeout=900)
        assert job.returncode == FAILED, job.stdout + job.stderr
        [line] = [line for line in job.stderr.splitlines() if line.startswith("colorize:")]
        assert "No space left on device" in line
        assert "Traceback" not in job.stderr
        rows = ledger.latest(str(out)).values()
        assert not any(row.bytes or row.output for row in rows if row.status == "failed")
        for name, content in results(out).items():
            if not name.startswith(("_lock/", "_partial/")):
                assert content == undisturbed[name]  # none is half-written
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        assert kills.run(scans, out) == DONE
        assert [row.status for row in ledger.latest(str(out)).values()] == ["ok"] * COUNT
        assert results(out) == undisturbed
    finally:
        subprocess.run(["umount", disk], check=True)
