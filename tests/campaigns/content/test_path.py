import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from accounts import NOW, Account

from workbench import runs
from workbench.errors import CampaignError
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
        "001": "render error: Profile.first_name missing",
        "002": "render error: Profile.first_name missing",
    }
    assert list(sent(account)) == ["000"]


def test_values_of_a_constant_property_are_named_by_their_alias(account: Account, receiver: Receiver) -> None:
    """Viewed and not bought: the newest first; whoever has only one has no second."""
    rows = [
        ("000", "Viewed", "red shoe", 1), ("000", "Viewed", "blue hat", 2), ("000", "Viewed", "bag", 3),
        ("000", "Bought", "bag", 4), ("001", "Viewed", "sock", 1), ("002", "Viewed", "tie", 1), ("002", "Bought", "tie", 2),
    ]  # fmt: skip
    account.ingest("profiles", [{"user_id": f"{n:03d}", "email": f"{n}@example.com"} for n in range(3)])
    account.ingest(
        "events",
        [
            {"user_id": user, "event": event, "sku": sku, "ts": f"2026-06-30T12:0{minute}:00Z"}
            for user, event, sku, minute in rows
        ],
    )
    parts = [
        {"events": ["Viewed"], "property": "sku"},
        {"events": ["Bought"], "property": "sku", "did": False},
    ]
    account.save_segment("left", {"kind": "constant property", "parts": parts, "alias": "seen"})
    values = {
        "a": "{{ seen[0] }}",
        "b": "{{ seen | join: ', ' | upcase }}",
        "c": "{{ seen[1] | default: 'none' }}",
    }
    account.save_campaign("hello", "left", content={"values": values})
    found = {user: {key: item[key] for key in values} for user, item in sent(account).items()}
    assert found == {
        "000": {"a": "blue hat", "b": "BLUE HAT, RED SHOE", "c": "red shoe"},
        "001": {"a": "sock", "b": "SOCK", "c": "none"},
    }


def test_a_template_may_skip_a_user(account: Account, receiver: Receiver) -> None:
    """The reason is the template's own; the user is not sent to."""
    people(account, {"points": 10}, {"points": 0}, {"points": 5})
    text = "{% if Profile.points < 1 %}{% abort 'no points' %}{% elsif Profile.points == 5 %}{% abort %}{% endif %}ok"
    account.save_campaign("hello", "buyers", content={"values": {"b": text}})
    assert reasons(account) == {
        "000": "send",
        "001": "aborted by template: no points",
        "002": "aborted by template: no reason given",
    }
    assert {user: item["b"] for user, item in sent(account).items()} == {"000": "ok"}


def test_the_steps_before_and_after(account: Account) -> None:
    """Rendering comes after consent and before the linter; an unsubscribed user is no render error."""
    people(
        account,
        {"unsubscribed": True, "note": None}, {"unsubscribed": False, "note": None},
        {"unsubscribed": False, "note": "x" * 4097}, {"unsubscribed": False, "note": "x" * 4096},
    )  # fmt: skip
    account.save_campaign(
        "hello", "buyers", content={"attributes": ["note"], "values": {"b": "{{ Profile.note }}"}}
    )
    assert reasons(account) == {
        "000": "unsubscribed",
        "001": "render error: Profile.note missing",
        "002": "invalid profile: note over 4096 characters",
        "003": "send",
    }


def test_who_cannot_be_rendered_uses_no_place(account: Account) -> None:
    """Half of 200 users have no name: a cap of 60 is filled from the others, and both arms are marked alike."""
    people(account, *({"first_name": "Ann" if n % 2 else None} for n in range(200)))
    account.save_campaign(
        "hello", "buyers", control={"share": 0.3}, cap={"per_run": 60},
        content={"values": {"b": "Hi {{ Profile.first_name }}"}},
    )  # fmt: skip
    frame = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW).verdicts
    missing = frame.filter(pl.col("reason") == "render error: Profile.first_name missing")
    assert missing["user_code"].to_list() == list(range(0, 200, 2))
    assert set(missing["arm"]) == {"target", "control"}
    assert frame.filter(frame["verdict"] == "send").height == 60
    assert set(frame.filter(frame["verdict"] != "not sent")["user_code"] % 2) == {1}


def test_text_that_comes_out_blank_is_not_sent(account: Account) -> None:
    """An empty value is no message."""
    people(account, {"points": 1}, {"points": 2})
    account.save_campaign(
        "hello", "buyers", content={"values": {"b": " {% if Profile.points == 1 %}x{% endif %} "}}
    )
    assert reasons(account) == {"000": "send", "001": "render error: b is blank"}


def test_a_batch_over_the_limit_is_a_verdict(account: Account) -> None:
    """33 values of 4,096 characters are more than one batch may have: the user is left out, nobody else."""
    people(account, {"note": "é" * 2000}, {"note": "é"}, {"note": "\u0001" * 700})
    values = {f"k{n}": "{{ Profile.note }}" for n in range(33)}
    account.save_campaign("hello", "buyers", content={"values": values})
    assert reasons(account) == {
        "000": "invalid profile: batch over 128000 bytes",
        "001": "send",
        "002": "invalid profile: batch over 128000 bytes",
    }


def test_what_is_rendered_does_not_depend_on_the_clock(account: Account, receiver: Receiver) -> None:
    """``now`` is the instant of the send; a plan and its bytes have the same."""
    people(account, {"first_name": "Ann"})
    text = "{{ 'now' | date: '%Y-%m-%d %H:%M:%S.%f' }} {{ now | date: '%H' }} {{ today }}"
    account.save_campaign("hello", "buyers", content={"values": {"b": text}})
    now = datetime(2026, 7, 3, 4, 5, 6, 789, tzinfo=UTC)
    plan = runs.plan(account.workspace, "hello", as_of=NOW, now=now)
    run = runs.execute(account.workspace, plan, clock=lambda: now).run
    path = account.workspace.settings.directory / run.bodies_path
    (request,) = account.workspace.ledger.requests(run.run_id)
    ((batch),) = json.loads(read_body(path, request))
    text = batch["events"][0]["data"]["custom_attributes"]["b"]
    assert text == "2026-07-03 04:05:06.000789 04 2026-07-03"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ Event.price }}", "Event.… is for live campaigns only"),
        ("@Event.price", "Event.… is for live campaigns only"),
        ("{{ Profile.frist_name }}", 'unknown attribute "frist_name" of Profile. Did you mean "first_name"'),
        ("{{ first_name }}", 'unknown name "first_name": write Profile.first_name'),
        (
            "hi @frist_name",
            'unknown attribute "frist_name" after @. Did you mean "first_name" or "last_name"? For a plain @ write @@frist_name',
        ),
        ("{{ sku[0] }}", 'unknown name "sku" (the segment has no constant property)'),
        ("{{ Profile }}", "Profile needs the name of an attribute"),
        ("{{ Profile[Profile.city] }}", "Profile needs the name of an attribute"),
        ("{{ Profile.city.street }}", 'Profile.city is a text: it has no part "street"'),
        ("a\n{{ Profile.city", "cannot be read, line 2: expected '}}'"),
        ("a\nb\n{% endif %}", "cannot be read, line 3: unexpected tag 'endif'"),
        ("{% if Profile.city %}x", "cannot be read"),
        ("{{ Profile.city | shout }}", "unknown filter 'shout'"),
        ("{% include 'x' %}", "unexpected tag 'include'"),
        ("{% abort Profile.city %}", "the reason of abort is a fixed text"),
        ("{% for n in (1..10001) %}x{% endfor %}", "at most 10,000 numbers"),
        ("{% for n in (1..Profile.points) %}x{% endfor %}", "the ends of a range are written as numbers"),
        ("{% if Profile.city == blank %}x{% endif %}", "blank does not fit a missing value"),
        ("{{ Profile.city }}" + "x" * 20_000, "a template at most 20000"),
    ],
)
def test_a_template_that_cannot_work_is_refused(account: Account, text: str, message: str) -> None:
    """When the campaign is saved, with what to write instead."""
    people(account, {"first_name": "Ann", "city": "Rome", "points": 1})
    with pytest.raises(CampaignError) as caught:
        account.save_campaign("hello", "buyers", content={"values": {"b": text}})
    assert "- content > values > b: " in str(caught.value)
    assert message in str(caught.value)


def test_no_template_runs_away(account: Account) -> None:
    """Loops, doubling variables and growing texts end in a verdict."""
    people(account, {"first_name": "Ann"})
    for text in (
        "{% for a in (1..5000) %}{% for b in (1..5000) %}{% assign c = b %}{% endfor %}{% endfor %}",
        "{% assign a = 'xxxxxxxxxx' %}{% for i in (1..100) %}{% assign a = a | append: a %}{% endfor %}",
        "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaa'" * 30 + " }}",
        "{% for a in (1..9999) %}{{ Profile.first_name }} aaaaaaaaaaaaaa{% endfor %}",
    ):
        account.save_campaign("hello", "buyers", content={"values": {"a": text}})
        assert reasons(account) == {"000": "render error: a: limits of length or loops exceeded (line 1)"}


def test_what_a_filter_says_holds_no_person(account: Account) -> None:
    """The reason of a failed filter names the value's key and the line, never what stood there."""
    people(account, {"first_name": "Zoë"})
    account.save_campaign(
        "hello", "buyers", content={"values": {"a": "x\n{{ Profile.first_name | date: '%Y' }}"}}
    )
    assert reasons(account) == {"000": "render error: a: a filter does not fit its value (line 2)"}


def test_an_address_is_not_a_template(account: Account, receiver: Receiver) -> None:
    """An e-mail address is plain text, ``@@`` a plain ``@``, ``@name`` the attribute."""
    people(account, {"first_name": "Ann"})
    values = {"a": "help@example.com", "b": "@@acme", "c": "Hi @first_name, @Profile.first_name!"}
    account.save_campaign("hello", "buyers", content={"values": values})
    assert {key: sent(account)["000"][key] for key in values} == {
        "a": "help@example.com", "b": "@acme", "c": "Hi Ann, Ann!",
    }  # fmt: skip
