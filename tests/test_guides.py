"""The guides are run as a reader would run them: their files are saved, their commands typed, in order."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.workspace import open_workspace

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w-]+\.(?:segment|campaign)\.yaml)`")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of one language, in order."""
    return [body for kind, body in BLOCK.findall(page) if kind == language]


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    """Whether somebody answers at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.network
def test_the_cdnow_guide_arrives(tmp_path: Path) -> None:
    """Nine commands from the package index to 1,000 accepted batches; all 69,659 purchases are there."""
    page = (DOCS / "guides" / "cdnow.md").read_text(encoding="utf-8")
    names = FILE.findall(page)[:2]
    for name, body in zip(names, blocks(page, "yaml"), strict=True):
        (tmp_path / name).write_text(body)
    commands = [line for block in blocks(page, "sh") for line in block.splitlines()]
    assert len(commands) == 9
    port = free_port()
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")},
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "WORKBENCH_MPARTICLE_URL": f"http://127.0.0.1:{port}/v2",
        "NO_COLOR": "1",
    }
    printed: list[str] = []
    server: subprocess.Popen[bytes] | None = None
    try:
        for command in commands:
            if command.endswith("&"):
                words = shlex.split(command.removesuffix("&").replace("8787", str(port)))
                server = subprocess.Popen(
                    words, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                deadline = time.monotonic() + 60
                while not listening(port) and time.monotonic() < deadline and server.poll() is None:
                    time.sleep(0.05)
                continue
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True,
                timeout=300, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            printed.append(done.stdout)
    finally:
        if server is not None:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
    said = "\n".join(printed)
    for block in blocks(page, "text"):
        for line in block.splitlines():
            assert line in said
    version = open_workspace(tmp_path / "workbench.toml").lake.at()
    assert (version.rows("events", own=False), version.rows("users")) == (69_659, 23_570)
    run = open_workspace(tmp_path / "workbench.toml").ledger.newest()[0]
    held_out = sum(row["users"] for row in run.verdicts if row["verdict"] == "holdout")
    assert version.rows("events") == 69_659 + held_out
    assert sum(row["users"] for row in run.verdicts) == run.qualified
    assert run.to_send == 1000
