import json
from datetime import UTC, datetime
from typing import Any

from accounts import NOW, Account

from workbench import runs
from workbench.export.frozen import read_body
from workbench.export.sandbox import Receiver


def people(account: Account, *profiles: dict[str, Any], **source: Any) -> None:
    """One buyer for each profile."""
    rows = [
        {"user_id": f"{n:03d}", "email": f"{n}@example.com", **profile} for n, profile in enumerate(profiles)
    ]
    account.ingest("profiles", rows, **source)
    account.ingest(
        "events",
        [{"user_id": row["user_id"], "event": "Purchase", "ts": "2026-06-30T12:00:00Z"} for row in rows],
    )
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})


def reasons(account: Account) -> dict[str, str]:
    """Verdict, or the reason why not, by user id."""
    frame = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW).verdicts
    rows = frame.select("user_code", "verdict", "reason").iter_rows()
    return {f"{code:03d}": reason or verdict for code, verdict, reason in rows}


def sent(account: Account) -> dict[str, dict[str, Any]]:
    """The event attributes of everybody who is sent to, by customer id, from the frozen bytes."""
    plan = runs.plan(account.workspace, "hello", as_of=NOW, now=datetime.now(UTC))
    run = runs.execute(account.workspace, plan).run
    path = account.workspace.settings.directory / run.bodies_path
    found = {}
    for request in account.workspace.ledger.requests(run.run_id):
        for batch in json.loads(read_body(path, request)):
            attributes = batch["events"][0]["data"]["custom_attributes"]
            found[batch["user_identities"]["customer_id"]] = attributes
    return found


def test_a_name_with_a_default_goes_into_the_payload(account: Account, receiver: Receiver) -> None:
    """From the campaign to the bytes: who has a name is called by it, the others by the default."""
    people(account, {"first_name": "Zoë"}, {"first_name": None}, {"first_name": ""})
    values = {"b": 'Hi {{ Profile.first_name | default: "there" }}!', "a": 7, "c": "plain"}
    account.save_campaign("hello", "buyers", content={"values": values})
    found = sent(account)
    assert {user: item["b"] for user, item in found.items()} == {
        "000": "Hi Zoë!", "001": "Hi there!", "002": "Hi there!",
    }  # fmt: skip
    assert list(found["000"])[-3:] == ["b", "a", "c"]
    assert (found["000"]["a"], found["000"]["c"]) == (7, "plain")


def test_a_missing_attribute_is_a_verdict(account: Account, receiver: Receiver) -> None:
    """Without a default nobody gets a text with a hole."""
    people(account, {"first_name": "Zoë"}, {"first_name": None}, {"first_name": ""})
    account.save_campaign("hello", "buyers", content={"values": {"b": "Hi {{ Profile.first_name }}!"}})
    assert reasons(account) == {
        "000": "send",
        "001": "not sent: render error: Profile.first_name missing".removeprefix("not sent: "),
        "002": "render error: Profile.first_name missing",
    }
    assert list(sent(account)) == ["000"]
