"""Storage before an S3 server, and before one behind a network that fails; ``test_storage`` has what all stores do."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from s3_server import PAGE, S3, SECRET, Connect, Faults, faulty_proxy

from colorize_core import storage
from colorize_core.errors import OutputError
from colorize_core.storage import patience, stores

CONTENT = bytes(range(256)) * 12
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
    "find": lambda url: list(storage.find(url)),
    "children": lambda url: list(storage.children(url)),
    "folders": storage.folders,
    "match": lambda url: list(storage.match(f"{url}/*.bin")),
    "match below": lambda url: list(storage.match(f"{url}/*/*.bin")),
    "match anywhere": lambda url: list(storage.match(f"{url}/**/*.bin")),
}


@contextmanager
def failing(server: S3, connect: Connect, faults: Faults) -> Iterator[str]:
    """This process sees the server through a proxy."""
    with faulty_proxy(server.host, faults) as proxy:
        connect(proxy)
        yield proxy
        connect()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would go on for half a minute ends at once."""
    monkeypatch.setattr(patience, "_PATIENCE", 0.0)
    monkeypatch.setattr(patience, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(stores, "_ATTEMPTS", 1)


@pytest.fixture
def filled(bucket: str) -> str:
    """A bucket with a few files in two folders."""
    for name in ("a.bin", "b.bin", "below/c.bin", "below/2/d.bin"):
        storage.write(f"{bucket}/{name}", CONTENT)
    return bucket


def names(entries: Iterator[storage.Entry]) -> list[str]:
    return [entry.name for entry in entries]


def test_what_others_do_is_seen_at_once(bucket: str, s3_server: S3) -> None:
    client, name = s3_server.client(), bucket.removeprefix("s3://")

    def look() -> tuple[object, ...]:
        folder = f"{bucket}/in"
        facts = (storage.exists(f"{folder}/a.jpg"), storage.is_folder(folder), storage.is_empty(folder))
        return (
            *facts,
            *(names(found) for found in (storage.find(folder), storage.children(folder))),
            storage.folders(bucket),
            names(storage.match(f"{folder}/*.jpg")),
        )

    nothing = (False, False, True, [], [], [], [])
    for _ in range(2):
        assert look() == nothing
        client.put_object(Bucket=name, Key="in/a.jpg", Body=b"1")
        assert look() == (True, True, False, ["a.jpg"], ["a.jpg"], ["in"], ["a.jpg"])
        [old] = storage.find(bucket)
        client.put_object(Bucket=name, Key="in/a.jpg", Body=b"22")
        assert storage.read(f"{bucket}/in/a.jpg") == b"22"
        [new] = storage.match(f"{bucket}/in/a.jpg")
        assert (old.size, new.size) == (1, 2)
        assert old.stamp != new.stamp
        client.delete_object(Bucket=name, Key="in/a.jpg")


def test_a_listing_has_all_its_pages(bucket: str) -> None:
    expected = [f"{i:02d}.jpg" for i in range(2 * PAGE + 3)]
    for name in expected:
        storage.write(f"{bucket}/{name}", b"x")
        storage.write(f"{bucket}/below/{name}", b"x")
    assert names(storage.children(bucket)) == names(storage.match(f"{bucket}/*.jpg")) == expected
    assert names(storage.find(bucket)) == [*expected, *(f"below/{name}" for name in expected)]
    storage.remove(f"{bucket}/below")
    assert names(storage.find(bucket)) == expected


@pytest.mark.parametrize("name", ["a b.jpg", "ä+%20.jpg", "x#y&z.jpg", "q?.jpg", "[1].jpg", "a@b:c.jpg", "-.jpg"])
def test_names_go_in_and_come_out_the_same(bucket: str, name: str) -> None:
    storage.write(f"{bucket}/album/{name}", name.encode())
    [entry] = storage.find(bucket)
    assert (entry.name, storage.read(entry.path)) == (f"album/{name}", name.encode())
    assert names(storage.match(entry.path)) == [name]
    storage.remove(entry.path)
    assert storage.is_empty(bucket)


def test_an_object_that_stands_for_a_folder_is_no_file(bucket: str, s3_server: S3) -> None:
    s3_server.client().put_object(Bucket=bucket.removeprefix("s3://"), Key="album/", Body=b"")  # as web consoles do
    assert storage.is_folder(f"{bucket}/album")
    assert storage.is_empty(f"{bucket}/album")
    for found in (storage.find(bucket), storage.children(f"{bucket}/album"), storage.match(f"{bucket}/album/*")):
        assert names(found) == []
    storage.remove(f"{bucket}/album")
    assert not storage.exists(f"{bucket}/album")


def test_a_range_ends_where_the_file_does(bucket: str) -> None:
    storage.write(f"{bucket}/a", b"0123456789")
    storage.write(f"{bucket}/empty", b"")
    ranges = [(0, 3), (8, 5), (10, 5), (99, 1)]
    assert [storage.read_range(f"{bucket}/a", *each) for each in ranges] == [b"012", b"89", b"", b""]
    assert storage.read_range(f"{bucket}/empty", 0, 9) == storage.open_file(f"{bucket}/empty").read() == b""


def test_an_open_file_fetches_only_what_is_read(bucket: str, s3_server: S3, s3: Connect) -> None:
    content = np.random.default_rng(0).bytes(20 << 20)
    storage.write(f"{bucket}/a", content)
    with failing(s3_server, s3, faults := Faults()), storage.open_file(f"{bucket}/a") as file:
        file.seek(-1000, io.SEEK_END)
        assert file.read(10) == content[-1000:-990]
        file.seek(15 << 20)
        assert file.read(100) == content[15 << 20 :][:100]
        assert (file.tell(), file.seek(0), file.readline()) == (
            (15 << 20) + 100,
            0,
            content[: content.index(b"\n") + 1],
        )
    assert faults.sent < len(content)


def test_a_file_that_changes_while_it_is_open_is_not_mixed(bucket: str) -> None:
    path = f"{bucket}/a"
    storage.write(path, b"1" * (10 << 20))
    with storage.open_file(path) as file:
        assert file.read(5) == b"11111"
        storage.write(path, b"2" * (10 << 20))
        file.seek(9 << 20)
        with pytest.raises(OSError, match=f"^{path}: ") as caught:
            file.read(5)
    assert "\n" not in str(caught.value)


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


def test_a_read_is_one_request(filled: str, s3_server: S3, s3: Connect) -> None:
    with failing(s3_server, s3, faults := Faults()):
        storage.read(f"{filled}/a.bin")
    assert faults.seen.total() == 1


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
    monkeypatch.setattr(patience, "_PATIENCE", 2.0)
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


def test_remove_of_nothing_is_an_error(bucket: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"^{bucket}/none: "):
        storage.remove(f"{bucket}/none")


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_where_nobody_listens(s3: Connect) -> None:
    s3("http://127.0.0.1:9")  # discard: nobody has listened there for decades
    with pytest.raises(OSError, match=r"^s3://bucket/a: .*connect to the endpoint"):
        storage.read("s3://bucket/a")
    with pytest.raises(OutputError, match="OUTPUT s3://bucket/out cannot be written"):
        storage.check_writable("s3://bucket/out")


def test_what_a_store_says_is_one_line_without_passwords() -> None:
    error = patience.failure("s3://bucket/a", RuntimeError("no way\nto https://ada:pa55word@host/x"))
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


def test_threads_have_what_they_need(filled: str) -> None:
    barrier = threading.Barrier(8)

    def work(i: int) -> tuple[bytes, int]:
        barrier.wait(10)
        storage.write(f"{filled}/threads/{i}", CONTENT)
        return storage.read(f"{filled}/threads/{i}"), len(list(storage.find(f"{filled}/below")))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {(CONTENT, 2)}
    assert len(list(storage.children(f"{filled}/threads"))) == 8


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_has_what_it_needs(filled: str) -> None:
    assert storage.read(f"{filled}/a.bin") == CONTENT  # the parent's connection is open
    child = os.fork()
    if not child:
        try:
            good = storage.read(f"{filled}/a.bin") == CONTENT
            storage.write(f"{filled}/child.bin", b"x")
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert storage.read(f"{filled}/a.bin") == CONTENT
    assert storage.exists(f"{filled}/child.bin")


def test_http_gains_from_it_too(filled: str, s3_server: S3) -> None:
    faults = Faults(slow_down=0.15, no_answer=0.15, cut_body=0.15, seed=2)
    with faulty_proxy(s3_server.host, faults) as proxy:
        name = filled.removeprefix("s3://")
        s3_server.client().put_object_acl(Bucket=name, Key="a.bin", ACL="public-read")
        url = f"{proxy}/{name}"
        for _ in range(5):
            assert storage.exists(f"{url}/a.bin")
            assert not storage.exists(f"{url}/none.bin")
            assert storage.read(f"{url}/a.bin") == CONTENT
            assert storage.read_range(f"{url}/a.bin", 100, 7) == CONTENT[100:107]
            with storage.open_file(f"{url}/a.bin") as file:
                assert file.read() == CONTENT
    assert min(faults.seen[kind] for kind in ("slow_down", "no_answer", "cut_body")) >= 2, faults.seen


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["slow_down", "no_answer", "forbidden"])
def test_an_http_server_that_fails_is_never_an_empty_one(filled: str, s3_server: S3, kind: str) -> None:
    with faulty_proxy(s3_server.host, Faults(**{kind: 1.0})) as proxy:
        url = f"{proxy}/{filled.removeprefix('s3://')}"
        for name in ("read", "read_range", "open_file", "exists"):
            with pytest.raises(OSError, match=f"^{url}/a.bin: ") as caught:
                OPERATIONS[name](url)
            assert not isinstance(caught.value, FileNotFoundError), name
