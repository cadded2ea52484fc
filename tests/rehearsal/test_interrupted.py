"""Ctrl-C and SIGTERM in the middle of a rehearsal: no folder, no process, no file of the account is left or changed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from accounts import Account

ROOT = Path(__file__).parents[2]


def until(found: Callable[[], bool]) -> None:
    """Look again and again, for a minute."""
    for _ in range(1200):
        if found():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def copies(folder: Path, name: str) -> bool:
    """Whether a send of that name has begun: its receiver has its file."""
    return bool(list(folder.glob(f"workbench-rehearsal-*/{name}-receiver/*")))


@pytest.mark.parametrize(
    ("number", "name", "code"),
    [(signal.SIGINT, "none", 130), (signal.SIGTERM, "none", 143), (signal.SIGINT, "late-202", 130)],
)
def test_nothing_is_left(shop: Account, tmp_path: Path, number: int, name: str, code: int) -> None:
    """While a process of its own sends, and while this one does."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    kill = "some" if name == "none" else "none"
    command = ["rehearse", "hello", "--as-of", "2026-07-01T12:00:00Z", "--fault", "late-202", "--kill", kill]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", *command, "-c", str(shop.config)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: copies(temporary, name))
    if name == "none":
        until(lambda: bool(psutil.Process(process.pid).children()))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []
    assert not [child for child in children if child.is_running()]
    assert shop.workspace.ledger.newest() == []
