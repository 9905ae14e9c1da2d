"""Storage on an S3 server behind a network that fails."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from colorize_core import storage
from colorize_core.errors import OutputError
from colorize_core.storage import retry, stores
from tests.support.s3_server import CONTENT, PAGE, S3, SECRET, Connect, Faults, failing, faulty_proxy, names

OPERATIONS: dict[str, Callable[[str], Any]] = {
    "read": lambda url: storage.read(f"{url}/a.bin"),
    "read_range": lambda url: storage.read_range(f"{url}/a.bin", 5, 5),
    "open_file": lambda url: storage.open_file(f"{url}/a.bin").read(),
    "write": lambda url: storage.write(f"{url}/new.bin", b"x"),
    "remove": lambda url: storage.remove(f"{url}/a.bin"),
    "exists": lambda url: storage.exists(f"{url}/a.bin"),
    "exists, of a bucket": lambda url: storage.exists(url),
    "is_folder": storage.is_folder,
    "is_empty": storage.is_empty,
    "find": storage.find,
    "children": lambda url: list(storage.children(url)),
    "folders": storage.folders,
    "match": lambda url: list(storage.match(f"{url}/*.bin")),
    "match below": lambda url: list(storage.match(f"{url}/*/*.bin")),
    "match anywhere": lambda url: list(storage.match(f"{url}/**/*.bin")),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends retries at once instead of after half a minute."""
    monkeypatch.setattr(retry, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(retry, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(stores, "_ATTEMPTS", 1)


def test_a_network_that_fails_changes_nothing(bucket: str, s3_server: S3, s3: Connect) -> None:
    table = pa.table({"x": np.arange(5000)})
    faults = Faults(slow_down=0.1, no_answer=0.1, cut_body=0.1, seed=5)
    with failing(s3_server, s3, faults):
        for i in range(PAGE + 2):
            storage.write(f"{bucket}/photos/{i:02d}.bin", CONTENT + bytes([i]))
        pq.write_table(table, buffer := io.BytesIO())
        storage.write(f"{bucket}/table.parquet", buffer.getvalue())
        assert storage.is_folder(f"{bucket}/photos")
        assert not storage.exists(f"{bucket}/photos/99.bin")
        expected = [f"{i:02d}.bin" for i in range(PAGE + 2)]
        for found in (storage.find(f"{bucket}/photos"), storage.match(f"{bucket}/*/*.bin")):
            assert [entry.name.split("/")[-1] for entry in found] == expected
        for i, entry in enumerate(storage.children(f"{bucket}/photos")):
            assert storage.read(entry.path) == CONTENT + bytes([i])
        assert storage.read_range(f"{bucket}/photos/00.bin", 100, 7) == CONTENT[100:107]
        with storage.open_file(f"{bucket}/table.parquet") as file:
            assert pq.read_table(file).equals(table)
        storage.remove(f"{bucket}/photos")
        assert names(storage.find(bucket)) == ["table.parquet"]
    assert min(faults.seen[kind] for kind in ("slow_down", "no_answer", "cut_body")) >= 2, faults.seen


def test_a_file_that_is_cut_is_read_again(bucket: str, s3_server: S3, s3: Connect) -> None:
    content = np.random.default_rng(0).bytes(1 << 20)
    storage.write(f"{bucket}/a", content)
    for call in (
        storage.read,
        lambda path: storage.read_range(path, 0, 1 << 20),
        lambda p: storage.open_file(p).read(),
    ):
        with failing(s3_server, s3, faults := Faults(cut_body=1.0, limit=2)):
            assert call(f"{bucket}/a") == content
        assert faults.seen["cut_body"] == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["slow_down", "no_answer", "forbidden"])
def test_a_store_that_fails_is_never_an_empty_one(filled: str, s3_server: S3, s3: Connect, kind: str) -> None:
    with failing(s3_server, s3, Faults(**{kind: 1.0})):
        for name, call in OPERATIONS.items():
            with pytest.raises(OSError, match=f"^{filled}") as caught:
                call(filled)
            assert not isinstance(caught.value, FileNotFoundError), name
            assert isinstance(caught.value, PermissionError) == (kind == "forbidden"), name
            assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("pattern", ["*/*.bin", "*/*/*.bin", "**/*.bin"])
def test_a_match_is_whole_or_an_error(filled: str, s3_server: S3, s3: Connect, pattern: str) -> None:
    whole = names(storage.match(f"{filled}/{pattern}"))
    assert whole
    for after in range(12):  # one request after the other is the one that fails
        with failing(s3_server, s3, faults := Faults(slow_down=1.0, after=after)):
            try:
                assert names(storage.match(f"{filled}/{pattern}")) == whole
                break
            except OSError:
                assert faults.seen["slow_down"]
    assert after >= 3


def test_what_will_not_change_is_asked_once(filled: str, s3_server: S3, s3: Connect) -> None:
    for faults, call, kind in (
        (Faults(), lambda: storage.read(f"{filled}/none.bin"), FileNotFoundError),
        (Faults(), lambda: storage.read("s3://no-such-bucket/a.bin"), FileNotFoundError),
        (Faults(forbidden=1.0), lambda: storage.read(f"{filled}/a.bin"), PermissionError),
        (Faults(forbidden=1.0), lambda: storage.write(f"{filled}/a.bin", b""), PermissionError),
    ):
        with failing(s3_server, s3, faults), pytest.raises(kind):
            call()
        assert faults.seen.total() <= 2  # a file of that name, a folder of that name


def test_patience_ends(filled: str, s3_server: S3, s3: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_RETRY_SECONDS", 2.0)
    monkeypatch.setattr(stores, "_ATTEMPTS", 2)
    started = time.monotonic()
    with (
        failing(s3_server, s3, faults := Faults(slow_down=1.0)),
        pytest.raises(OSError, match=r"/a\.bin: .*reduce your request rate"),
    ):
        storage.read_range(f"{filled}/a.bin", 0, 5)
    assert time.monotonic() - started < 10
    assert 4 <= faults.seen["slow_down"] < 20  # botocore and we ask again, s3fs does not between us


def test_what_cannot_be_removed_is_said(filled: str, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> list[str]:  # S3 answers 200 with an error per key, s3fs ignores them
        return []

    monkeypatch.setattr(s3fs.S3FileSystem, "_bulk_delete", refuse)
    with pytest.raises(OSError, match=f"^{filled}/below: 2 files in it could not be removed"):
        storage.remove(f"{filled}/below")


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_where_nobody_listens(s3: Connect) -> None:
    s3("http://127.0.0.1:9")  # the port of the discard service, on which no server listens
    with pytest.raises(OSError, match=r"^s3://bucket/a: .*connect to the endpoint"):
        storage.read("s3://bucket/a")
    with pytest.raises(OutputError, match="OUTPUT s3://bucket/out cannot be written"):
        storage.check_writable("s3://bucket/out")


def test_what_a_store_says_is_one_line_without_passwords() -> None:
    error = retry.failure("s3://bucket/a", RuntimeError("no way\nto https://ada:pa55word@host/x"))
    assert str(error) == "s3://bucket/a: no way to https://host/x"


def test_credentials_that_are_missing_or_wrong(filled: str, s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server.asking_for_credentials(), pytest.raises(PermissionError, match=f"^{filled}/a.bin: ") as caught:
        storage.read(f"{filled}/a.bin")
    assert SECRET not in str(caught.value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3fs.S3FileSystem.clear_instance_cache()
    started = time.monotonic()
    with pytest.raises(OSError, match=f"^{filled}/a.bin: .*credentials"):
        storage.read(f"{filled}/a.bin")
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["slow_down", "no_answer", "forbidden"])
def test_an_http_server_that_fails_is_never_an_empty_one(filled: str, s3_server: S3, kind: str) -> None:
    with faulty_proxy(s3_server.host, Faults(**{kind: 1.0})) as proxy:
        url = f"{proxy}/{filled.removeprefix('s3://')}"
        for name in ("read", "read_range", "open_file", "exists"):
            with pytest.raises(OSError, match=f"^{url}/a.bin: ") as caught:
                OPERATIONS[name](url)
            assert not isinstance(caught.value, FileNotFoundError), name
