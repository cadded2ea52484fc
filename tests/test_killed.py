"""kill -9 at every step of the path, then resume: every user exactly once, nobody held out, and the record is true."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from accounts import NOW, Account
from fire import check

from workbench import runs
from workbench.export.ledger import RunState
from workbench.export.sandbox import Receiver

ROOT = Path(__file__).parents[1]
Kill = Callable[[Account, str, int], None]
POINTS = [
    *((f"{side} fsync", n) for side in ("before", "after") for n in (1, 2, 4, 6, 8)),
    ("before rename", 1), ("after rename", 1),
    *((f"{side} commit", n) for side in ("before", "after") for n in (1, 2, 3, 4, 5)),
    ("begin", 1), ("begin", 3),
    *((f"{side} {what}", n) for side in ("before", "after") for what in ("request", "answer") for n in (1, 3, 5)),
]  # fmt: skip


def killed(account: Account, point: str, ordinal: int) -> "subprocess.CompletedProcess[str]":
    """Send ``hello``, four requests at a time, in a process of its own that dies at a point."""
    settings = account.config.read_text(encoding="utf-8")
    account.config.write_text(settings.replace("in_flight = 1", "in_flight = 4"), encoding="utf-8")
    now = datetime.now(UTC)
    command = [
        "hello",
        NOW.isoformat(),
        NOW.isoformat(),
        now.isoformat(),
        f"{point} {ordinal}" if ordinal else "none",
    ]
    return subprocess.run(
        [sys.executable, "-m", "workbench.rehearsal.child", str(account.config), *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def kill(receiver: Receiver, tmp_path: Path) -> Kill:
    """Kill a process at a point, send again as a scheduler does: to whom is left; then look at all of it."""

    def call(account: Account, point: str, ordinal: int) -> None:
        assert killed(account, point, ordinal).returncode == -9
        receipt = runs.execute(account.workspace, runs.plan(account.workspace, "hello", as_of=NOW))
        assert receipt.run.state is RunState.COMPLETED
        check(account, tmp_path / "sandbox")

    return call


def test_the_points_are_on_the_path(shop: Account, receiver: Receiver) -> None:
    """Each point that a process is killed at is reached by one that is not."""
    found = killed(shop, "none", 0)
    assert found.returncode == 0, found.stderr
    seen = json.loads(found.stdout.splitlines()[-1])
    assert [point for point in POINTS if seen.get(point[0], 0) < point[1]] == []


@pytest.mark.parametrize(("point", "ordinal"), [("after commit", 2), ("after request", 3)])
def test_killed_on_the_way(shop: Account, kill: Kill, point: str, ordinal: int) -> None:
    """Two of the points, in every test run; all of them are among the long tests."""
    kill(shop, point, ordinal)


@pytest.mark.long
@pytest.mark.parametrize(("point", "ordinal"), POINTS)
def test_killed_at_every_point(shop: Account, kill: Kill, point: str, ordinal: int) -> None:
    """On SQLite; the receiver knows repeated batches by their ids, as mParticle does."""
    kill(shop, point, ordinal)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize(("point", "ordinal"), POINTS[::3])
def test_killed_at_every_point_on_postgres(team: Account, kill: Kill, point: str, ordinal: int) -> None:
    """The same with the ledger on a server, at every third point."""
    kill(team, point, ordinal)
