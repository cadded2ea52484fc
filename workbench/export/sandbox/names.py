"""The names that mParticle cuts without a word: events and attributes over 256 characters."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

NAME_LENGTH = 256


def cut_names(batch: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Give the batch with its names cut, and the kind of each name that was cut."""
    cuts = tuple(_cuts(batch))
    if not cuts:
        return batch, ()
    kept = dict(batch)
    if "user_attributes" in batch:
        kept["user_attributes"] = _short(batch["user_attributes"])
    if "deleted_user_attributes" in batch:
        kept["deleted_user_attributes"] = [name[:NAME_LENGTH] for name in batch["deleted_user_attributes"]]
    if "events" in batch:
        kept["events"] = [{**event, "data": _data(event["data"])} for event in batch["events"]]
    return kept, cuts


def _cuts(batch: Mapping[str, Any]) -> Iterator[str]:
    yield from ("user-attribute-name" for name in _long(batch.get("user_attributes", {})))
    yield from ("user-attribute-name" for name in _long(batch.get("deleted_user_attributes", ())))
    for event in batch.get("events", ()):
        if len(str(event["data"].get("event_name", ""))) > NAME_LENGTH:
            yield "event-name"
        attributes = event["data"].get("custom_attributes", {})
        yield from ("event-attribute-name" for name in _long(attributes))


def _data(data: dict[str, Any]) -> dict[str, Any]:
    kept = dict(data)
    if isinstance(data.get("event_name"), str):
        kept["event_name"] = data["event_name"][:NAME_LENGTH]
    if "custom_attributes" in data:
        kept["custom_attributes"] = _short(data["custom_attributes"])
    return kept


def _long(attributes: Iterable[str]) -> Iterator[str]:
    return (name for name in attributes if len(name) > NAME_LENGTH)


def _short(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name[:NAME_LENGTH]: value for name, value in attributes.items()}
