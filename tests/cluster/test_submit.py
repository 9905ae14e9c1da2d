"""The job that README submits, on a cluster of its own: ``ray start --head``, ``colorize submit``."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from colorize_core.archiving.state import ledger
from jobs.exits import DONE, FAILED, TOO_MANY_FAILED, USAGE
from tests.support.ray_cluster import Cluster

REPO = Path(__file__).parents[2]


def started(cluster: Cluster, *arguments: str | Path, here: Path = REPO) -> subprocess.Popen[str]:
    """``colorize submit archive``, of the code and in the folder ``here``."""
    call = [sys.executable, "-m", "jobs.submit", "archive", "--address", cluster.address, *map(str, arguments)]
    environment = cluster.environment | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(here)}
    return subprocess.Popen(
        call,
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def submitted(cluster: Cluster, *arguments: str | Path, here: Path = REPO) -> tuple[int, str, str]:
    """Its exit status, output and errors."""
    process = started(cluster, *arguments, here=here)
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a version of the code that is installed nowhere, a bundle of one's own, and what must stay here."""
    here = tmp_path / "checkout"
    for name in ("colorize_core", "jobs"):
        shutil.copytree(REPO / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    version = here / "colorize_core" / "version.py"
    version.write_text(re.sub('__version__ = "(.*)"', r'__version__ = "\1+mine"', version.read_text()))
    shutil.copytree(here / "colorize_core" / "pretrained" / "default", here / "mine")
    facts = json.loads((here / "mine" / "bundle.json").read_text())
    facts["recipe"]["name"] = "my-own"
    (here / "mine" / "bundle.json").write_text(json.dumps(facts))
    return here


def test_the_code_and_the_bundle_of_the_caller_are_run(
    cluster: Cluster, checkout: Path, archive_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, printed, said = submitted(cluster, archive_dir, out, "--model", "./mine", here=checkout)
    assert status == DONE, printed + said
    assert "colorized" in printed
    assert "Running entrypoint" in printed
    [line] = said.splitlines()
    assert re.fullmatch(r"colorize-archive-\d{8}T\d{6}Z-[0-9a-f]{8} is submitted", line)
    [run] = [json.loads(path.read_text()) for path in (out / "_runs").iterdir()]
    assert run["versions"]["colorize"].endswith("+mine")
    rows = ledger.latest(str(out)).values()
    assert sorted((row.status, row.output) for row in rows) == [
        ("ok", "album/chelsea.png"),
        ("ok", "album/coffee.png"),
        ("ok", "astronaut.png"),
    ]
    with Image.open(archive_dir / "astronaut.png") as before, Image.open(out / "astronaut.png") as after:
        assert (after.size, after.mode) == (before.size, "RGB")
        assert "my-own" in str(after.info)


def test_a_slot_runs_once_and_all_who_ask_get_its_status(cluster: Cluster, archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (archive_dir / "broken.jpg").write_bytes(b"no photograph")
    call = ("--name", "slot", "--every", "9999d", "--", archive_dir, out)
    both = [started(cluster, *call) for _ in range(2)]
    outputs = [process.communicate(timeout=900) for process in both]
    assert [process.returncode for process in both] == [TOO_MANY_FAILED] * 2, outputs  # 3 is passed on
    assert len(list((out / "_runs").iterdir())) == 1
    assert sum("is submitted" in said for _, said in outputs) == 1
    assert all(printed.count("broken.jpg: not_an_image") == 1 for printed, _ in outputs)
    status, _, said = submitted(cluster, *call)
    assert status == TOO_MANY_FAILED
    assert "was submitted before" in said
    assert len(list((out / "_runs").iterdir())) == 1


def test_a_job_that_nobody_waits_for_is_named_and_its_status_can_be_had(cluster: Cluster, tmp_path: Path) -> None:
    call = ("--name", "wrong", "--every", "9999d", tmp_path / "nowhere", tmp_path / "out", "--dry-run")
    status, printed, _ = submitted(cluster, *call, "--no-wait", "--installed")
    assert status == DONE
    assert re.fullmatch(r"colorize-wrong-\d{8}T000000Z\n", printed)
    status, printed, said = submitted(cluster, *call)
    assert status == USAGE
    assert "does not exist: give a folder" in printed
    assert "was submitted before" in said


def ray_job_submit(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same job, sent by Ray's own command."""
    call = ["ray", "job", "submit", "--address", cluster.address, "--working-dir", "."]
    call += ["--", "python", "-m", "jobs.archive", *arguments]
    return subprocess.run(
        call, cwd=REPO, env=cluster.environment, capture_output=True, text=True, timeout=900, check=False
    )


def test_operators_see_counts_on_rays_endpoint(cluster: Cluster, archive_dir: Path, tmp_path: Path) -> None:
    (archive_dir / "broken.jpg").write_bytes(b"no photograph")
    before = scraped(cluster)
    done = ray_job_submit(cluster, str(archive_dir), str(tmp_path / "out"))
    assert "exit code 3" in done.stdout + done.stderr
    deadline = time.monotonic() + 600  # processes report every few seconds
    while time.monotonic() < deadline:
        now = scraped(cluster)
        ok, failed = (
            now[key] - before.get(key, 0) for key in (("ok", "none"), ("failed", "not_an_image")) if key in now
        )
        if (ok, failed) == (3, 1):
            break
        time.sleep(1)
    assert (ok, failed) == (3, 1), now
    text = endpoint(cluster)
    for name in ("colorize_read_bytes_total", "colorize_written_bytes_total", "colorize_photograph_seconds_bucket"):
        assert f"ray_{name}" in text


def endpoint(cluster: Cluster) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.metrics}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def scraped(cluster: Cluster) -> dict[tuple[str, str], float]:
    """Photographs by status and reason."""
    counts: dict[tuple[str, str], float] = {}
    for line in endpoint(cluster).splitlines():
        found = re.match(r"ray_colorize_photographs_total\{(.*)\} (\S+)", line)
        if found:
            tags = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
            key = tags["status"], tags["reason"]
            counts[key] = counts.get(key, 0) + float(found[2])
    return counts


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"RAY_AUTH_TOKEN": secrets.token_hex(32)}, "wants another token than yours: set RAY_AUTH_MODE=token"),
        ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"}, "wants a token, and got none: set RAY_AUTH_MODE=token"),
        ({"RAY_AUTH_TOKEN": "", "HOME": "/nonexistent"}, "wants a token, and got none: set RAY_AUTH_MODE=token"),
    ],
)
def test_without_the_token_nobody_gets_in(
    cluster: Cluster, settings: dict[str, str], words: str, archive_dir: Path, tmp_path: Path
) -> None:
    stranger = Cluster(cluster.address, cluster.metrics, cluster.environment | settings)
    status, printed, said = submitted(stranger, archive_dir, tmp_path / "out")
    assert (status, printed) == (FAILED, "")
    [line] = said.splitlines()
    assert words in line
    assert not (tmp_path / "out").exists()
