"""One user's batches: fixed event name, identities, chosen attributes, and ids that never change.

A user has one batch; where push tokens are asked for, one for each token. ``source_request_id`` is a uuid5
of run and user, and of the device where there is one: the same on every retry and after a restart,
another one in the next run. mParticle drops what it has seen under it.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from workbench.campaigns.candidates import identities_sql
from workbench.campaigns.content.rendering import Rendering
from workbench.campaigns.content.shorthand import is_template
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.verdicts import TARGET
from workbench.errors import StoreError
from workbench.export import encoding, tokens
from workbench.export.packing import Part
from workbench.settings import PropertyType
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.held import profiles_at

NAMESPACE = uuid.UUID("8f0c6a52-6f9e-5d0e-9a57-3c9b1f0f2d11")
# A row group of a profile file, which is read whole.
USERS = 122_880
ROWS, BYTES = 10_240, 25_000_000
TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is the same for every user of a run; ``test`` marks a test send."""

    run_id: str
    campaign: SavedCampaign
    environment: str
    event_name: str
    send_at: datetime
    test: bool = False

    @property
    def flags(self) -> dict[str, bool]:
        """The user attribute that says who is in the audience that the campaign keeps; a test says nothing."""
        kept = self.campaign.campaign.membership
        return {} if kept is None or self.test else {kept.attribute: True}

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


def request_id(run_id: str, user_id: str, device_id: str | None = None) -> str:
    """Return the ``source_request_id`` of one user, and device, in one run; its event has the same id.

    A device is named inside its user's id, so that no two names of users and devices run together.
    """
    of_user = uuid.uuid5(NAMESPACE, f"request/{run_id}/{user_id}")
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
    profiles: str | None = None,
) -> Iterator[Part]:
    """Encode the batches of every recipient, in the order of ``user_code``, so many at a time.

    The next ones are made while some are used.

    Args:
        connection: with the views of the run's lake version.
        recipients: ``user_code``.
        envelope: what all batches share.
        as_of: the instant at which profiles are read.
        catalogue: of the same lake version.
        identities: mParticle identity to profile attribute.
        rendering: of the campaign's values, on this connection, at the instants of the plan.
        profiles: SQL of the profiles at ``$as_of``, one row a user; by default whatever the lake.

    Yields:
        Parts with at least one batch a user, those of a user one after the other.

    Raises:
        StoreError: a recipient's values cannot be rendered, though the plan could.
    """
    content = envelope.campaign.campaign.content
    known = identities_sql(identities, catalogue)
    chosen = {name: catalogue.attributes[name] for name in content.attributes}
    columns = [f"{sql} AS i{n}" for n, sql in enumerate(known.values())]
    columns += [
        f"{'u.user_id' if item.column == 'user_id' else 'p.' + engine.quote(item.column)} AS a{n}"
        for n, item in enumerate(chosen.values())
    ]
    columns += [f"{value} AS t{n}" for n, value in enumerate(rendering.values.values())]
    joins, order = rendering.joins, "user_code"
    if content.push_tokens:
        tokens.prepare(connection, catalogue, as_of)
        columns += ["d.device_id", "d.push_token", "d.platform", "d.place"]
        joins += f" LEFT JOIN ({tokens.devices_sql(catalogue)}) d USING (user_code)"
        order += ", place"
    found = _encoding(envelope, known, {name: item.type for name, item in chosen.items()}, rendering.values)
    rows = (
        f"SELECT w.user_code, u.user_id, {', '.join(columns)} FROM recipients w JOIN users u USING (user_code) "
        f"JOIN ({profiles or profiles_at()}) p USING (user_code) {joins} "
        f"WHERE u.user_code BETWEEN $first AND $last AND p.user_code BETWEEN $first AND $last ORDER BY {order}"
    )
    sql = f"SELECT user_code, user_id, source_request_id, body FROM {found.relation(f'({rows})')}"
    bound = {**found.constants, **rendering.bound(sql), **({"as_of": as_of} if "$as_of" in sql else {})}
    size = min(ROWS, BYTES // sum(map(len, found.constants.values())) + 1)
    # Offsets of 32 bits end at 2 GB.
    engine.execute(connection, "SET arrow_large_buffer_size = true")
    for part in recipients.sort("user_code").iter_slices(USERS):
        connection.register("recipients", part)
        limits = {"first": part["user_code"][0], "last": part["user_code"][-1]}
        rendering.render("recipients", limits["first"], limits["last"])
        for encoded in engine.stream(connection, sql, {**limits, **bound}, size=size):
            if encoded["body"].null_count:
                raise StoreError("a value that the plan rendered cannot be rendered again; nothing was sent")
            yield Part.of(encoded)
        connection.unregister("recipients")


def overhead(envelope: Envelope, identities: Mapping[str, str]) -> int:
    """Return the bytes of a batch without device in which every identity, attribute and templated value is empty."""
    content = envelope.campaign.campaign.content
    rendered = [key for key, value in content.values.items() if isinstance(value, str) and is_template(value)]
    attributes: dict[str, PropertyType] = dict.fromkeys(content.attributes, "text")
    found = _encoding(envelope, identities, attributes, rendered, devices=False)
    names = [
        f"{kind}{n}"
        for kind, of in zip("iat", (identities, attributes, rendered), strict=True)
        for n in range(len(of))
    ]
    empty = ", ".join(f"'' AS {name}" for name in ("user_id", *names))
    sql = f"SELECT strlen(body) - 1 FROM {found.relation(f'(SELECT {empty})')}"
    ((size,),) = engine.rows(engine.connect(), sql, found.constants)
    return int(size)


def device_overhead() -> int:
    """Return the bytes that the longest platform and an empty token add to a batch."""
    info = {"platform": max(tokens.PLATFORMS, key=len), "push_token": ""}
    return len(encoding.dumps({"device_info": info})) - 1


def _encoding(
    envelope: Envelope,
    identities: Iterable[str],
    attributes: Mapping[str, PropertyType],
    rendered: Iterable[str],
    *,
    devices: bool | None = None,
) -> encoding.Encoding:
    content = envelope.campaign.campaign.content
    return encoding.encoding(
        namespace=NAMESPACE,
        run_id=envelope.run_id,
        before={"environment": envelope.environment},
        identities=tuple(identities),
        attributes=attributes,
        flags=envelope.flags,
        event={
            "event_name": envelope.event_name,
            "custom_event_type": "other",
            "timestamp_unixtime_ms": int(envelope.send_at.timestamp() * 1000),
        },
        shared=envelope.attributes(),
        rendered=tuple(rendered),
        devices=content.push_tokens if devices is None else devices,
    )
