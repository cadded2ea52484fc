"""A connection of one worker: kept alive, followed nowhere, and cut when an attempt takes too long."""

import socket
import threading
import time
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse

from workbench.errors import SettingsError
from workbench.settings import LOOPBACK

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


class Wire:
    """A connection of one thread: one request, prepared once, that is sent with body after body.

    A time-out of ``requests`` is between two bytes; ``deadline`` is for all of them. The adapter neither follows
    a redirect nor keeps a cookie.
    """

    def __init__(self, url: str, auth: tuple[str, str]) -> None:
        """Take proxies and certificates from the environment once; this machine is reached without a proxy.

        Raises:
            SettingsError: no connection can be made with them; what they say is not shown.
        """
        session = requests.Session()
        self._adapter = _Adapter(self)
        try:
            found = session.merge_environment_settings(url, {}, None, None, None)
            session.trust_env = False
            session.headers.clear()
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            self._request = session.prepare_request(requests.Request("POST", url, headers, auth=auth))
            self._proxies = {} if urlsplit(url).hostname in LOOPBACK else found["proxies"]
            self._verify = True if found["verify"] is None else found["verify"]
            self._adapter.prepare(self._request, verify=self._verify, proxies=self._proxies)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"the receiver cannot be asked ({type(error).__name__}): look at its address, and at the proxy "
                "(HTTPS_PROXY) and the certificates (REQUESTS_CA_BUNDLE) of the environment"
            ) from None
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._is_left = False
        self._deadline: float | None = None

    def post(self, body: bytes, timeout: tuple[float, float]) -> BaseHTTPResponse:
        """Send a body and return the beginning of the answer.

        Args:
            body: as it is sent.
            timeout: for the connection, and between two bytes of the answer.
        """
        self._request.body = body
        self._request.headers["Content-Length"] = str(len(body))
        answer: Any = self._adapter.send(
            self._request, stream=True, timeout=timeout, verify=self._verify, proxies=self._proxies
        )
        return cast("BaseHTTPResponse", answer)

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()

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
    """Has one address only, and tells the wire about the socket of every connection that it opens."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._pool: Any = None
        self._target: str | None = None
        super().__init__(pool_connections=1, pool_maxsize=1)

    def prepare(self, request: requests.PreparedRequest, *, verify: bool | str, proxies: Any) -> None:
        """Take the proxy and the certificates as every request does; nothing is opened yet."""
        pool = self.get_connection_with_tls_context(request, verify, proxies=proxies)
        self.cert_verify(pool, request.url, verify, None)  # type: ignore[no-untyped-call]
        self.request_url(request, proxies)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
            self._pool.ConnectionCls = _told(self._pool.ConnectionCls, self._wire)
        return self._pool

    def request_url(self, *args: Any) -> str:
        if self._target is None:
            self._target = super().request_url(*args)
        return self._target

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        """The answer as it comes: what ``requests`` makes of it, with cookies and encodings, is read by nobody."""
        return resp

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        self._pool = None
        super().close()


def _told(kind: Any, line: Wire) -> Any:
    class Told(kind):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            line.hold(opened.dup())
            return opened

        def close(self) -> None:
            line.leave()
            super().close()

    return Told
