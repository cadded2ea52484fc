"""The receiver: serves in the foreground, or in a thread as a context manager."""

import asyncio
import ipaddress
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tornado.httpserver import HTTPServer

from workbench.export.sandbox.answers import Answer
from workbench.export.sandbox.application import application
from workbench.export.sandbox.archive import Archive
from workbench.export.sandbox.gate import Gate
from workbench.export.sandbox.intake import Intake
from workbench.export.sandbox.pace import Pace

LARGEST_READ = 32_000_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Receiver:
    """A loopback server that takes campaign batches as mParticle's Events API does.

    `answers` are played to the first requests, one each; then it answers as usual.
    """

    def __init__(
        self,
        directory: Path,
        *,
        key: str,
        secret: str,
        host: str = "127.0.0.1",
        port: int = 0,
        answers: Iterable[Answer] = (),
        rate_limit: int | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Prepare the receiver, and its file in the directory; `port=0` takes a free port.

        Raises:
            ValueError: The host is not a loopback address, or the key, secret or rate is unusable.
        """
        _require_loopback(host)
        self._directory = directory
        self._gate = Gate(key, secret)
        self._host = host
        self._port = port
        self._script = deque(answers)
        self._pace = None if rate_limit is None else Pace(rate_limit)
        self._now = now
        self._url: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        Archive(directory).close()

    def __repr__(self) -> str:
        """Name where it serves and stores, and nothing secret."""
        return f"Receiver(directory={str(self._directory)!r}, url={self._url!r})"

    @property
    def url(self) -> str:
        """Give the base address, such as `http://127.0.0.1:41234/v2`.

        Raises:
            RuntimeError: The receiver does not serve.
        """
        if self._url is None:
            message = "the receiver does not serve, so it has no address"
            raise RuntimeError(message)
        return self._url

    def play(self, answers: Iterable[Answer]) -> None:
        """Add answers to the end of the script."""
        self._script.extend(answers)

    def serve_forever(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serve in this thread until SIGTERM, SIGINT or `stop`; `on_ready` gets the address."""
        asyncio.run(self._serve(on_ready or _ignore))

    def stop(self) -> None:
        """Stop serving and wait for the thread; a receiver that does not serve stays as it is."""
        if self._loop and self._stopping and self._url:
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        """Serve in a thread; returns when requests are taken."""
        if self._thread:
            message = "the receiver serves already"
            raise RuntimeError(message)
        ready = threading.Event()
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                self.serve_forever(lambda _: ready.set())
            except BaseException as error:
                failures.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=serve, name="sandbox-receiver", daemon=True)
        self._thread.start()
        ready.wait()
        if failures:
            self._thread.join()
            self._thread = None
            raise failures[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self.stop()

    async def _serve(self, on_ready: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        with closing(Archive(self._directory)) as archive:
            intake = Intake(
                archive=archive,
                gate=self._gate,
                script=self._script,
                pace=self._pace,
                now=self._now,
            )
            app = application(intake, self._directory, self._stopping)
            server = HTTPServer(app, max_buffer_size=LARGEST_READ)
            listening = _listen(self._host, self._port)
            server.add_socket(listening)
            self._url = f"http://{_authority(self._host, listening.getsockname()[1])}/v2"
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGTERM, signal.SIGINT):
                    self._loop.add_signal_handler(number, self._stopping.set)
            try:
                on_ready(self._url)
                await self._stopping.wait()
            finally:
                self._url = None
                server.stop()
                await server.close_all_connections()


def _require_loopback(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        message = (
            f'host "{host}" is not a loopback address: the receiver stores personal data and'
            ' serves this machine only. Use "127.0.0.1"'
        )
        raise ValueError(message)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=128)
    listening.settimeout(0)
    return listening


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ignore(_: str) -> None:
    """Tell nobody the address."""
