"""The three files, written block by block and named only when complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from .history import EVENT_COLUMNS, readable

ROW_GROUP = 125_000
NAMES = ("events.parquet", "profiles.csv", "devices.ndjson")
ARROW_TYPES = {
    "ts": pa.timestamp("us", tz="UTC"),
    "price": pa.float64(),
    "quantity": pa.int32(),
    "gift": pa.bool_(),
}
EVENT_SCHEMA = pa.schema([(name, ARROW_TYPES.get(name, pa.string())) for name in EVENT_COLUMNS])
SECONDS = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(slots=True, kw_only=True)
class Files:
    """The open files."""

    events: pq.ParquetWriter
    profiles: BinaryIO
    devices: BinaryIO
    event_count: int = 0

    def add_events(self, compact: pl.DataFrame, user_ids: pl.Series) -> None:
        """Write compact events, one row group after the other."""
        for rows in compact.iter_slices(ROW_GROUP):
            table = readable(rows, user_ids, self.event_count + 1).to_arrow().cast(EVENT_SCHEMA)
            self.events.write_table(table)
            self.event_count += len(rows)

    def add_profiles(self, profiles: pl.DataFrame) -> None:
        """Write profiles; the first ones bring the header."""
        header = self.profiles.tell() == 0
        profiles.write_csv(
            self.profiles,
            include_header=header,
            datetime_format=SECONDS,
            line_terminator="\n",
        )

    def add_devices(self, devices: pl.DataFrame) -> None:
        """Write devices, one JSON object a line."""
        last_seen = pl.col("last_seen").dt.strftime(SECONDS)
        devices.with_columns(last_seen).write_ndjson(self.devices)


@contextmanager
def open_files(out: Path) -> Iterator[Files]:
    """Open the files in `out` as `.part`; rename them once all are complete."""
    out.mkdir(parents=True, exist_ok=True)
    parts = [out / f"{name}.part" for name in NAMES]
    with (
        pq.ParquetWriter(parts[0], EVENT_SCHEMA, compression="zstd", compression_level=6) as events,
        parts[1].open("wb") as profiles,
        parts[2].open("wb") as devices,
    ):
        yield Files(events=events, profiles=profiles, devices=devices)
    for part, name in zip(parts, NAMES, strict=True):
        part.replace(out / name)
