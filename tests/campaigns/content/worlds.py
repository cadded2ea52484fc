"""Profiles and constant properties as literals, and what Liquid itself makes of a template over them."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from workbench.campaigns.content import liquid
from workbench.campaigns.content.rendering import Rendering
from workbench.campaigns.content.template import read
from workbench.store import engine
from workbench.store.catalogue import Catalogue, Property

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
KINDS = {
    "name": "text", "first name": "text", "points": "number", "vip": "boolean", "born": "date",
    "seen": "instant", "tags": "list", "app": "version",
}  # fmt: skip
SCHEMA = {
    "name": pl.String, "first name": pl.String, "points": pl.Float64, "vip": pl.Boolean, "born": pl.Date,
    "seen": pl.Datetime("us", "UTC"), "tags": pl.List(pl.String), "app": pl.String,
}  # fmt: skip
CATALOGUE = Catalogue(
    attributes={
        **{name: Property(name=name, type=kind, column=name) for name, kind in KINDS.items()},  # type: ignore[arg-type]
        "user_id": Property(name="user_id", type="text", column="user_id"),
    }
)
CONSTANTS = {
    "viewed": Property(name="viewed", type="text", column="p_sku"),
    "price": Property(name="price", type="number", column="p_price"),
}


def rendered(
    texts: Sequence[str],
    profiles: Sequence[Mapping[str, Any]],
    matched: Mapping[str, Sequence[Sequence[Any] | None]] | None = None,
) -> tuple[Rendering, list[dict[str, Any]]]:
    """Render templates for profiles: ``v0, v1, …`` and ``reason`` of each."""
    codes = list(range(len(profiles)))
    connection = engine.connect()
    columns = {name: pl.Series([item.get(name) for item in profiles], dtype=SCHEMA[name]) for name in SCHEMA}
    versions = pl.DataFrame({"user_code": pl.Series(codes, dtype=pl.UInt32), **columns})
    instant = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    connection.register(
        "profile_versions",
        versions.with_columns(valid_from=instant, recorded_at=instant, seq=pl.lit(1)),
    )
    users = pl.DataFrame(
        {
            "user_code": pl.Series(codes, dtype=pl.UInt32),
            "user_id": pl.Series([f"u{code}" for code in codes], dtype=pl.String),
        }
    )
    connection.register("users", users)
    found = [read(f"k{number}", text, CATALOGUE) for number, text in enumerate(texts)]
    given = matched or {}
    frames = {
        name: pl.DataFrame(
            [(code, values) for code, values in enumerate(given.get(name, ())) if values],
            schema={"user_code": pl.UInt32, "values": pl.List(pl.String if name == "viewed" else pl.Float64)},
            orient="row",
        )
        for name in CONSTANTS
    }
    rendering = Rendering(
        found, connection, catalogue=CATALOGUE, constants=CONSTANTS, matched=frames, as_of=NOW, now=NOW
    )
    rendering.render("users", 0, len(codes))
    values = "".join(f", {value} AS v{n}" for n, value in enumerate(rendering.values.values()))
    sql = (
        f"SELECT user_code{values}, {rendering.reason} AS reason FROM users u "
        f"JOIN profile_versions p USING (user_code) {rendering.joins} ORDER BY user_code"
    )
    return rendering, engine.frame(connection, sql, rendering.bound(sql)).to_dicts()


def by_liquid(text: str, profile: Mapping[str, Any], **known: Any) -> tuple[str | None, str | None]:
    """Return what Liquid makes of a template for one profile: its text, or the reason."""
    present = {name: value for name, raw in profile.items() if (value := given(raw)) is not None}
    names = {"Profile": present, "now": NOW, "today": NOW.date()}
    names |= {name: cleaned for name, values in known.items() if (cleaned := given(values)) is not None}
    try:
        found = liquid.render(read("k0", text, CATALOGUE).parsed, names)
    except liquid.UndefinedError as error:
        return None, f"render error: {error.message}"
    if not found.strip(engine.BLANKS):
        return found, "render error: k0 is blank"
    return found, None


def given(value: Any) -> Any:
    """Return a value as Liquid is given it: whole numbers without a point, nothing for what is missing."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case list():
            kept = ["" if item == "" else given(item) for item in value]
            return [item for item in kept if item is not None] or None
        case "":
            return None
        case _:
            return value
