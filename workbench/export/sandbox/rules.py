"""What the schema cannot say of a batch, and the judgement over one batch.

Source: mParticle, Events API (HTTP and JSON reference) and default service limits.
"""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workbench.export.sandbox.body import Sent
from workbench.export.sandbox.names import cut_names
from workbench.export.sandbox.remarks import warnings_of
from workbench.export.sandbox.shape import Fault, Shape

BATCH_BYTES = 128_000
OLDEST = timedelta(days=30)
NEWEST = timedelta(days=1)

_PLACEHOLDERS = frozenset({"", "nan", "none", "null"})
_DEVICE_IDS = (
    "amp_id", "android_advertising_id", "android_uuid", "fire_advertising_id",
    "ios_advertising_id", "ios_idfv", "microsoft_advertising_id", "roku_advertising_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A good batch: its JSON text as stored, and what the archive sorts it by."""

    text: str
    source_request_id: str | None
    environment: str
    run_id: str | None
    event_names: tuple[str, ...]
    warnings: tuple[str, ...]
    cuts: tuple[str, ...]


class Rules:
    """Every rule that a batch is judged by."""

    def __init__(self) -> None:
        """Compile the schema once for all requests."""
        self._shape = Shape()

    def judge(self, sent: Sent, now: datetime) -> Accepted | Fault:
        """Give the batch as it is stored, or why it is dropped."""
        if sent.size > BATCH_BYTES:
            return Fault(rule="batch-size", reason=f"the batch is over {BATCH_BYTES} bytes")
        if not isinstance(sent.value, dict):
            return Fault(rule="batch-type", reason="the batch is not an object")
        batch = sent.value
        fault = self._shape.fault(batch) or next(_faults(batch, sent.text, now), None)
        return fault or _accepted(sent, batch)


def _accepted(sent: Sent, batch: dict[str, Any]) -> Accepted:
    warnings = tuple(warnings_of(batch))
    kept, cuts = cut_names(batch)
    custom = [data for kind, data in _events(kept) if kind == "custom_event"]
    run_ids = (data.get("custom_attributes", {}).get("run_id") for data in custom)
    return Accepted(
        text=json.dumps(kept, default=float, ensure_ascii=False) if cuts else sent.text,
        source_request_id=batch.get("source_request_id"),
        environment=batch.get("environment", "production"),
        run_id=next((str(run_id) for run_id in run_ids if run_id is not None), None),
        event_names=tuple(data["event_name"] for data in custom),
        warnings=warnings,
        cuts=cuts,
    )


def _faults(batch: Mapping[str, Any], text: str, now: datetime) -> Iterator[Fault]:
    yield from _text_faults(batch, text)
    yield from _identity_faults(batch)
    yield from _address_faults(batch)
    yield from _time_faults(batch, now)


def _text_faults(batch: Mapping[str, Any], text: str) -> Iterator[Fault]:
    if "\\ud" not in text.lower():
        return
    try:
        json.dumps(batch, default=float, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        yield Fault(rule="text", reason="a text holds half of a surrogate pair")


def _identity_faults(batch: Mapping[str, Any]) -> Iterator[Fault]:
    identities = batch.get("user_identities", {})
    if any(value.strip().lower() in _PLACEHOLDERS for value in identities.values()):
        reason = "an identity is empty, or is the text nan, null or none"
        yield Fault(rule="identity-value", reason=reason)
    if any(not -(2**63) <= batch.get(name, 0) < 2**63 for name in ("mpid", "origin_mpid")):
        yield Fault(rule="mpid", reason="mpid does not fit 64 bits")
    device = batch.get("device_info", {})
    if not (
        identities
        or "mpid" in batch
        or "mp_deviceid" in batch
        or any(device.get(name) for name in _DEVICE_IDS)
    ):
        reason = "neither an identity, nor mpid, nor a device id"
        yield Fault(rule="no-identity", reason=reason)


def _address_faults(batch: Mapping[str, Any]) -> Iterator[Fault]:
    if "ip" not in batch:
        return
    try:
        address = ipaddress.ip_address(batch["ip"])
    except ValueError:
        yield Fault(rule="ip", reason="ip is neither an IPv4 nor an IPv6 address")
    else:
        if "%" in str(address):
            yield Fault(rule="ip", reason="ip has a zone")


def _time_faults(batch: Mapping[str, Any], now: datetime) -> Iterator[Fault]:
    oldest = int((now - OLDEST).timestamp() * 1000)
    newest = int((now + NEWEST).timestamp() * 1000)
    for _, data in _events(batch):
        at = data.get("timestamp_unixtime_ms", oldest)
        if at < oldest:
            yield Fault(rule="event-too-old", reason="an event is more than 30 days old")
        if at > newest:
            reason = "an event is more than a day in the future"
            yield Fault(rule="event-in-future", reason=reason)


def _events(batch: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((event["event_type"], event["data"]) for event in batch.get("events", ()))
