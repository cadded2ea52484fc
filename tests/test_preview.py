"""A preview shows what would be sent, byte for byte, and whom the content keeps from it."""

import json
from typing import Any

import pytest
from accounts import NOW, Account

from workbench import display, runs
from workbench.errors import NotFoundError
from workbench.export.frozen import read_body
from workbench.export.sandbox import Receiver
from workbench.preview import Preview, preview

VALUES = {"b": "Hi {{ Profile.first_name | default: 'you' }}", "c": "{{ Profile.city | upcase }}"}


@pytest.fixture
def town(account: Account) -> Account:
    """Five buyers, one who bought nothing, and a campaign with two templates."""
    people: list[dict[str, Any]] = [
        {"first_name": "Ann", "city": "Rome"},
        {"first_name": "Maximiliana", "city": "Constantinople"},
        {"first_name": None, "city": None},
        {"first_name": "Zoë", "city": "Ærø"},
        {"first_name": "Bob", "city": None},
        {"first_name": "Eve", "city": "Oslo"},
    ]
    rows = [{"user_id": f"{n:03d}", "email": f"{n}@example.com", **person} for n, person in enumerate(people)]
    account.ingest("profiles", rows)
    events = [
        {"user_id": row["user_id"], "event": "Purchase", "ts": "2026-06-30T12:00:00Z"} for row in rows[:5]
    ]
    account.ingest("events", events)
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers", content={"values": VALUES, "attributes": ["city"]})
    return account


def test_the_worst_cases_are_shown(town: Account) -> None:
    """The longest, the one with most missing, the one with unusual characters: each once, with its verdict."""
    found = preview(town.workspace, "hello", as_of=NOW, now=NOW)
    assert [(item.why, item.user_id, item.verdict, item.reason, dict(item.values)) for item in found.examples] == [
        ("longest", "001", "send", None, {"b": "Hi Maximiliana", "c": "CONSTANTINOPLE"}),
        ("most missing", "002", "not sent", "render error: Profile.city missing", {"b": "Hi you", "c": None}),
        ("most unusual characters", "003", "send", None, {"b": "Hi Zoë", "c": "ÆRØ"}),
    ]  # fmt: skip
    assert found.examples[1].bodies == ()
    assert found.faults.to_dicts() == [{"reason": "render error: Profile.city missing", "users": 2}]


def test_what_is_shown_is_what_is_sent(town: Account, receiver: Receiver) -> None:
    """The body of a preview is the frozen batch of the run at the same instants."""
    found = preview(town.workspace, "hello", user_id="003", as_of=NOW, now=NOW)
    plan = runs.plan(town.workspace, "hello", as_of=NOW, now=NOW)
    run = runs.execute(town.workspace, plan, clock=lambda: NOW).run
    path = town.workspace.settings.directory / run.bodies_path
    (request,) = town.workspace.ledger.requests(run.run_id)
    batches = {item["user_identities"]["customer_id"]: item for item in json.loads(read_body(path, request))}
    (example,) = found.examples
    assert example.bodies == (batches["003"],)


def test_any_user_can_be_shown(town: Account) -> None:
    """A user outside the segment is rendered too, and said to be outside; an unknown one is an error."""
    (example,) = preview(town.workspace, "hello", user_id="005", as_of=NOW, now=NOW).examples
    assert (example.verdict, example.values["b"]) == ("not in the segment", "Hi Eve")
    with pytest.raises(NotFoundError, match='no profile of user "9"'):
        preview(town.workspace, "hello", user_id="9", as_of=NOW, now=NOW)


def test_a_preview_has_no_side_effect(town: Account) -> None:
    """No run, no file; and its repr names nobody."""
    found = preview(town.workspace, "hello", as_of=NOW, now=NOW)
    assert town.workspace.ledger.newest(5) == []
    assert not list((town.workspace.settings.directory / "runs").glob("*"))
    assert repr(found) == "Preview()"


def test_an_empty_segment_has_no_worst_case(town: Account) -> None:
    """Nobody qualifies: no example, no fault."""
    town.save_segment(
        "nobody", {"kind": "user", "predicate": {"property": "city", "operator": "=", "values": ["X"]}}
    )
    town.save_campaign("empty", "nobody", content={"values": VALUES})
    found = preview(town.workspace, "empty", as_of=NOW, now=NOW)
    assert (found.examples, found.faults.height) == ((), 0)


def test_a_cell_shows_texts_escaped(town: Account) -> None:
    """The display is registered; what a profile holds is text, never markup."""
    town.save_campaign("bold", "buyers", content={"values": {"b": "<b>{{ Profile.city }}</b>"}})
    text, markup, _ = display.SHOWN[Preview]
    found = preview(town.workspace, "bold", user_id="000", as_of=NOW, now=NOW)
    assert "<td>b</td>" in markup(found)
    assert "&lt;b&gt;Rome&lt;/b&gt;" in markup(found)
    assert "<b>Rome" not in markup(found)
    assert text(found) == 'preview of "bold": 1 users shown, 3 of 5 would be sent to'
