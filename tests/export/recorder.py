"""A receiver that notes when what came over how many connections, and answers as a test says."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Reply = tuple[int, Mapping[str, str]]
ACCEPTED: Reply = (202, {})


@dataclass
class Recorder:
    """Answers request number ``n`` (from 1, by arrival) with ``answer(n)`` and ``content``, after ``seconds``."""

    answer: Callable[[int], Reply] = lambda number: ACCEPTED
    seconds: float = 0.0
    content: bytes = b""
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        """Serve in threads."""
        recorder, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with lock:
                    recorder.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    recorder.arrivals.append((time.monotonic(), hashlib.sha256(body).hexdigest()))
                    number = len(recorder.arrivals)
                status, headers = recorder.answer(number)
                time.sleep(recorder.seconds)
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(recorder.content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(recorder.content)

            def log_message(self, *args: Any) -> None:
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._server.server_port}/v2"

    @property
    def digests(self) -> list[str]:
        """The sha256 of what came, by arrival."""
        return [digest for _, digest in self.arrivals]
