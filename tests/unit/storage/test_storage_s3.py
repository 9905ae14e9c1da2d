"""Storage on an S3 server; see ``test_storage`` and ``test_listing`` for what all stores do."""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from colorize_core import storage
from tests.support.s3_server import CONTENT, PAGE, S3, Connect, Faults, failing, faulty_proxy, names


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


def test_a_file_from_the_disk_is_uploaded_in_parts(bucket: str, s3_server: S3) -> None:
    content = np.random.default_rng(0).bytes(101 << 20)  # above 100 MB s3fs sends 50 MB at a time
    held = storage.SpilledFile()
    held.file.write(content)
    for _ in range(2):  # as after a failure
        storage.write(f"{bucket}/large.tif", held)
        assert storage.read(f"{bucket}/large.tif") == content
    found = s3_server.client().head_object(Bucket=bucket.removeprefix("s3://"), Key="large.tif")
    assert found["ETag"].endswith('-3"')


def test_a_listing_has_all_its_pages(bucket: str) -> None:
    expected = [f"{i:02d}.jpg" for i in range(2 * PAGE + 3)]
    for name in expected:
        storage.write(f"{bucket}/{name}", b"x")
        storage.write(f"{bucket}/below/{name}", b"x")
    assert names(storage.children(bucket)) == names(storage.match(f"{bucket}/*.jpg")) == expected
    assert names(storage.find(bucket)) == [*expected, *(f"below/{name}" for name in expected)]
    storage.remove(f"{bucket}/below")
    assert names(storage.find(bucket)) == expected


@pytest.mark.parametrize(
    "name", ["a b.jpg", "ä+%20.jpg", "x#y&z.jpg", "q?.jpg", "[1].jpg", "a@b:c.jpg", "-.jpg", "a::b.jpg"]
)
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


def test_a_read_is_one_request(filled: str, s3_server: S3, s3: Connect) -> None:
    with failing(s3_server, s3, faults := Faults()):
        storage.read(f"{filled}/a.bin")
    assert faults.seen.total() == 1


def test_remove_of_nothing_is_an_error(bucket: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"^{bucket}/none: "):
        storage.remove(f"{bucket}/none")


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
