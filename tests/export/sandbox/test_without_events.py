"""Batches without an event: they change attributes, and are counted apart from messages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from workbench.export.sandbox import Receiver, attributes, report

Serve = Callable[..., Receiver]


def leave(number: int, **said: Any) -> dict[str, Any]:
    """A batch that says something of the user and holds no event."""
    return {
        "environment": "development", "source_request_id": f"l-{number}",
        "user_identities": {"customer_id": "c-1"}, "events": [], **said,
    }  # fmt: skip


def test_attributes_are_what_was_said_last(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """True, false, deleted; a null is a tag and no deletion; an absent list of events is an empty one."""
    receiver = serve()
    url = f"{receiver.url}/bulkevents"
    client.post(url, json=[batch | {"user_attributes": {"in_club": True}}])
    assert attributes(tmp_path, "in_club") == {"c-1": True}
    client.post(url, json=[leave(1, user_attributes={"in_club": False})])
    assert attributes(tmp_path, "in_club") == {"c-1": False}
    client.post(url, json=[leave(2, user_attributes={"in_club": None})])
    assert attributes(tmp_path, "in_club") == {"c-1": None}
    gone = leave(3, deleted_user_attributes=["in_club"])
    del gone["events"]
    client.post(url, json=[gone])
    assert attributes(tmp_path, "in_club") == {}
    found = report(tmp_path)
    assert (found.accepted, found.without_event, found.warnings) == (4, 3, ())
    assert found.accepted_per_run == (("run-1", 1),)


def test_what_a_careful_sender_avoids(serve: Serve, client: requests.Session, tmp_path: Path) -> None:
    """An attribute that is set and deleted at once, a batch that says nothing, a name that is cut."""
    receiver = serve()
    both = leave(1, user_attributes={"a": False}, deleted_user_attributes=["a"])
    long = leave(3, deleted_user_attributes=["x" * 257])
    client.post(f"{receiver.url}/bulkevents", json=[both, leave(2), long])
    found = report(tmp_path)
    assert found.warnings == (("attribute-set-and-deleted", 1), ("nothing-in-batch", 1))
    assert found.cut == (("user-attribute-name", 1),)
