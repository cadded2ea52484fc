"""Whose push token goes along, with which device, and in how many batches."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from accounts import NOW as SENT_AT
from accounts import Account
from export.encoding import NOW, World

from workbench import runs
from workbench.campaigns import control
from workbench.campaigns.model import Content
from workbench.errors import CampaignError, DestinationError
from workbench.export import payload
from workbench.export.frozen import read_body
from workbench.export.sandbox import Receiver, accepted, parse_answers, report
from workbench.preview import preview

ASKED = Content(push_tokens=True)
EARLY, LATE = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)


def device(code: int, name: str, token: str | None, **more: Any) -> dict[str, Any]:
    """One version of one device."""
    return {"user_code": code, "device_id": name, "push_token": token, "seq": 1, **more}


def sent(devices: Sequence[dict[str, Any]], users: int = 2, codes: Sequence[int] | None = None) -> list[Any]:
    """The code and the ``device_info`` of each batch."""
    world = World(people=[{"user_id": f"u{n}"} for n in range(users)], devices=devices, content=ASKED)
    found = world.batches(codes).select("user_code", "body").iter_rows()
    return [(code, json.loads(body).get("device_info")) for code, body in found]


def test_without_tokens_the_bytes_are_what_they_were() -> None:
    """A literal batch: devices change nothing for a campaign that does not ask for tokens."""
    world = World(
        people=[{"user_id": "007", "email": "zoë@example.com", "points": 12.0}],
        devices=[device(0, "phone", "t")],
        content=Content(attributes=("points",), values={"coupon": "A\n"}),
        identities={"customer_id": "user_id", "email": "email"},
    )
    expected = (
        '{"environment":"development","source_request_id":"c42d906f-9f34-543c-adea-9632e820b667",'
        '"user_identities":{"customer_id":"007","email":"zoë@example.com"},"user_attributes":{"points":12},'
        '"events":[{"event_type":"custom_event","data":{"event_name":"Campaign Message",'
        '"custom_event_type":"other","timestamp_unixtime_ms":1782907200000,'
        '"source_message_id":"c42d906f-9f34-543c-adea-9632e820b667","custom_attributes":'
        '{"campaign_id":"hello","campaign_name":"Hello","campaign_version":1,'
        '"run_id":"hello-20260701T120000Z","arm":"target","coupon":"A\\n"}}}]}'
    )
    assert world.batches()["body"].to_list() == [expected]


def test_each_token_of_a_user_has_a_batch_with_ids_of_its_own() -> None:
    """The last seen device first; the same event; ids made of run, user and device."""
    devices = [
        device(0, "tablet", "t2", platform="ANDROID", last_seen=EARLY),
        device(0, "phone", " t1\t", platform="iphone", last_seen=LATE),
    ]
    world = World(people=[{"user_id": "007"}, {"user_id": "008"}], devices=devices, content=ASKED)
    batches = world.batches()
    bodies = [json.loads(body) for body in batches["body"]]
    assert [(code, body.get("device_info")) for code, body in zip(batches["user_code"], bodies, strict=True)] == [
        (0, {"platform": "iOS", "push_token": "t1"}),
        (0, {"platform": "Android", "push_token": "t2"}),
        (1, None),
    ]  # fmt: skip
    of_user = "c42d906f-9f34-543c-adea-9632e820b667"
    assert [body["source_request_id"] for body in bodies] == [
        str(uuid.uuid5(uuid.UUID(of_user), "phone")),
        str(uuid.uuid5(uuid.UUID(of_user), "tablet")),
        payload.request_id(world.run_id, "008"),
    ]
    events = [body["events"][0]["data"] for body in bodies]
    assert len({event["source_message_id"] for event in events}) == 3
    assert len({event["custom_attributes"]["run_id"] for event in events}) == 1


def test_names_of_users_and_devices_do_not_run_together() -> None:
    """User ``a/b`` and device ``b`` of user ``a`` have different ids, as have two devices of one user."""
    ids = [
        payload.request_id("r", "a/b"),
        payload.request_id("r", "a", "b"),
        payload.request_id("r", "a", "c"),
    ]
    assert len({*ids, payload.request_id("r", "a")}) == 4


@pytest.mark.parametrize("token", [None, "", " ", "\u00a0", "nan", "NULL", " none\n"])
def test_a_token_that_is_none_is_no_device(token: str | None) -> None:
    """A user without a usable token has one batch without device."""
    assert sent([device(0, "phone", token)], users=1) == [(0, None)]


def test_one_token_on_two_devices_of_a_user_is_one_batch() -> None:
    """The device seen last stands for it; case makes another token."""
    devices = [
        device(0, "old", "t", platform="web", last_seen=EARLY),
        device(0, "new", "t", platform="android", last_seen=LATE),
        device(0, "other", "T", last_seen=EARLY),
    ]
    assert sent(devices, users=1) == [
        (0, {"platform": "Android", "push_token": "t"}),
        (0, {"push_token": "T"}),
    ]


@pytest.mark.parametrize(
    ("platform", "os", "name"),
    [
        ("iOS", None, "iOS"), ("IPADOS", None, "iOS"), (None, "iPhone OS", "iOS"), (" android ", "iOS", "Android"),
        ("Web", "Windows", "web"), ("desktop", "Android", "Android"), ("fridge", "beOS", None), (None, None, None),
    ],
)  # fmt: skip
def test_a_platform_has_the_receivers_name_or_none(
    platform: str | None, os: str | None, name: str | None
) -> None:
    """The platform, else the system; whatever is unknown is left out, never guessed."""
    expected = {"push_token": "t"} if name is None else {"platform": name, "push_token": "t"}
    assert sent([device(0, "d", "t", platform=platform, os=os)], users=1) == [(0, expected)]


@pytest.mark.parametrize(
    ("first", "second", "owner"),
    [
        ({"last_seen": EARLY}, {"last_seen": LATE}, 1),
        ({"last_seen": LATE}, {"last_seen": EARLY}, 0),
        ({"last_seen": EARLY}, {}, 0),
        ({"valid_from": EARLY}, {"valid_from": LATE}, 1),
        ({"recorded_at": LATE}, {"recorded_at": EARLY}, 0),
        ({"valid_from": LATE, "last_seen": EARLY}, {"valid_from": EARLY, "last_seen": LATE}, 1),
        ({"valid_from": EARLY, "recorded_at": EARLY}, {"valid_from": EARLY, "recorded_at": LATE}, 1),
        ({}, {}, None),
        ({"last_seen": LATE}, {"last_seen": LATE}, None),
    ],
)
def test_a_token_of_two_users_goes_with_the_one_seen_last(
    first: dict[str, Any], second: dict[str, Any], owner: int | None
) -> None:
    """By last_seen, then by the time of the row; where both are alike nobody knows, and nobody gets it."""
    found = sent([device(0, "a", "t", **first), device(1, "b", "t", **second)])
    assert found == [(code, {"push_token": "t"} if code == owner else None) for code in (0, 1)]


def test_nobody_sends_the_token_of_somebody_who_is_not_sent_to() -> None:
    """The last holder is held out: the earlier one is written to without it, although it stands in a device."""
    devices = [
        device(0, "a", "t", last_seen=EARLY), device(0, "b", "own", last_seen=EARLY),
        device(1, "a", "t", last_seen=LATE),
    ]  # fmt: skip
    assert sent(devices, codes=[0]) == [(0, {"push_token": "own"})]


def test_devices_are_read_as_they_were_known() -> None:
    """A token that is recorded later does not exist yet, and one that was taken away is gone."""
    later = datetime(2026, 7, 2, tzinfo=UTC)
    devices = [
        device(0, "a", "old", recorded_at=EARLY),
        device(0, "a", None, recorded_at=LATE),
        device(1, "b", "t", recorded_at=EARLY),
        device(1, "b", "t2", recorded_at=later),
        device(0, "c", "t", recorded_at=later, last_seen=later),
    ]
    assert later > NOW
    assert sent(devices) == [(0, None), (1, {"push_token": "t"})]


def people(account: Account, tokens: Sequence[int], **campaign: Any) -> None:
    """Save ``hello`` for buyers who have so many devices with a token each."""
    account.ingest("profiles", [{"user_id": f"{n}", "email": f"{n}@example.com"} for n in range(len(tokens))])
    account.ingest(
        "devices",
        [
            {"user_id": f"{n}", "device_id": f"d{m}", "platform": "iOS", "push_token": f"token-{n}-{m}"}
            for n, count in enumerate(tokens)
            for m in range(count)
        ],
    )
    bought = {"event": "Purchase", "ts": "2026-06-30T12:00:00Z"}
    account.ingest("events", [{"user_id": f"{n}", **bought} for n in range(len(tokens))])
    account.save_segment("all", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "all", content={"push_tokens": True}, **campaign)


def test_two_devices_one_and_none_are_four_batches(
    account: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """Three users are sent to with four batches in one request; a second and third call add none."""
    people(account, [2, 1, 0])
    receiver.play(parse_answers("reset-after, 503"))
    plan = runs.plan(account.workspace, "hello", as_of=SENT_AT, now=datetime.now(UTC))
    with pytest.raises(DestinationError):
        runs.execute(account.workspace, plan)
    receipt = runs.resume(account.workspace, plan.run_id)
    again = runs.resume(account.workspace, plan.run_id)
    (request,) = account.workspace.ledger.requests(plan.run_id)
    assert (request.users, request.batches, receipt.sent_now, again.sent_now) == (3, 4, 3, 0)
    found = list(accepted(tmp_path / "sandbox", plan.run_id))
    assert [item["source_request_id"] for item in found] == [
        payload.request_id(plan.run_id, "0", "d0"),
        payload.request_id(plan.run_id, "0", "d1"),
        payload.request_id(plan.run_id, "1", "d0"),
        payload.request_id(plan.run_id, "2"),
    ]
    assert [item.get("device_info", {}).get("push_token") for item in found] == [
        "token-0-0", "token-0-1", "token-1-0", None,
    ]  # fmt: skip
    counted = report(tmp_path / "sandbox")
    assert (counted.accepted, counted.duplicates, counted.dropped_count, counted.warnings) == (4, 4, 0, ())
    assert dict(receipt.users)["accepted"] == 3  # type: ignore[index]


def test_a_preview_shows_every_batch(account: Account) -> None:
    """The user's two devices, byte for byte what a run freezes."""
    people(account, [2])
    (example,) = preview(account.workspace, "hello", user_id="0", as_of=SENT_AT, now=SENT_AT).examples
    assert [body["device_info"]["push_token"] for body in example.bodies] == ["token-0-0", "token-0-1"]


def test_more_devices_than_a_request_holds_are_a_verdict_in_both_arms(
    account: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """100 devices go; 101 are said before anything is sent, whether held out or not; nothing is cut."""
    people(account, [100, *[101] * 20], control={"share": 0.5})
    plan = runs.plan(account.workspace, "hello", as_of=SENT_AT, now=datetime.now(UTC))
    held_out = sum(control.key("test-salt/control/hello", f"{n}") < "80000000" for n in range(1, 21))
    counts = {(row["reason"], row["arm"]): row["users"] for row in plan.waterfall.to_dicts()}
    reason = "invalid profile: over 100 devices with a push token"
    assert (counts[reason, "control"], counts[reason, "target"]) == (held_out, 20 - held_out)
    assert 0 < held_out < 20
    runs.execute(account.workspace, plan)
    assert len(list(accepted(tmp_path / "sandbox"))) in {0, 100}


def test_users_are_packed_whole(account: Account, receiver: Receiver) -> None:
    """Users of 60, 60 and 40 devices: the first alone, then the other two; requests never part a user."""
    people(account, [60, 60, 40])
    plan = runs.plan(account.workspace, "hello", as_of=SENT_AT, now=datetime.now(UTC))
    run = runs.execute(account.workspace, plan).run
    requests = account.workspace.ledger.requests(run.run_id)
    assert [(request.users, request.batches) for request in requests] == [(1, 60), (2, 100)]
    path = account.workspace.settings.directory / run.bodies_path
    ids = [
        Counter(batch["user_identities"]["customer_id"] for batch in json.loads(read_body(path, request)))
        for request in requests
    ]
    assert ids == [{"0": 60}, {"1": 60, "2": 40}]


def test_tokens_that_the_lake_does_not_have_are_refused(shop: Account) -> None:
    """Without devices, and with devices that have no tokens: the message says what is missing."""
    with pytest.raises(CampaignError, match="content > push_tokens: the lake has no devices; ingest devices"):
        shop.save_campaign("push", "buyers", content={"push_tokens": True})
    shop.ingest("devices", [{"user_id": "00001", "device_id": "d", "os": "iOS"}])
    with pytest.raises(CampaignError, match="content > push_tokens: the devices have none, only: os;"):
        shop.save_campaign("push", "buyers", content={"push_tokens": True})
