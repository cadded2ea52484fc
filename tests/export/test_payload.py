import json
from datetime import UTC, datetime
from typing import Any

from accounts import NOW, Account

from workbench import runs
from workbench.export import payload
from workbench.export.frozen import read_body
from workbench.export.sandbox import Receiver


def bodies(account: Account, receiver: Receiver) -> list[dict[str, Any]]:
    """Every batch of the run of ``hello``, from the frozen bytes."""
    plan = runs.plan(account.workspace, "hello", as_of=NOW, now=datetime.now(UTC))
    run = runs.execute(account.workspace, plan).run
    path = account.workspace.settings.directory / run.bodies_path
    requests = account.workspace.ledger.requests(run.run_id)
    return [batch for request in requests for batch in json.loads(read_body(path, request))]


def test_values_keep_their_types(account: Account, receiver: Receiver) -> None:
    """Numbers stay numbers, whole ones without a point; dates are text; lists are lists; null is left out."""
    account.ingest(
        "profiles",
        [
            {
                "user_id": "007", "email": "  Zoë@example.com ", "points": 1200, "ratio": 0.5, "vip": True,
                "birth_date": "2000-02-29", "tags": ["a", "b"], "city": None, "first_name": 'Zoë 😀 "Q"\n',
            }
        ],
        types={"tags": "list"},
    )  # fmt: skip
    account.ingest("events", [{"user_id": "007", "event": "Purchase", "ts": "2026-06-30T12:00:00Z"}])
    account.save_segment("all", {"kind": "did", "events": ["Purchase"]})
    names = ["points", "ratio", "vip", "birth_date", "tags", "city", "first_name", "user_id"]
    account.save_campaign(
        "hello", "all", content={"attributes": names, "values": {"n": 1, "x": 1.5, "ok": True}}
    )
    (batch,) = bodies(account, receiver)
    assert batch["user_identities"] == {"customer_id": "007", "email": "Zoë@example.com"}
    assert batch["user_attributes"] == {
        "points": 1200, "ratio": 0.5, "vip": True, "birth_date": "2000-02-29", "tags": ["a", "b"],
        "first_name": 'Zoë 😀 "Q"\n', "user_id": "007",
    }  # fmt: skip
    data = batch["events"][0]["data"]
    assert data["custom_attributes"] == {
        "campaign_id": "hello", "campaign_name": "Hello", "campaign_version": 1,
        "run_id": "hello-20260701T120000Z", "arm": "target", "n": 1, "x": 1.5, "ok": True,
    }  # fmt: skip
    assert (data["event_name"], data["custom_event_type"]) == ("Campaign Message", "other")


def test_ids_are_the_same_for_ever() -> None:
    """Literal ids: a change of the derivation would send everybody again after an update."""
    assert payload.request_id("hello-20260701T120000Z", "007") == "c42d906f-9f34-543c-adea-9632e820b667"
    assert payload.request_id("hello-20260702T120000Z", "007") != payload.request_id(
        "hello-20260701T120000Z", "007"
    )


def test_every_request_id_of_a_run_is_its_own(shop: Account, receiver: Receiver) -> None:
    """500 users, 500 ids, and no mParticle-made field in any batch."""
    found = bodies(shop, receiver)
    assert len({batch["source_request_id"] for batch in found}) == 500
    assert {key for batch in found for key in batch} == {
        "environment", "source_request_id", "user_identities", "events",
    }  # fmt: skip
