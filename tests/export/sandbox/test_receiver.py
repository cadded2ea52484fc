"""Starting, stopping, and what the receiver keeps to itself."""

import ast
import http.client
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

import workbench.export.sandbox
from workbench.export.sandbox import Receiver

Serve = Callable[..., Receiver]


def loopback_has_ipv6() -> bool:
    """Say whether this machine can listen on ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not loopback_has_ipv6(), reason="no IPv6 loopback here")

FOREGROUND = """
import sys
from pathlib import Path
from workbench.export.sandbox import Receiver
receiver = Receiver(Path(sys.argv[1]), key="key", secret="secret")
receiver.serve_forever(lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


def test_the_address_is_that_of_the_api(serve: Serve) -> None:
    """The base address ends where the API's does."""
    receiver = serve()
    assert receiver.url.startswith("http://127.0.0.1:")
    assert receiver.url.endswith("/v2")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "", "example.com", "127.0.0.1."])
def test_only_loopback_is_served(tmp_path: Path, host: str) -> None:
    """Any other host is refused with the reason."""
    with pytest.raises(ValueError, match="is not a loopback address: the receiver stores"):
        Receiver(tmp_path, key="key", secret="secret", host=host)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "http://localhost:"),
        ("127.0.0.1", "http://127.0.0.1:"),
        pytest.param("::1", "http://[::1]:", marks=needs_ipv6),
    ],
)
def test_each_loopback_name_is_served(
    serve: Serve, client: requests.Session, batch: dict[str, Any], host: str, address: str
) -> None:
    """The address names the host that was asked for."""
    receiver = serve(host=host)
    assert receiver.url.startswith(address)
    assert client.post(f"{receiver.url}/events", json=batch).status_code == 202


def test_neither_key_nor_secret_is_shown(tmp_path: Path) -> None:
    """The text of a receiver names its directory only."""
    receiver = Receiver(tmp_path / "d", key="the-key", secret="the-secret")
    assert repr(receiver) == f"Receiver(directory='{tmp_path / 'd'}', url=None)"


def test_nothing_is_logged_of_a_request(
    serve: Serve, client: requests.Session, batch: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Good, refused and dropped requests leave no line of tornado's."""
    caplog.set_level(logging.DEBUG, logger="tornado")
    receiver = serve("503, drop-after, reset")
    client.post(f"{receiver.url}/events", json=batch)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            client.post(f"{receiver.url}/events", json=batch)
    client.post(f"{receiver.url}/events", json=batch, auth=("key", "wrong"))
    assert [record for record in caplog.records if record.name.startswith("tornado")] == []


def test_a_stopped_receiver_has_no_address(serve: Serve, client: requests.Session) -> None:
    """Stopping twice is fine, and the port is free again."""
    receiver = serve()
    url = receiver.url
    receiver.stop()
    receiver.stop()
    with pytest.raises(RuntimeError, match="does not serve"):
        _ = receiver.url
    with pytest.raises(requests.ConnectionError):
        client.get(url)


def test_a_receiver_serves_again_after_it_stopped(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """The same object can be entered a second time, not twice at once."""
    receiver = serve()
    with pytest.raises(RuntimeError, match="serves already"), receiver:
        pass
    receiver.stop()
    with receiver:
        assert client.post(f"{receiver.url}/events", json=batch).status_code == 202


def test_a_taken_port_is_an_error_of_the_caller(serve: Serve) -> None:
    """The thread's failure is raised where the receiver was entered."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serve(port=taken.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_foreground_stops_on_a_signal(
    client: requests.Session, batch: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    """Served in the foreground it tells its address, takes batches, and ends cleanly."""
    command = [sys.executable, "-W", "error", "-c", FOREGROUND, str(tmp_path)]
    batch["events"][0]["data"].pop("timestamp_unixtime_ms")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = server.stdout.readline().decode().strip()
        assert client.post(f"{url}/events", json=batch, timeout=10).status_code == 202
        server.send_signal(number)
        output, errors = server.communicate(timeout=10)
    assert (output, errors, server.returncode) == (b"stopped\n", b"", 0)


def test_connections_are_kept_alive(serve: Serve) -> None:
    """One HTTP/1.1 connection carries refused, good and scripted answers."""
    address = serve("503, ok, 204").url.removeprefix("http://").removesuffix("/v2")
    with closing(http.client.HTTPConnection(address, timeout=5)) as connection:
        connection.connect()
        connection.auto_open = 0
        seen = []
        for _ in range(4):
            connection.request("POST", "/v2/events", b"{}")
            response = connection.getresponse()
            response.read()
            seen.append((response.status, response.version))
    assert seen == [(503, 11), (401, 11), (204, 11), (401, 11)]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/events"), ("PUT", "/v2/bulkevents")])
def test_only_post_carries_batches(serve: Serve, client: requests.Session, method: str, path: str) -> None:
    """Another method is 405."""
    receiver = serve()
    root = receiver.url.removesuffix("/v2")
    assert client.request(method, root + path).status_code == 405


def test_an_unknown_path_is_not_found(serve: Serve, client: requests.Session) -> None:
    """The historical path and all others are 404: campaigns do not use them."""
    receiver = serve()
    response = client.post(f"{receiver.url}/bulkevents/historical", json=[])
    assert response.status_code == 404


def test_the_package_imports_nothing_else_of_the_workbench() -> None:
    """Its rules are its own."""
    allowed = {"tornado", "fastjsonschema", "workbench.export.sandbox", *sys.stdlib_module_names}
    package = Path(workbench.export.sandbox.__file__).parent
    for path in package.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            for name in names:
                known = name.startswith("workbench.export.sandbox") or name.split(".")[0] in allowed
                assert known, f"{path.name} imports {name}"


def test_the_public_names_are_pinned() -> None:
    """What other packages may use."""
    assert workbench.export.sandbox.__all__ == [
        "Answer",
        "DroppedBatch",
        "Receiver",
        "Report",
        "RequestLine",
        "accepted",
        "attributes",
        "parse_answers",
        "report",
        "reset",
        "texts",
    ]
