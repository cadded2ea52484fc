"""One user's batches: fixed event name, identities, chosen attributes, and ids that never change.

A user has one batch; where push tokens are asked for, one for each token. ``source_request_id`` is a uuid5
of run and user, and of the device where there is one: the same on every retry and after a restart,
another one in the next run. mParticle drops what it has seen under it.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from workbench.campaigns.candidates import identities_sql
from workbench.campaigns.content.rendering import Rendering
from workbench.campaigns.content.shorthand import is_template
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.verdicts import TARGET
from workbench.errors import StoreError
from workbench.export import tokens
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.held import profiles_at

NAMESPACE = uuid.UUID("8f0c6a52-6f9e-5d0e-9a57-3c9b1f0f2d11")
ROWS = 20_000
TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One encoded batch of a user."""

    user_code: int
    source_request_id: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is the same for every user of a run; ``test`` marks a test send."""

    run_id: str
    campaign: SavedCampaign
    environment: str
    event_name: str
    send_at: datetime
    test: bool = False

    def attributes(self) -> dict[str, Any]:
        """The attributes of the event: which campaign, which run, and the campaign's own values."""
        campaign = self.campaign.campaign
        return {
            "campaign_id": campaign.id,
            "campaign_name": campaign.name,
            "campaign_version": self.campaign.stored.version,
            "run_id": self.run_id,
            "arm": TEST if self.test else TARGET,
            **({TEST: True} if self.test else {}),
            **campaign.content.values,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a batch goes; ``platform`` is None where mParticle has no name for it."""

    device_id: str
    push_token: str
    platform: str | None

    def info(self) -> dict[str, str]:
        """The ``device_info`` of the batch."""
        platform = {} if self.platform is None else {"platform": self.platform}
        return {**platform, "push_token": self.push_token}


def request_id(run_id: str, user_id: str, device_id: str | None = None) -> str:
    """Return the ``source_request_id`` of one user, and device, in one run."""
    return _id(f"request/{run_id}/{user_id}", device_id)


def message_id(run_id: str, user_id: str, device_id: str | None = None) -> str:
    """Return the ``source_message_id`` of one user's event, on a device, in one run."""
    return _id(f"message/{run_id}/{user_id}", device_id)


def _id(name: str, device_id: str | None) -> str:
    """A device is named inside its user's id, so that no two names of users and devices run together."""
    of_user = uuid.uuid5(NAMESPACE, name)
    return str(of_user if device_id is None else uuid.uuid5(of_user, device_id))


def batches(
    connection: engine.Connection,
    recipients: pl.DataFrame,
    envelope: Envelope,
    *,
    as_of: datetime,
    catalogue: Catalogue,
    identities: Mapping[str, str],
    rendering: Rendering,
) -> Iterator[Batch]:
    """Encode the batches of every recipient, in the order of ``user_code``, ``ROWS`` users at a time.

    Args:
        connection: with the views of the run's lake version.
        recipients: ``user_code``.
        envelope: what all batches share.
        as_of: the instant at which profiles are read.
        catalogue: of the same lake version.
        identities: mParticle identity to profile attribute.
        rendering: of the campaign's values, on this connection, at the instants of the plan.

    Raises:
        StoreError: a recipient's values cannot be rendered, though the plan could.
    """
    content = envelope.campaign.campaign.content
    known = identities_sql(identities, catalogue)
    chosen = [catalogue.attributes[name] for name in content.attributes]
    columns = [f"{sql} AS i{n}" for n, sql in enumerate(known.values())]
    columns += [
        f"{'u.user_id' if item.column == 'user_id' else 'p.' + engine.quote(item.column)} AS a{n}"
        for n, item in enumerate(chosen)
    ]
    columns += [f"{value} AS t{n}" for n, value in enumerate(rendering.values.values())]
    joins, order = rendering.joins, "w.user_code"
    if content.push_tokens:
        tokens.prepare(connection, catalogue, as_of)
        columns += ["d.device_id", "d.push_token", "d.platform"]
        joins += f" LEFT JOIN ({tokens.devices_sql(catalogue)}) d USING (user_code)"
        order += ", d.place"
    sql = (
        f"WITH p AS ({profiles_at()}) SELECT w.user_code, u.user_id, {', '.join(columns)} "
        f"FROM recipients w JOIN users u USING (user_code) JOIN p USING (user_code) {joins} "
        "WHERE u.user_code BETWEEN $first AND $last AND p.user_code BETWEEN $first AND $last "
        f"ORDER BY {order}"
    )
    shared = envelope.attributes()
    for part in recipients.sort("user_code").iter_slices(ROWS):
        connection.register("recipients", part)
        limits = {"first": part["user_code"][0], "last": part["user_code"][-1], "as_of": as_of}
        rendering.render("recipients", limits["first"], limits["last"])
        for row in engine.frame(connection, sql, {**limits, **rendering.bound(sql)}).iter_rows(named=True):
            yield _batch(
                envelope,
                _values(shared, {key: row[f"t{n}"] for n, key in enumerate(rendering.values)}),
                row["user_code"],
                row["user_id"],
                {name: row[f"i{n}"] for n, name in enumerate(known)},
                {item.name: row[f"a{n}"] for n, item in enumerate(chosen)},
                _device(row) if content.push_tokens else None,
            )
        connection.unregister("recipients")


def overhead(envelope: Envelope, identities: Mapping[str, str]) -> int:
    """Return the bytes of a batch without device in which every identity, attribute and templated value is empty."""
    content = envelope.campaign.campaign.content
    shared = {
        key: "" if isinstance(value, str) and is_template(value) else value
        for key, value in envelope.attributes().items()
    }
    empty = _batch(
        envelope, shared, 0, "", dict.fromkeys(identities, ""), dict.fromkeys(content.attributes, "")
    )
    return len(empty.body)


def device_overhead() -> int:
    """Return the bytes that the longest platform and an empty token add to a batch."""
    info = Device(device_id="", push_token="", platform=max(tokens.PLATFORMS, key=len)).info()
    return len(_encoded({"device_info": info})) - 1


def _batch(
    envelope: Envelope,
    shared: Mapping[str, Any],
    user_code: int,
    user_id: str,
    identities: Mapping[str, str | None],
    attributes: Mapping[str, Any],
    device: Device | None = None,
) -> Batch:
    device_id = None if device is None else device.device_id
    source_request_id = request_id(envelope.run_id, user_id, device_id)
    body: dict[str, Any] = {
        "environment": envelope.environment,
        "source_request_id": source_request_id,
        "user_identities": {name: value for name, value in identities.items() if value is not None},
    }
    present = {name: _value(value) for name, value in attributes.items() if value is not None}
    if present:
        body["user_attributes"] = present
    if device is not None:
        body["device_info"] = device.info()
    body["events"] = [
        {
            "event_type": "custom_event",
            "data": {
                "event_name": envelope.event_name,
                "custom_event_type": "other",
                "timestamp_unixtime_ms": int(envelope.send_at.timestamp() * 1000),
                "source_message_id": message_id(envelope.run_id, user_id, device_id),
                "custom_attributes": shared,
            },
        }
    ]
    return Batch(user_code=user_code, source_request_id=source_request_id, body=_encoded(body))


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _device(row: Mapping[str, Any]) -> Device | None:
    if row["device_id"] is None:
        return None
    return Device(device_id=row["device_id"], push_token=row["push_token"], platform=row["platform"])


def _values(shared: dict[str, Any], rendered: dict[str, str | None]) -> dict[str, Any]:
    """Put the texts of one user in the places of their templates."""
    if None in rendered.values():
        raise StoreError("a value that the plan rendered cannot be rendered again; nothing was sent")
    return {**shared, **rendered}


def _value(value: Any) -> Any:
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case datetime() | date():
            return value.isoformat()
        case _:
            return value
