"""A connection of one worker: kept alive, followed nowhere, and cut when an attempt takes too long."""

import socket
import threading
import time
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

LOOK = 0.1


class Watch:
    """Cuts connections whose attempt is over its time, in a thread of its own."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._wires: set[Wire] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, wire: "Wire") -> None:
        """Look at a wire from now on."""
        with self._lock:
            self._wires.add(wire)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
                self._thread.start()

    def remove(self, wire: "Wire") -> None:
        """Look at a wire no more."""
        with self._lock:
            self._wires.discard(wire)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._ended.clear()

    def _look(self) -> None:
        while not self._ended.wait(LOOK):
            now = time.monotonic()
            with self._lock:
                for wire in self._wires:
                    wire.cut_after(now)


class Wire(requests.Session):
    """A session of one thread. A time-out of ``requests`` is between two bytes; ``deadline`` is for all of them."""

    def __init__(self, url: str, auth: tuple[str, str]) -> None:
        """Take proxies and certificates from the environment once, and no cookie ever."""
        super().__init__()
        self.auth = auth
        self.headers.update({"Content-Type": "application/json", "Accept-Encoding": "identity"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        found = self.merge_environment_settings(url, {}, None, None, None)
        self.proxies, self.verify, self.trust_env = found["proxies"], found["verify"], False
        adapter = _Adapter(self)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._is_left = False
        self._deadline: float | None = None

    def begin(self, seconds: float) -> None:
        """Let the attempt that begins now take so long."""
        with self._lock:
            self._deadline = time.monotonic() + seconds

    def end(self) -> None:
        """The attempt is over."""
        with self._lock:
            self._deadline = None
            if self._is_left:
                self._drop()

    def cut_after(self, now: float) -> None:
        """Cut the connection if its attempt is over its time; whoever reads from it is told at once."""
        with self._lock:
            if self._deadline is not None and now >= self._deadline and self._handle is not None:
                with suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: looking for it would read the whole body."""

    def hold(self, handle: socket.socket) -> None:
        """Keep a second handle of the connection's socket, which stays the same under TLS."""
        with self._lock:
            self._drop()
            self._handle = handle

    def leave(self) -> None:
        """Let go of a closed connection, of one that still brings an answer when the attempt is over."""
        with self._lock:
            self._is_left = True
            if self._deadline is None:
                self._drop()

    def _drop(self) -> None:
        if self._handle is not None:
            self._handle.close()
        self._handle, self._is_left = None, False


class _Adapter(HTTPAdapter):
    """Tells the wire about the socket of every connection that it opens."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=1, pool_maxsize=1)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        if not hasattr(pool.ConnectionCls, "wire"):
            pool.ConnectionCls = _told(pool.ConnectionCls, self._wire)
        return pool


def _told(kind: Any, line: Wire) -> Any:
    class Told(kind):  # type: ignore[misc]
        wire = line

        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            line.hold(opened.dup())
            return opened

        def close(self) -> None:
            line.leave()
            super().close()

    return Told
