"""People and their devices as literals, and the batches that the workbench makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa

from workbench.campaigns.content.rendering import Rendering, templates
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.model import Campaign, Content, Membership, SegmentPin
from workbench.export import linter, payload, tokens
from workbench.export.packing import Part
from workbench.store import engine
from workbench.store.catalogue import STANDARD_DEVICE, Catalogue, Property
from workbench.store.versions import Version

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
IDENTITIES = {"customer_id": "user_id", "email": "email", "other": "points"}
KINDS = {
    "email": "text", "name": "text", "points": "number", "vip": "boolean", "born": "date", "seen": "instant",
    "tags": "list", "app": "version",
}  # fmt: skip
COLUMNS = {
    "email": pl.String, "name": pl.String, "points": pl.Float64, "vip": pl.Boolean, "born": pl.Date,
    "seen": pl.Datetime("us", "UTC"), "tags": pl.List(pl.String), "app": pl.String,
}  # fmt: skip
CATALOGUE = Catalogue(
    attributes={
        **{name: Property(name=name, type=kind, column=f"p_{name}") for name, kind in KINDS.items()},  # type: ignore[arg-type]
        "user_id": Property(name="user_id", type="text", column="user_id"),
    },
    devices={
        name: Property(name=name, type=kind, column=f"p_{name}") for name, kind in STANDARD_DEVICE.items()
    },
    device_columns=frozenset(STANDARD_DEVICE),
)


def bodies(part: Part) -> pl.Series:
    """Return each batch of a part, without the comma after it."""
    assert all(part.text[end - 1] == ord(",") for end in part.bounds[1:])
    ends = zip(part.bounds[:-1], part.bounds[1:], strict=True)
    return pl.Series([bytes(part.text[first : after - 1]).decode() for first, after in ends])


def part(batches: pl.DataFrame) -> Part:
    """Return the part of ``user_code, source_request_id, body``; a user's id is ``u`` and the code."""
    with_commas = batches.with_columns(pl.col("body") + ",", user_id=pl.format("u{}", "user_code")).to_arrow()
    return Part.of(pa.RecordBatch.from_struct_array(with_commas.to_struct_array().combine_chunks()))


@dataclass(frozen=True, kw_only=True)
class World:
    """Some people (``user_id`` and attributes), their devices, and what a campaign says to them; ``attribute`` tells its audience."""

    people: Sequence[Mapping[str, Any]]
    devices: Sequence[Mapping[str, Any]] = ()
    content: Content = field(default_factory=Content)
    identities: Mapping[str, str] = field(default_factory=lambda: dict(IDENTITIES))
    run_id: str = "hello-20260701T120000Z"
    attribute: str | None = None

    @property
    def envelope(self) -> payload.Envelope:
        """What the batches share."""
        campaign = Campaign(
            id="hello", name="Hello", segment=SegmentPin(name="all"), content=self.content,
            membership=None if self.attribute is None else Membership(attribute=self.attribute),
        )  # fmt: skip
        stored = Version(
            id="hello", version=1, digest="", body={}, created_at=NOW, created_by="tester", archived_at=None
        )
        return payload.Envelope(
            run_id=self.run_id,
            campaign=SavedCampaign(campaign=campaign, stored=stored, created_at=NOW),
            environment="development",
            event_name="Campaign Message",
            send_at=NOW,
        )

    def connect(self) -> engine.Connection:
        """Return a connection with the views of a lake that holds them; the code of a user is the place."""
        connection = engine.connect()
        codes = pl.Series(range(len(self.people)), dtype=pl.UInt32)
        instant = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
        columns = {
            f"p_{name}": pl.Series([item.get(name) for item in self.people], dtype=kind)
            for name, kind in COLUMNS.items()
        }
        versions = pl.DataFrame({"user_code": codes, **columns}).with_columns(
            valid_from=instant, recorded_at=instant, seq=pl.lit(1)
        )
        ids = pl.Series([item["user_id"] for item in self.people], dtype=pl.String)
        schema = {
            "user_code": pl.UInt32, "device_id": pl.String, "valid_from": pl.Datetime("us", "UTC"),
            "recorded_at": pl.Datetime("us", "UTC"), "seq": pl.Int32,
            **{
                f"p_{name}": pl.Datetime("us", "UTC") if kind == "instant" else pl.String
                for name, kind in STANDARD_DEVICE.items()
            },
        }  # fmt: skip
        rows = [{name: item.get(name.removeprefix("p_")) for name in schema} for item in self.devices]
        connection.register("profile_versions", versions)
        connection.register("users", pl.DataFrame({"user_code": codes, "user_id": ids}))
        connection.register("device_versions", pl.DataFrame(rows, schema=schema))
        return connection

    def rendering(self, connection: engine.Connection) -> Rendering:
        """Make the templates of the campaign ready."""
        return Rendering(
            templates(self.content, CATALOGUE), connection, catalogue=CATALOGUE, constants={}, matched={},
            as_of=NOW, now=NOW,
        )  # fmt: skip

    def lint(self) -> dict[int, str | None]:
        """Return the broken rule of each user, or None, by code."""
        connection = self.connect()
        rendering = self.rendering(connection)
        rule = linter.lint_sql(
            self.content.attributes, CATALOGUE, identities=self.identities.values(),
            rendered=rendering.values, overhead=payload.overhead(self.envelope, self.identities),
            devices=self.content.push_tokens,
        )  # fmt: skip
        joins, bound = "", {"first": 0, "last": len(self.people), "as_of": NOW}
        if self.content.push_tokens:
            tokens.prepare(connection, CATALOGUE, NOW)
            sizes = linter.devices_sql(CATALOGUE, payload.device_overhead())
            joins = f"LEFT JOIN ({sizes}) d USING (user_code)"
        rendering.render("users", 0, len(self.people))
        sql = (
            f"SELECT user_code, {rule} AS rule FROM users u JOIN profile_versions p USING (user_code) "
            f"{rendering.joins} {joins} WHERE user_code BETWEEN $first AND $last AND $as_of IS NOT NULL"
        )
        return dict(engine.rows(connection, sql, {**bound, **rendering.bound(sql)}))

    def batches(self, codes: Sequence[int] | None = None) -> pl.DataFrame:
        """Encode the batches of some users, by default of all: ``user_code, source_request_id, body``."""
        return pl.concat(
            [
                pl.DataFrame(part.rows).drop("user_id").with_columns(body=bodies(part))
                for part in self.parts(codes)
            ]
        )

    def parts(self, codes: Sequence[int] | None = None) -> list[Part]:
        """Encode them in the parts in which they are encoded."""
        connection = self.connect()
        wanted = range(len(self.people)) if codes is None else codes
        return list(
            payload.batches(
                connection,
                pl.DataFrame({"user_code": wanted}, schema={"user_code": pl.UInt32}),
                self.envelope,
                as_of=NOW,
                catalogue=CATALOGUE,
                identities=self.identities,
                rendering=self.rendering(connection),
            )
        )
