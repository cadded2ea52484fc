"""What is found when something else arrives than was planned: the check can fail."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests
from accounts import NOW, Account

from workbench import runs
from workbench.export.sandbox import Receiver, texts
from workbench.rehearsal.arrived import Arrived, Wanted, _frame, arrived, wanted
from workbench.runs.planning import silent
from workbench.store.lake import utc_now

Batches = list[dict[str, Any]]


@pytest.fixture
def stage(shop: Account, tmp_path: Path) -> Iterator[tuple[Wanted, Batches, Receiver]]:
    """What ``hello`` wants to arrive, its 500 batches, and a receiver."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=utc_now())
    found = wanted(shop.workspace, plan, tmp_path / "wanted", silent)
    lines = (tmp_path / "wanted" / "requests.jsonl").read_text().splitlines()
    with Receiver(tmp_path / "receiver", key="k", secret="s") as receiver:
        yield found, [batch for line in lines for batch in json.loads(line)], receiver


def post(receiver: Receiver, batches: Batches) -> None:
    """Send batches as compactly as the exporter writes them."""
    for first in range(0, len(batches), 100):
        body = json.dumps(batches[first : first + 100], separators=(",", ":"), ensure_ascii=False).encode()
        found = requests.post(
            f"{receiver.url}/bulkevents", data=body, auth=("k", "s"), timeout=10,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert found.status_code == 202


def as_(batch: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The batch with other values."""
    return {**batch, **changes}


FINE = {
    "users": 500,
    "left": 0,
    "missing": 0,
    "doubled": 0,
    "held_out": 0,
    "strange": 0,
    "changed": 0,
    "over_cap": 0,
}
CASES: dict[str, tuple[Callable[[Batches], Batches], dict[str, int]]] = {
    "as planned": (lambda found: found, {}),
    "again with the same ids": (lambda found: [*found, *found[:3]], {}),
    "lost": (lambda found: found[:-3], {"users": 497, "missing": 3}),
    "again under another id": (
        lambda found: [*found, as_(found[0], source_request_id="fresh")], {"doubled": 1, "changed": 1},
    ),
    "another user": (
        lambda found: [*found, as_(found[0], source_request_id="fresh", user_identities={"email": "x@y.example"})],
        {"strange": 1, "over_cap": 1},
    ),
    "other bytes": (lambda found: [as_(found[0], ip="127.0.0.1"), *found[1:]], {"changed": 1}),
    "under the identity of another": (
        lambda found: [as_(found[0], user_identities=found[1]["user_identities"]), *found[1:]],
        {"users": 499, "missing": 1, "doubled": 1, "changed": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_otherwise_is_counted(
    stage: tuple[Wanted, Batches, Receiver], tmp_path: Path, case: str
) -> None:
    """Each departure from the plan is seen, and only where it is one."""
    found, batches, receiver = stage
    change, expected = CASES[case]
    post(receiver, change(batches))
    assert arrived(found, tmp_path / "receiver") == Arrived(**{**FINE, **expected})


def test_a_held_out_user_is_known_by_any_identity(
    stage: tuple[Wanted, Batches, Receiver], shop: Account, tmp_path: Path
) -> None:
    """An e-mail address in other letters is enough; it is one user more than the cap allows."""
    found, batches, receiver = stage
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=utc_now())
    code = int(plan.verdicts.filter(verdict="holdout")["user_code"][0])
    stranger = {"email": f"USER{code}@Example.com"}
    post(receiver, [*batches, as_(batches[0], source_request_id="fresh", user_identities=stranger)])
    expected = {**FINE, "held_out": 1, "strange": 1, "over_cap": 1}
    assert arrived(found, tmp_path / "receiver") == Arrived(**expected)


def test_what_is_no_message_counts_for_no_cap(
    stage: tuple[Wanted, Batches, Receiver], tmp_path: Path
) -> None:
    """A request of a plan that sends to nobody, of another user: it has to arrive, and fills no place of the cap."""
    found, batches, receiver = stage
    more = as_(batches[0], source_request_id="leaves", user_identities={"email": "gone@example.com"})
    post(receiver, [*batches, more])
    alone = replace(found, batches=found.batches.head(0), cap=None)
    came = _frame(texts(tmp_path / "receiver")).drop("identities").filter(id="leaves")
    both = replace(found, batches=pl.concat([found.batches, came.with_columns(message=pl.lit(value=False))]))
    assert both.users == 500
    assert (both.leaves, found.leaves) == (1, 0)
    assert arrived(both, tmp_path / "receiver") == Arrived(**{**FINE, "left": 1})
    assert arrived(found, tmp_path / "receiver") == Arrived(**{**FINE, "strange": 1, "over_cap": 1})
    assert arrived(alone, tmp_path / "receiver").strange == 501
