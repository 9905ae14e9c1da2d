"""An S3 server for tests on this machine, and a proxy to it that fails as real networks do."""

from __future__ import annotations

import http.client
import os
import random
import re
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
import pytest
import s3fs

from colorize_core import storage

KEY, SECRET = "AKIATESTTESTTESTTEST", "s3cr3t/of+the/tests/that/nobody/may/print"
CONTENT = bytes(range(256)) * 12
PAGE = 5  # keys in one answer; a thousand elsewhere
_REFUSALS = {
    "slow_down": (503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"),
    "forbidden": (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
}


@dataclass
class Faults:
    """The faults of a proxy: the fraction of requests, in [0, 1], that end with each.

    Attributes:
        slow_down: fraction answered by 503.
        no_answer: fraction carried out, but not answered.
        cut_body: fraction answered with half the body.
        forbidden: fraction answered by 403.
        after: number of requests that succeed before the first fault.
        limit: number of faults after which all requests succeed.
        seed: seed of the random generator.
        seen: number of requests by their end.
        sent: bytes of bodies that were sent.
    """

    slow_down: float = 0.0
    no_answer: float = 0.0
    cut_body: float = 0.0
    forbidden: float = 0.0
    after: int = 0
    limit: int = 1_000_000_000
    seed: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311
        self._lock = threading.Lock()

    def next(self, method: str) -> str:
        """Returns the end of the next request: the name of a fault, or 'ok'."""
        kinds = ("slow_down", "no_answer", "forbidden", *(["cut_body"] if method == "GET" else []))
        with self._lock:
            [kind] = self._random.choices(
                [*kinds, "ok"], [*(rates := [getattr(self, k) for k in kinds]), 1 - sum(rates)]
            )
            if self.seen["ok"] < self.after or self.seen.total() - self.seen["ok"] >= self.limit:
                kind = "ok"
            self.seen[kind] += 1
            return kind


@contextmanager
def faulty_proxy(target: str, faults: Faults) -> Iterator[str]:
    """Passes requests on to ``host:port``, some with a fault. Yields the URL of the proxy."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind = faults.next(self.command)
            if kind in _REFUSALS:
                status, words = _REFUSALS[kind]
                self._answer(status, [("Content-Type", "application/xml")], words)
                return
            connection = http.client.HTTPConnection(target, timeout=30)
            try:
                connection.request(self.command, self.path, content, dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
            if kind == "no_answer":
                self.close_connection = True
                return
            hidden = ("connection", "content-length", "date", "server", "transfer-encoding")
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in hidden]
            length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            self._answer(answer.status, headers, body, length, cut=kind == "cut_body")

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = _pass_on  # noqa: N815

        def _answer(
            self, status: int, headers: list[tuple[str, str]], body: bytes, length: str = "", cut: bool = False
        ) -> None:
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", length or str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                faults.sent += len(body)
                self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = self.close_connection or cut

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may go away
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class S3:
    """A running server."""

    url: str

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def environment(self, endpoint: str = "") -> dict[str, str]:
        """Returns variables that make every S3 client use this server or endpoint, and no settings of the user."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> object:
        """Returns a client that shares nothing with fsspec."""
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    @contextmanager
    def asking_for_credentials(self) -> Iterator[None]:
        """Makes the server refuse all keys within the block."""
        self._set_free_requests(b"0")
        try:
            yield
        finally:
            self._set_free_requests(b"inf")

    def _set_free_requests(self, number: bytes) -> None:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("POST", "/moto-api/reset-auth", number)
        assert connection.getresponse().status == 200
        connection.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """Yields a server in a child process, since moto changes botocore in the process that imports it."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        found = next((m for line in process.stderr if (m := re.search(r"http://127\.0\.0\.1:\d+", line))), None)
        assert found, f"moto.server did not start: {process.poll()}"
        threading.Thread(target=process.stderr.read, daemon=True).start()  # its log must not fill the pipe
        yield S3(found[0])
        process.terminate()


Connect = Callable[..., None]


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Points this process at an endpoint: the server, until it is called with another one."""

    def connect(endpoint: str = "") -> None:
        for name, value in s3_server.environment(endpoint).items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # a client keeps the endpoint that it was made with

    connect()
    yield connect
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(s3_server: S3, s3: Connect) -> str:
    """Returns the URL of an empty bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3_server.client().create_bucket(Bucket=name)  # type: ignore[attr-defined]
    return f"s3://{name}"


@pytest.fixture
def filled(bucket: str) -> str:
    """Returns the URL of a bucket with a few files in two folders."""
    for name in ("a.bin", "b.bin", "below/c.bin", "below/2/d.bin"):
        storage.write(f"{bucket}/{name}", CONTENT)
    return bucket


@contextmanager
def failing(server: S3, connect: Connect, faults: Faults) -> Iterator[str]:
    """Connects this process to the server through a proxy with faults, within the block."""
    with faulty_proxy(server.host, faults) as proxy:
        connect(proxy)
        yield proxy
        connect()


def names(entries: Iterable[storage.Entry]) -> list[str]:
    return [entry.name for entry in entries]
