"""The lake at one version as Polars lazy frames: the same rows and columns as the views of a connection."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from workbench.settings import PropertyType
from workbench.store.pinned import BASE_COLUMNS, LakeVersion

INSTANT = pl.Datetime("us", "UTC")

BASE_TYPES: Mapping[str, pl.DataType] = {
    "UINTEGER": pl.UInt32(), "INTEGER": pl.Int32(), "VARCHAR": pl.String(), "TIMESTAMPTZ": INSTANT,
}  # fmt: skip
FRAME_TYPES: Mapping[PropertyType, pl.DataType] = {
    "text": pl.String(), "number": pl.Float64(), "boolean": pl.Boolean(), "date": pl.Date(),
    "instant": INSTANT, "list": pl.List(pl.String()), "version": pl.String(),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What a Polars query reads; profiles and devices hold all their versions."""

    users: pl.LazyFrame
    events: pl.LazyFrame
    profiles: pl.LazyFrame
    devices: pl.LazyFrame
    lists: pl.LazyFrame


def frames(version: LakeVersion) -> Frames:
    """Scan the files of a lake version; nothing is read before ``collect``."""
    return Frames(**{kind: _scan(version, kind) for kind in BASE_COLUMNS})


def _scan(version: LakeVersion, kind: str) -> pl.LazyFrame:
    schema = {name: BASE_TYPES[sql] for name, sql in BASE_COLUMNS[kind].items()}
    schema |= {item.column: FRAME_TYPES[item.type] for item in version.properties(kind)}
    parts = [pl.LazyFrame(schema=schema)]
    for path in version.paths(kind):
        part = pl.scan_parquet(path, glob=False)
        present = part.collect_schema().names()
        parts.append(
            part.select(
                (pl.col(name) if name in present else pl.lit(None)).cast(kind).alias(name)
                for name, kind in schema.items()
            )
        )
    return pl.concat(parts)
