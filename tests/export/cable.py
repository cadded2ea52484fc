"""A cable between a process and its database, which can go dead without either end being told."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Cable:
    """Forwards connections to a server on loopback until it is silent; cut, the process is told."""

    def __init__(self, port: int) -> None:
        """Keep the server's port."""
        self._to = port
        self._silent = threading.Event()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._listen)
        return self

    def __exit__(self, *error: object) -> None:
        """Cut it."""
        self.cut()

    @property
    def port(self) -> int:
        """The port to connect to."""
        return int(self._listener.getsockname()[1])

    def silence(self) -> None:
        """From now on nothing arrives at either end, the end of a connection neither."""
        self._silent.set()

    def cut(self) -> None:
        """End every connection."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += near, far
                self._start(self._carry, near, far)
                self._start(self._carry, far, near)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._silent.is_set():
                    sink.sendall(data)
            if not self._silent.is_set():
                sink.shutdown(socket.SHUT_RDWR)
