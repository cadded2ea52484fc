"""A pytest plugin for ``--nbval-lax``: a small account and a receiver, which the notebooks' kernels inherit."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import SETTINGS, make_account, people

from workbench.export.sandbox import Receiver

CART = datetime(2026, 6, 30, 12, tzinfo=UTC)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make the account that the notebooks open, with the campaign that they name."""
    folder = tempfile.TemporaryDirectory(prefix="notebooks-")
    home = Path(folder.name)
    account = make_account(home / "home", SETTINGS)
    account.ingest("profiles", people(200))
    carts = [
        {
            "user_id": f"{n:05d}", "event": "Added To Cart", "price": 40 + n,
            "ts": (CART + timedelta(minutes=n)).isoformat(),
        }
        for n in range(200)
    ]  # fmt: skip
    charged = {"user_id": "00001", "event": "Charged", "ts": CART.isoformat(), "price": 41}
    account.ingest("events", [*carts, charged])
    condition = {"kind": "did", "events": ["Added To Cart"]}
    account.save_segment("cart-abandoners", condition)
    account.save_campaign("cart-abandoners", "cart-abandoners", control={"share": 0.1}, cap={"per_run": 100})
    receiver = Receiver(home / "sandbox", key="k", secret="s")
    receiver.__enter__()
    os.environ.update(
        WORKBENCH_CONFIG=str(account.config),
        WORKBENCH_MPARTICLE_URL=receiver.url,
        WORKBENCH_MPARTICLE_KEY="k",
        WORKBENCH_MPARTICLE_SECRET="s",
    )
    session.config.stash[OPENED] = (receiver, folder)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the receiver and delete the account."""
    receiver, folder = session.config.stash[OPENED]
    receiver.stop()
    folder.cleanup()


OPENED = pytest.StashKey[tuple[Receiver, "tempfile.TemporaryDirectory[str]"]]()
