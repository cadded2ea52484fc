from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, make_account

from workbench import charts
from workbench.reach import reach
from workbench.segments import codec

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
VIEWED = {"kind": "did", "events": ["Viewed"]}
BOUGHT = {"kind": "did", "events": ["Bought"]}


@pytest.fixture
def shop(tmp_path: Path) -> Account:
    """Five users: four viewed, two of them bought, one of the others has no address."""
    account = make_account(tmp_path)
    people = [
        {"user_id": user, "email": f"{user}@example.com"} for user in ("ann", "ben", "cem", "dan", "eve")
    ]
    account.ingest("profiles", [{**person, "country": "US"} for person in people], recorded="history")
    rows = [(user, "Viewed") for user in ("ann", "ben", "cem", "dan")] + [
        ("ann", "Bought"),
        ("ben", "Bought"),
    ]
    account.ingest(
        "events",
        [{"user_id": user, "event": event, "ts": "2026-02-01T10:00:00Z"} for user, event in rows],
        recorded="history",
    )
    return account


def steps(account: Account, condition: dict[str, Any]) -> list[tuple[str, int, int]]:
    found = reach(account.workspace, codec.from_json({"name": "asked", "condition": condition}), as_of=AS_OF)
    assert found.steps[-1].left == found.counts.qualified
    assert found.counts.everyone - sum(step.lost for step in found.steps) == found.counts.qualified
    return [(step.sentence, step.lost, step.left) for step in found.steps]


def test_conditions_take_their_share_one_after_the_other(shop: Account) -> None:
    """Five users, four viewed, two of those did not buy."""
    both = {"kind": "all", "conditions": [{"kind": "not", "condition": BOUGHT}, VIEWED]}
    assert steps(shop, both) == [('did "Viewed"', 1, 4), ('did not do "Bought"', 2, 2)]


def test_anything_but_an_and_is_one_step(shop: Account) -> None:
    """Three of five did not buy; four viewed or bought."""
    assert steps(shop, {"kind": "not", "condition": BOUGHT}) == [('did not do "Bought"', 2, 3)]
    either = {"kind": "any", "conditions": [VIEWED, BOUGHT]}
    assert steps(shop, either) == [('did "Viewed" or did "Bought"', 1, 4)]


def test_the_chart_falls_from_everyone_to_the_reachable(shop: Account) -> None:
    """Each bar begins where the one before it ends."""
    both = {"kind": "all", "conditions": [VIEWED, {"kind": "not", "condition": BOUGHT}]}
    found = reach(shop.workspace, codec.from_json({"name": "asked", "condition": both}), as_of=AS_OF)
    (bars,) = charts.shrinking(found.counts.everyone, found.steps, reachable=1).data
    assert list(bars.x) == [5, 1, 2, 2, 1, 1]
    assert list(bars.base) == [0, 4, 2, 0, 1, 0]
    assert list(bars.text) == ["5", "−1", "−2", "2", "−1", "1"]
