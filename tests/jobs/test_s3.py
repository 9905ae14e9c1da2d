"""``colorize prepare`` and ``colorize archive`` from S3 to S3, as a user calls them: a process with an environment."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import storage
from colorize_core.archiving.state import ledger
from colorize_core.storage import retry, stores
from jobs import archive, prepare
from jobs.exits import DONE, FAILED, USAGE, status_of
from tests.support.s3_server import KEY, S3, SECRET, Connect, Faults, faulty_proxy
from tests.support.small_recipe import SETTINGS, as_arguments

_SCANS = 48
TOKEN = secrets.token_hex(32)


def colorize(environment: dict[str, str], job: str, *arguments: str) -> str:
    """What a job that goes well prints; Ray's workers see its environment."""
    call = [sys.executable, "-m", f"jobs.{job}", *arguments]
    ended = subprocess.run(call, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=900)
    assert ended.returncode == DONE, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def upload(folder: Path, url: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            storage.write(storage.join(url, path.relative_to(folder).as_posix()), path.read_bytes())


def assert_no_secrets(output: str, printed: str) -> None:
    files = {entry.name: storage.read(entry.path) for entry in storage.find(output)}
    for name, content in {**files, "the screen": printed.encode()}.items():
        tables = pq.read_table(io.BytesIO(content)).to_pylist() if name.endswith(".parquet") else []  # compressed
        for secret in (KEY, SECRET, TOKEN):
            assert secret.encode() not in content, name
            assert secret not in repr([{k: v for k, v in row.items() if k != "rgb"} for row in tables]), name


def test_prepare_through_a_network_that_fails_is_as_from_disk(
    color_dir: Path, tmp_path: Path, bucket: str, s3_server: S3
) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    for path in sorted(color_dir.iterdir())[::8]:
        (source / path.name).write_bytes(path.read_bytes())
    (source / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    upload(source, f"{bucket}/photos")
    settings = ("--size", "32", "--val-fraction", "0.2")
    colorize({}, "prepare", "folder", str(source), str(tmp_path / "prepared"), *settings)
    faults = Faults(slow_down=0.1, no_answer=0.1, cut_body=0.25)
    with faulty_proxy(s3_server.host, faults) as proxy:
        environment = s3_server.environment(proxy)
        printed = colorize(environment, "prepare", "folder", f"{bucket}/photos", f"{bucket}/prepared", *settings)
    assert min(faults.seen[kind] for kind in ("slow_down", "no_answer", "cut_body")) >= 1, faults.seen

    local, remote = str(tmp_path / "prepared"), f"{bucket}/prepared"
    ours, theirs = (json.loads(storage.read(storage.join(where, "dataset.json"))) for where in (local, remote))
    for name in ("images", "fingerprint", "statistics", "rejected"):
        assert ours[name] == theirs[name]
    assert ours["rejected"]
    assert _rows(local) == _rows(remote)
    assert [entry.name for entry in storage.find(local)] == [entry.name for entry in storage.find(remote)]
    assert_no_secrets(remote, printed)


def _rows(prepared: str) -> dict[str, tuple[str, bytes]]:
    shards = [entry for entry in storage.find(prepared) if entry.name.endswith(".parquet")]
    tables = [(entry.name, pq.read_table(io.BytesIO(storage.read(entry.path)))) for entry in shards]
    return {row["id"]: (name, row["rgb"]) for name, table in tables for row in table.to_pylist()}


def test_archive_from_bucket_to_bucket_through_a_network_that_fails_and_only_once(
    gray_photographs: dict[str, NDArray[np.uint8]], tmp_path: Path, bucket: str, s3_server: S3
) -> None:
    for i in range(_SCANS):
        (tmp_path / f"{i % 4}").mkdir(exist_ok=True)
        Image.fromarray(gray_photographs["coffee"][i : i + 64, 4 * i :]).save(tmp_path / f"{i % 4}" / f"{i:02d}.png")
    upload(tmp_path, f"{bucket}/scans")
    call = ("archive", f"{bucket}/scans", f"{bucket}/colored")
    faults = Faults(slow_down=0.1, no_answer=0.1, cut_body=0.1)
    with faulty_proxy(s3_server.host, faults) as proxy:
        printed = colorize(s3_server.environment(proxy), *call)
    assert min(faults.seen[kind] for kind in ("slow_down", "no_answer", "cut_body")) >= 1, faults.seen
    output = f"{bucket}/colored"
    images = [entry for entry in storage.find(output) if entry.name.endswith(".png")]
    assert [entry.name for entry in images] == sorted(f"{i % 4}/{i:02d}.png" for i in range(_SCANS))
    for entry in images:
        with Image.open(io.BytesIO(storage.read(entry.path))) as image:
            assert (image.mode, image.size) == ("RGB", (600 - 4 * int(Path(entry.name).stem), 64))
    rows = [row for table in ledger.scan(output, ["source", "status"]) for row in table.to_pylist()]
    assert {row["status"] for row in rows} == {"ok"}
    assert sorted(row["source"] for row in rows) == [f"{bucket}/scans/{e.name}" for e in images]

    records = len(list(storage.children(f"{output}/_ledger")))
    printed += colorize(s3_server.environment(), *call, "--log-json")
    again = [entry for entry in storage.find(output) if entry.name.endswith(".png")]
    assert [(entry.name, entry.stamp) for entry in again] == [(entry.name, entry.stamp) for entry in images]
    assert len(list(storage.children(f"{output}/_ledger"))) == records
    runs = [json.loads(storage.read(entry.path)) for entry in storage.children(f"{output}/_runs")]
    assert sorted(run["finished_before"] for run in runs) == [0, _SCANS]
    assert_no_secrets(output, printed)


def test_a_training_and_its_report_hold_no_credentials(color_dir: Path, bucket: str, s3_server: S3) -> None:
    for path in sorted(color_dir.iterdir())[::2]:
        storage.write(f"{bucket}/photos/{path.name}", path.read_bytes())
    environment = s3_server.environment() | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    data, model = f"folder:{bucket}/photos", f"{bucket}/model"
    printed = colorize(environment, "train", "unet-lab", data, model, "--epochs=1", *as_arguments(SETTINGS))
    printed += colorize(environment, "evaluate", model, data, f"{bucket}/report")
    assert {"MODEL_CARD.md", "bundle.json"} < {entry.name for entry in storage.find(model)}
    assert_no_secrets(model, printed)
    assert_no_secrets(f"{bucket}/report", printed)


def error_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    assert SECRET not in printed.out + printed.err
    return [line for line in printed.err.splitlines() if line.strip()]


@pytest.mark.parametrize("job", ["archive", "prepare"])
def test_what_is_wrong_with_a_bucket_is_said_in_one_line(
    job: str,
    archive_dir: Path,
    bucket: str,
    s3_server: S3,
    s3: Connect,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload(archive_dir, f"{bucket}/scans")
    scans, start = f"{bucket}/scans", [] if job == "archive" else ["folder"]

    def run(source: str, output: str) -> int:
        return status_of({"archive": archive, "prepare": prepare}[job].command, [*start, source, output])

    for source, output, words in (
        ("s3://no-such-bucket/x", f"{bucket}/out", "no-such-bucket"),
        (scans, "s3://no-such-bucket/out", "OUTPUT s3://no-such-bucket/out cannot be written"),
        (f"s3://{KEY}:{SECRET}@bucket/x", f"{bucket}/out", "environment"),
        (scans, f"s3://{KEY}:{SECRET}@bucket/x", "environment"),
    ):
        assert run(source, output) == USAGE
        [line] = error_lines(capsys)
        assert words in line
        assert KEY not in line
    with s3_server.asking_for_credentials():
        assert run(scans, f"{bucket}/out") in (USAGE, FAILED)
        [line] = error_lines(capsys)
        assert scans in line
    monkeypatch.setattr(retry, "_RETRY_SECONDS", 2.0)
    monkeypatch.setattr(stores, "_ATTEMPTS", 2)
    s3("http://127.0.0.1:9")
    started = time.monotonic()
    assert run(scans, f"{bucket}/out") in (USAGE, FAILED)
    assert time.monotonic() - started < 20
    [line] = error_lines(capsys)
    assert scans in line
    assert "connect" in line
    s3()
    assert not storage.exists(f"{bucket}/out")
