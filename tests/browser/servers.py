"""Servers in processes of their own on loopback, stopped by their handles; and a page that is watched."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from accounts import Account
from playwright.sync_api import ConsoleMessage, Page, Request

ROOT = Path(__file__).parents[2]
TOKEN = "browser-test"


@dataclass
class Watched:
    """A page with what it asked for and complained about.

    Attributes:
        outside: requests to hosts other than this machine.
        errors: uncaught exceptions, and console errors.
    """

    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def requested(self, request: Request) -> None:
        """Keep requests that leave the machine."""
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob", "about"} and parts.hostname not in {"127.0.0.1", "localhost"}:
            self.outside.append(request.url)

    def logged(self, message: ConsoleMessage) -> None:
        """Keep console errors."""
        if message.type == "error":
            self.errors.append(message.text)


@contextmanager
def serving(
    arguments: tuple[str, ...], port_option: str, account: Account, folder: Path, ready: str
) -> Iterator[str]:
    """Run a server module in a process of its own until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    stack = ExitStack()
    runtime = stack.enter_context(TemporaryDirectory(prefix="wb-"))  # a socket's path has 107 characters
    environment = {
        **os.environ,
        "WORKBENCH_CONFIG": str(account.config),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(ROOT / "dashboards"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter-data"),
        "JUPYTER_PATH": str(ROOT / "dashboards" / "template"),
        "JUPYTER_RUNTIME_DIR": runtime,
        "IPYTHONDIR": str(folder / "ipython"),
    }
    log = folder / f"{arguments[0]}.log"
    with stack:
        output = stack.enter_context(log.open("w"))
        command = [sys.executable, "-m", *arguments, f"{port_option}={port}"]
        server = stack.enter_context(
            subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        )
        stack.callback(stop, server)
        wait_until(lambda: answers(url + ready), server, log)
        yield url


def stop(server: "subprocess.Popen[bytes]") -> None:
    """End a server that we started, with its kernels; by its own handle."""
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(20)
        return
    server.kill()


def wait_until(is_ready: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for a server's first answer; a server that ended shows its log."""
    deadline = time.monotonic() + 60
    while not is_ready():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} did not come up:\n{log.read_text()[-3000:]}")
        with suppress(subprocess.TimeoutExpired):
            server.wait(0.1)


def answers(url: str) -> bool:
    """Whether something answers at ``url``."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
