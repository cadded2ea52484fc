"""Why one user has a verdict: asked again, every step says what the run recorded, or it says where not."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import NOW, SETTINGS, Account, make_account, purchases

from workbench import runs
from workbench.campaigns import control
from workbench.errors import NotFoundError, StoreError
from workbench.export.ledger import Run
from workbench.export.sandbox import Receiver
from workbench.lookup import Answer, Explained, explain_run
from workbench.lookup.explained import step_of
from workbench.store import compact

WITHOUT_IDS = SETTINGS.replace('customer_id = "user_id"\n', 'mobile_number = "phone"\n').replace(
    'unsubscribed = "unsubscribed"', 'unsubscribed = "unsubscribed"\nrequired = ["email_opt_in"]'
)
AT = datetime.now(UTC)


def world(home: Path, seed: int, **campaign: Any) -> Account:
    """120 people of whom 100 bought; few addresses, so that many share one; flags, notes and names at random."""
    chance = random.Random(seed)
    account = make_account(home / f"home-{seed}", WITHOUT_IDS)
    people = [
        {
            "user_id": f"{n:05d}",
            "email": chance.choice([f"p{n}@example.com", f"P{chance.randrange(120)}@example.com ", "nan", None]),
            "phone": chance.choice([None, None, f"+1202555{n:04d}", f"+1202555{chance.randrange(120):04d}"]),
            "unsubscribed": chance.choice([False, False, False, None, True]),
            "email_opt_in": chance.choice([True, True, True, None, False]),
            "name": chance.choice(["Ann", "Bob", "Stop", None]),
            "note": "x" * chance.choice([1, 1, 1, 5000]),
        }
        for n in range(120)
    ]
    account.ingest("profiles", people)
    account.ingest("events", purchases(100))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers", **campaign)
    return account


CAMPAIGN = {
    "control": {"share": 0.2, "custom": ["loyalty"]},
    "cap": {"per_run": 5},
    "content": {
        "attributes": ["note"],
        "values": {"hi": '{% if Profile.name == "Stop" %}{% abort "told to" %}{% endif %}Hi {{ Profile.name }}'},
    },
}


def grouped(home: Path, seed: int) -> Account:
    """A world with a system group, a custom one, and two people who are never in control."""
    account = make_account(home / f"home-{seed}", WITHOUT_IDS)
    groups = account.workspace.groups
    groups.add("system", 0.05, now=AT - timedelta(hours=2))
    groups.add("loyalty", 0.05, custom=True, now=AT - timedelta(hours=1))
    for n in range(6):
        groups.flag(f"{n:05d}", now=AT - timedelta(hours=1))
    return world(home, seed, **CAMPAIGN)


def executed(account: Account, now: datetime = AT) -> Run:
    """Plan and send ``hello``."""
    return runs.execute(account.workspace, runs.plan(account.workspace, "hello", as_of=NOW, now=now)).run


def frame(account: Account, run: Run) -> pl.DataFrame:
    """The frozen audience."""
    return pl.read_parquet(account.workspace.settings.directory / run.audience_path)


def step(found: Explained, name: str) -> tuple[str, str, str | None]:
    """Answer, sentence and difference of a step."""
    (one,) = [item for item in found.steps if item.name == name]
    return str(one.answer), one.sentence, one.differs


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 4))])
def test_asked_again_every_user_of_a_run_has_the_verdict_that_was_frozen(
    tmp_path: Path, receiver: Receiver, seed: int
) -> None:
    """Duplicates, consent, groups, values, limits and a cap: each step agrees, and the one that stops gave the reason."""
    account = grouped(tmp_path, seed)
    run = executed(account)
    seen = set()
    for row in frame(account, run).iter_rows(named=True):
        found = explain_run(account.workspace, run.run_id, row["user_id"])
        assert found.differences == ()
        assert found.agrees is True
        assert (found.verdict, found.reason, found.held_by) == (row["verdict"], row["reason"], row["held_by"])
        stopped = found.stopped_by.name if found.stopped_by else None
        assert stopped == step_of(row["reason"])
        seen.add(stopped or row["verdict"])
    assert seen == {
        "send", "holdout", "duplicate identity", "reachable", "unsubscribed", "consent", "render", "lint", "cap",
    }  # fmt: skip
