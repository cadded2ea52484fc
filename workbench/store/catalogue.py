"""The catalogue: which events, properties and attributes the lake knows, with their types."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workbench.settings import DeclaredCatalogue, PropertyType

ANY_EVENT, CONTROL_GROUP = "Any Event", "Control Group"

SYSTEM_EVENTS = (
    "AB Experiment Disqualified", "AB Experiment Rendered", "AB Experiment Rolled Out",
    "AB Experiment Stopped", ANY_EVENT, "App Uninstalled", "App Version Changed", CONTROL_GROUP,
    "Experiment Rendered", "Geocluster Entered", "Geocluster Exited", "Notification Clicked",
    "Notification Delivered", "Notification Replied", "Notification Viewed", "Push Impressions",
    "Reply Sent", "UTM Visited", "wzrk_fetch",
)  # fmt: skip

STANDARD_ATTRIBUTES: Mapping[str, PropertyType] = {
    "customer_id": "text", "email": "text", "phone": "text", "first_name": "text", "last_name": "text",
    "timezone": "text", "country": "text", "region": "text", "city": "text",
    "latitude": "number", "longitude": "number", "birth_date": "date", "gender": "text",
    "unsubscribed": "boolean",
}  # fmt: skip

STANDARD_DEVICE: Mapping[str, PropertyType] = {
    "platform": "text", "os": "text", "os_version": "version", "browser": "text",
    "app_version": "version", "push_token": "text", "last_seen": "instant",
}  # fmt: skip

SQL_TYPES: Mapping[PropertyType, str] = {
    "text": "VARCHAR", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "instant": "TIMESTAMPTZ", "list": "VARCHAR[]", "version": "VARCHAR",
}  # fmt: skip


Span = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property or attribute: its exact name, its type, and its column in the lake."""

    name: str
    type: PropertyType
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """An event name with its number of rows and the properties that ever occurred on it."""

    name: str
    rows: int
    properties: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVersion:
    """One import of a custom list."""

    version: int
    recorded_at: datetime
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that a condition may name, at one version of the lake.

    Attributes:
        version: the lake version that this describes; 0 before the first ingest.
        events: by exact name; declared and system events without rows included.
        properties: the event properties by exact name.
        attributes: the profile attributes by exact name; ``user_id`` is always one.
        devices: the properties of devices by exact name; ``device_id`` is always one.
        device_columns: the properties of devices that some row of the lake was read with.
        lists: the versions of each custom list, oldest first.
        first_ts: the earliest ingested event; None without any.
        last_ts: the latest ingested event, so that what the workbench writes itself moves no default instant.
        span: the earliest and the latest of all events.
    """

    version: int = 0
    events: Mapping[str, EventType] = field(default_factory=dict)
    properties: Mapping[str, Property] = field(default_factory=dict)
    attributes: Mapping[str, Property] = field(default_factory=dict)
    devices: Mapping[str, Property] = field(default_factory=dict)
    device_columns: frozenset[str] = frozenset()
    lists: Mapping[str, tuple[ListVersion, ...]] = field(default_factory=dict)
    first_ts: datetime | None = None
    last_ts: datetime | None = None
    span: Span = (None, None)

    def properties_of(self, events: Iterable[str]) -> frozenset[str]:
        """Return the property names that occur on at least one of ``events``."""
        names: set[str] = set()
        for name in events:
            if name == ANY_EVENT:
                return frozenset(self.properties)
            if name in self.events:
                names |= self.events[name].properties
        return frozenset(names)


def build(
    *,
    version: int,
    contents: Iterable[Mapping[str, Mapping[str, Any]]],
    columns: Mapping[str, Mapping[str, Property]],
    declared: DeclaredCatalogue,
    lists: Mapping[str, tuple[ListVersion, ...]] | None = None,
    ingested: Span,
    span: Span,
) -> Catalogue:
    """Add up what each event file holds, and what is declared or built in.

    Args:
        version: of the lake.
        contents: for each file ``{event: {"rows": n, "properties": [names]}}``.
        columns: ``{"events": {name: Property}, "profiles": …, "devices": …}``.
        declared: the ``[catalogue]`` section.
        lists: the versions of each custom list.
        ingested: earliest and latest ingested event.
        span: earliest and latest event of all.
    """
    row_counts: dict[str, int] = dict.fromkeys((*SYSTEM_EVENTS, *declared.events), 0)
    names: dict[str, set[str]] = {name: set() for name in row_counts}
    for part in contents:
        for event, found in part.items():
            row_counts[event] = row_counts.get(event, 0) + int(found["rows"])
            names.setdefault(event, set()).update(found["properties"])
    properties = dict(columns.get("events", {}))
    attributes = dict(columns.get("profiles", {}))
    for event, declaration in declared.events.items():
        names[event] |= set(declaration.properties)
        for name, kind in declaration.properties.items():
            properties.setdefault(name, declare(name, kind, properties.values()))
    for name, kind in {**STANDARD_ATTRIBUTES, **declared.attributes}.items():
        attributes.setdefault(name, declare(name, kind, attributes.values()))
    attributes["user_id"] = Property(name="user_id", type="text", column="user_id")
    devices = dict(columns.get("devices", {}))
    for name, kind in STANDARD_DEVICE.items():
        devices.setdefault(name, declare(name, kind, devices.values()))
    devices["device_id"] = Property(name="device_id", type="text", column="device_id")
    return Catalogue(
        version=version,
        events={
            name: EventType(name=name, rows=count, properties=frozenset(names[name]))
            for name, count in sorted(row_counts.items())
        },
        properties=dict(sorted(properties.items())),
        attributes=dict(sorted(attributes.items())),
        devices=dict(sorted(devices.items())),
        device_columns=frozenset(columns.get("devices", {})),
        lists=lists or {},
        first_ts=ingested[0],
        last_ts=ingested[1],
        span=span,
    )


def declare(name: str, kind: PropertyType, others: Iterable[Property]) -> Property:
    """Give ``name`` a column of its own: readable, and unique whatever its case and signs.

    >>> declare("Order Total ($)", "number", ()).column
    'p_order_total'
    """
    slug = "p_" + (re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "x")
    taken = {other.column for other in others}
    column, n = slug, 1
    while column in taken:
        n += 1
        column = f"{slug}_{n}"
    return Property(name=name, type=kind, column=column)
