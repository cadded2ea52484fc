"""What mParticle takes without a word and a careful sender still avoids."""

from collections.abc import Iterator, Mapping
from typing import Any

_RESERVED = frozenset({
    "$address", "$age", "$city", "$country", "$firstname", "$gender", "$lastname", "$mobile",
    "$state", "$zip",
})  # fmt: skip
_EVENT_FIELDS = frozenset({
    "canonical_name", "custom_attributes", "custom_event_type", "custom_flags",
    "data_connection_type", "device_current_state", "event_id", "event_name", "event_num",
    "event_start_unixtime_ms", "event_system_notification_info", "is_goal_defined",
    "is_main_thread", "lifetime_value_attribute_name", "lifetime_value_change", "location",
    "session_id", "session_start_unixtime_ms", "session_uuid", "source_message_id",
    "timestamp_unixtime_ms", "view_controller",
})  # fmt: skip


def warnings_of(batch: Mapping[str, Any]) -> Iterator[str]:
    """Name each warning over one well-shaped batch."""
    if "environment" not in batch:
        yield "environment-absent"
    if "source_request_id" not in batch:
        yield "source-request-id-absent"
    if {"batch_id", "timestamp_unixtime_ms"} & set(batch):
        yield "set-by-mparticle"
    attributes = batch.get("user_attributes", {})
    if any(name.startswith("$") and name not in _RESERVED for name in attributes):
        yield "reserved-attribute"
    deleted = batch.get("deleted_user_attributes", ())
    if set(attributes) & set(deleted):
        yield "attribute-set-and-deleted"
    if not (attributes or deleted or batch.get("events")):
        yield "nothing-in-batch"
    for event in batch.get("events", ()):
        yield from _event_warnings(event)


def _event_warnings(event: Mapping[str, Any]) -> Iterator[str]:
    data = event["data"]
    if "timestamp_unixtime_ms" not in data:
        yield "event-timestamp-absent"
    if "source_message_id" not in data:
        yield "source-message-id-absent"
    if {"event_id", "session_id"} & set(data):
        yield "set-by-mparticle"
    if event["event_type"] == "custom_event" and not set(data) <= _EVENT_FIELDS:
        yield "event-field-unknown"
