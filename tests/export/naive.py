"""The batches of a user as dicts and ``json.dumps``: plain Python, a user at a time."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from export.encoding import World

from workbench.export.payload import NAMESPACE
from workbench.store.engine import BLANKS


def bodies(world: World) -> Iterator[tuple[int, str, bytes]]:
    """Yield code, ``source_request_id`` and bytes of every batch of a world without shared tokens."""
    for code, person in enumerate(world.people):
        tokens: dict[str, str] = {}
        for device in world.devices if world.content.push_tokens else ():
            if device["user_code"] == code and (token := usable(device["push_token"])) is not None:
                tokens.setdefault(token, device["device_id"])
        for token, device_id in tokens.items() or [(None, None)]:
            yield code, *batch(world, person, token, device_id)


def batch(
    world: World, person: Mapping[str, Any], token: str | None, device_id: str | None
) -> tuple[str, bytes]:
    """Encode one batch."""
    request = unique(f"request/{world.run_id}/{person['user_id']}", device_id)
    known = {name: usable(person.get(attribute)) for name, attribute in world.identities.items()}
    body: dict[str, Any] = {
        "environment": "development",
        "source_request_id": request,
        "user_identities": {name: value for name, value in known.items() if value is not None},
    }
    chosen = {name: json_value(person.get(name)) for name in world.content.attributes}
    present = {name: value for name, value in chosen.items() if value is not None}
    if present := present | ({} if world.attribute is None else {world.attribute: True}):
        body["user_attributes"] = present
    if token is not None:
        body["device_info"] = {"platform": "iOS", "push_token": token}
    rendered = {
        key: person.get("name") or "-" if str(value).startswith("{{") else value
        for key, value in world.content.values.items()
    }
    attributes = {**world.envelope.attributes(), **rendered}
    data = {
        "event_name": "Campaign Message", "custom_event_type": "other",
        "timestamp_unixtime_ms": int(world.envelope.send_at.timestamp() * 1000),
        "source_message_id": request, "custom_attributes": attributes,
    }  # fmt: skip
    body["events"] = [{"event_type": "custom_event", "data": data}]
    return request, dumps(body).encode()


def dumps(value: Any) -> str:
    """JSON without blanks; the control characters that have no escape of their own in capital letters."""
    found = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for code in range(0x20):
        spelt = f"\\u{code:04x}"
        found = re.sub(
            rf"(?<!\\)((?:\\\\)*){re.escape(spelt)}",
            lambda m, new=spelt: m[1] + "\\u" + new[2:].upper(),
            found,
        )
    return found


def unique(name: str, device_id: str | None) -> str:
    """The id of a user, or of a device within it."""
    of_user = uuid.uuid5(NAMESPACE, name)
    return str(of_user if device_id is None else uuid.uuid5(of_user, device_id))


def usable(value: Any) -> str | None:
    """An identity or token as it is sent, or None."""
    trimmed = "" if value is None else str(value).strip(BLANKS)
    return None if trimmed.lower() in {"", "nan", "null", "none"} else trimmed


def json_value(value: Any) -> Any:
    """An attribute as JSON has it: whole numbers without a point, dates and instants as text."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case datetime() | date():
            return value.isoformat()
        case _:
            return value
