"""A small real account for tests: a folder with workbench.toml, a lake and a ledger, filled from literals."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from workbench.campaigns import codec as campaign_codec
from workbench.export.sandbox import Receiver
from workbench.segments import codec as segment_codec
from workbench.settings import Source
from workbench.store.ingest import Summary, ingest
from workbench.workspace import Workspace, open_workspace

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)

SETTINGS = """\
[account]
name = "test"
timezone = "America/New_York"
salt = "test-salt"

[identities]
customer_id = "user_id"
email = "email"

[consent]
unsubscribed = "unsubscribed"

[mparticle]
url = "http://127.0.0.1:9/v2"
batches_per_second = 100000
in_flight = 1
attempts = 2
connect_timeout = 2
read_timeout = 2

[campaigns]
allow_small_cap = true
"""


@dataclass(frozen=True)
class Account:
    """A folder with a workbench.toml, and the workspace that it describes."""

    home: Path
    workspace: Workspace

    @property
    def config(self) -> Path:
        """The workbench.toml."""
        return self.home / "workbench.toml"

    def ingest(
        self, kind: str, rows: Sequence[Mapping[str, Any]], *, now: datetime = NOW, **source: Any
    ) -> Summary:
        """Ingest literal rows as an NDJSON file."""
        name = f"{kind}-{len(list(self.home.glob('*.ndjson')))}.ndjson"
        path = self.home / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return self.ingest_file(kind, path, now=now, **source)

    def ingest_file(self, kind: str, path: Path, *, now: datetime = NOW, **source: Any) -> Summary:
        """Ingest one file."""
        mapping = Source.model_validate({"kind": kind, **source})
        workspace = self.workspace
        return ingest(workspace.lake, workspace.settings, mapping, [str(path)], source_name=kind, now=now)

    def save_segment(self, name: str, condition: Mapping[str, Any]) -> None:
        """Save a segment given as JSON values."""
        segment = segment_codec.from_json({"name": name, "condition": condition})
        workspace = self.workspace
        workspace.segments.save(segment, workspace.scope(workspace.lake.at()), now=NOW)

    def save_campaign(self, campaign_id: str, segment: str, **fields: Any) -> None:
        """Save a campaign given as JSON values."""
        body = {"id": campaign_id, "name": campaign_id.title(), "segment": {"name": segment}, **fields}
        catalogue = self.workspace.lake.at().catalogue
        self.workspace.campaigns.save(campaign_codec.from_json(body), catalogue=catalogue, now=NOW)


def make_account(home: Path, settings: str = SETTINGS) -> Account:
    """Write a workbench.toml and open it."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "workbench.toml").write_text(settings, encoding="utf-8")
    return Account(home=home, workspace=open_workspace(home / "workbench.toml"))


def copied(made: Path, home: Path) -> Account:
    """A copy of a folder that nobody has open, opened."""
    shutil.copytree(made, home)
    return Account(home=home, workspace=open_workspace(home / "workbench.toml"))


def hide_outside(patch: pytest.MonkeyPatch) -> None:
    """Hide the settings, the actor and the keyring of this machine."""
    for name in list(os.environ):
        if name.startswith("WORKBENCH_"):
            patch.delenv(name)
    patch.setenv("WORKBENCH_ACTOR", "tester")
    patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """A sandbox to which accounts that are opened meanwhile send; for fixtures that outlive a test."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Receiver(folder / "sandbox", key="test-key", secret="test-secret") as receiver,
    ):
        hide_outside(patch)
        patch.setenv("WORKBENCH_MPARTICLE_URL", receiver.url)
        patch.setenv("WORKBENCH_MPARTICLE_KEY", "test-key")
        patch.setenv("WORKBENCH_MPARTICLE_SECRET", "test-secret")
        yield receiver


def purchases(users: int) -> list[dict[str, Any]]:
    """One purchase of 10 for each of ``users`` users, a day before ``NOW``."""
    return [
        {"user_id": f"{n:05d}", "event": "Purchase", "ts": "2026-06-30T12:00:00Z", "price": 10}
        for n in range(users)
    ]


def people(users: int) -> list[dict[str, Any]]:
    """A profile with an e-mail address for each of ``users`` users."""
    return [
        {"user_id": f"{n:05d}", "email": f"user{n}@example.com", "country": "US", "unsubscribed": False}
        for n in range(users)
    ]


BUYERS = {"kind": "did", "events": ["Purchase"], "window": {"kind": "last", "count": 7}}
