"""A proxy on loopback that drops its connections to a server on demand, as networks and restarted servers do."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class DroppingProxy:
    """A proxy that passes bytes on in both directions until it drops its connections.

    Attributes:
        address: where it listens, as ``http://127.0.0.1:40000``.
        requests: the first line of each connection.
        is_down: new connections are dropped at once.
        is_mute: bytes are accepted and not passed on, as if a router had forgotten the connection.
    """

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[str] = []
        self.is_down = self.is_mute = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> int:
        """Resets all open connections; returns their number."""
        with self._lock:
            dropped, self._open = self._open, set()
        for each in dropped:
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        return len(dropped)

    def close(self) -> None:
        """Stops listening, and resets all open connections."""
        self.is_down = True
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:  # closed
                return
            if self.is_down:
                caller.close()
                continue
            server = socket.create_connection(self._server)
            with self._lock:
                self._open |= {caller, server}
            threading.Thread(target=self._pass_on, args=(caller, server, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, caller, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with suppress(OSError):
            while content := source.recv(1 << 16):
                if is_request:
                    self.requests.append(content.split(b"\r\n")[0].decode(errors="replace"))
                    is_request = False
                if not self.is_mute:
                    target.sendall(content)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def before(server: str) -> Iterator[DroppingProxy]:
    """Yields a proxy to the server of this URL."""
    proxy = DroppingProxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
