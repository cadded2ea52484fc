"""Times: read as written, refused where the zone is not told, rejected with the exact line."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from accounts import Account
from store.rows import rejects, values, write

from workbench.errors import IngestError


def times(account: Account, texts: list[str], **source: Any) -> list[str]:
    """Ingest events at these times; return them as the lake has them, in order of the rows."""
    body = "".join(f'{n:04d},A,"{text}"\n' for n, text in enumerate(texts))
    account.ingest_file("events", write(account, "t.csv", "user_id,event,ts\n" + body), **source)
    return [found if isinstance(found, str) else found.isoformat() for found in values(account, "ts")]


def test_iso_times_with_a_zone(account: Account) -> None:
    """Z, offsets of all spellings, fractions cut at the microsecond, the first and the last year."""
    told = [
        ("2026-06-30T12:00:00Z", "2026-06-30T12:00:00+00:00"),
        ("2026-06-30t12:00:00z".upper(), "2026-06-30T12:00:00+00:00"),
        ("2026-06-30 12:00:00z", "2026-06-30T12:00:00+00:00"),
        ("2026-06-30T12:00Z", "2026-06-30T12:00:00+00:00"),
        ("2026-06-30T12:00:00+05:30", "2026-06-30T06:30:00+00:00"),
        ("2026-06-30T12:00:00+0530", "2026-06-30T06:30:00+00:00"),
        ("2026-06-30T12:00:00-03", "2026-06-30T15:00:00+00:00"),
        ("2026-06-30 12:00:00 +02:00", "2026-06-30T10:00:00+00:00"),
        ("2026-06-30 12:00:00  Z", "2026-06-30T12:00:00+00:00"),
        (" 2026-06-30T12:00:00Z ", "2026-06-30T12:00:00+00:00"),
        ("2026-06-30T12:00:00.5Z", "2026-06-30T12:00:00.500000+00:00"),
        ("2026-06-30T12:00:00.123456789Z", "2026-06-30T12:00:00.123456+00:00"),
        ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ]
    assert times(account, [text for text, _ in told]) == [instant for _, instant in told]


UNREADABLE = [
    "infinity", "-infinity", "epoch", "now", "today", "2026-02-30T12:00:00Z", "2026-06-30T25:00:00Z",
    "2026-06-30T12:00:00+99:99", "2026-06-30T12:00:00+05:75", "2026-06-30T12:00:00 EST", "30.06.2026 12:00",
    "06/30/2026", "1782820800", "0000-06-30T12:00:00Z", "9999-12-31T23:59:59-05:00", "2026-06-30T12", "20260630T120000Z",
    "2026-06-30T12:00:00ZZ", "\u0662\u0660\u0662\u0666-06-30T12:00:00Z",
]  # fmt: skip


def test_unreadable_times_are_rejects_with_their_lines(account: Account) -> None:
    """Words that databases take for times, impossible dates and foreign notations are each a reject."""
    good = ["2026-06-30T12:00:00Z"] * 3000
    assert len(times(account, [*good, *UNREADABLE, ""])) == 3000
    told = [line.split(",") for line in rejects(account)]
    assert [line[1] for line in told] == [str(n) for n in range(3002, 3003 + len(UNREADABLE))]
    assert {line[2] for line in told} == {"ts"}
    assert {line[3] for line in told} == {"unreadable time (expected ISO 8601)"}
    assert [line[4] for line in told] == [*UNREADABLE, ""]


def test_lines_are_exact_after_breaks_and_blank_lines(account: Account) -> None:
    """A quoted line break and an empty line move the count as an editor shows it."""
    good = "1,A,2026-06-30T12:00:00Z,\n"
    body = '1,A,2026-06-30T12:00:00Z,"two\nlines"\n\n\n1,A,never,"\n"\n' + good * 200 + "1,A,never,\n"
    summary = account.ingest_file("events", write(account, "t.csv", "user_id,event,ts,note\n" + body))
    assert summary.rejected == 2
    assert [line.split(",")[1] for line in rejects(account)] == ["6", "208"]


def test_lines_of_json_and_rows_of_parquet(account: Account) -> None:
    """NDJSON counts lines, blank ones too; Parquet counts rows from 1."""
    good = '{"user_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z"}\n'
    account.ingest_file(
        "events", write(account, "t.ndjson", "\n" + good * 100 + "\n" + good.replace("2026", "x"))
    )
    assert [line.split(",")[1] for line in rejects(account)] == ["103"]
    frame = pl.DataFrame(
        {"user_id": ["2"] * 101, "event": ["A"] * 101, "ts": ["2026-06-30T12:00:00Z"] * 100 + ["x"]}
    )
    frame.write_parquet(account.home / "t.parquet")
    account.ingest_file("events", account.home / "t.parquet")
    assert [line.split(",")[:2] for line in rejects(account)] == [["t.parquet", "101"]]


@pytest.mark.parametrize("text", ["2026-06-30T12:00:00", "2026-06-30 12:00", "2026-06-30"])
def test_a_time_without_a_zone_is_asked_for(account: Account, text: str) -> None:
    """One naive time among aware ones stops the ingest until --timezone says where it was written."""
    with pytest.raises(IngestError, match=f'"ts" holds times without a zone, such as "{text}".*--timezone'):
        times(account, ["2026-06-30T12:00:00Z", text])
    assert account.workspace.lake.version() == 0
    hour = "04:00:00" if len(text) == 10 else "16:00:00"
    assert times(account, ["2026-06-30T12:00:00Z", text], timezone="America/New_York") == [
        "2026-06-30T12:00:00+00:00", f"2026-06-30T{hour}+00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "column"),
    [({"recorded": "at"}, "at"), ({"types": {"at": "instant"}}, "at")],
)
def test_every_time_needs_its_zone(account: Account, source: dict[str, Any], column: str) -> None:
    """The time of recording and a property that is an instant are asked for like the event's own."""
    path = write(account, "t.csv", "user_id,event,ts,at\n1,A,2026-06-30T12:00:00Z,2026-06-30 13:00:00\n")
    with pytest.raises(IngestError, match=f'"{column}" holds times without a zone'):
        account.ingest_file("events", path, **source)
    account.ingest_file("events", path, timezone="Europe/Berlin", **source)
    name = "received_at" if "recorded" in source else "at"
    assert values(account, name) == [datetime(2026, 6, 30, 11, tzinfo=UTC)]


def test_naive_timestamps_of_parquet_are_asked_for(account: Account) -> None:
    """A TIMESTAMP without zone is naive, as an event's time and as a property."""
    row = {
        "user_id": "1",
        "event": "A",
        "ts": datetime(2026, 6, 30, 12, tzinfo=UTC),
        "x": datetime.fromisoformat("2026-06-30T12:00:00"),
    }
    pl.DataFrame([row]).write_parquet(account.home / "a.parquet")
    with pytest.raises(IngestError, match='"x" holds times without a zone'):
        account.ingest_file("events", account.home / "a.parquet")
    account.ingest_file("events", account.home / "a.parquet", timezone="America/New_York")
    assert values(account, "x") == [datetime(2026, 6, 30, 16, tzinfo=UTC)]
    assert values(account, "ts") == [datetime(2026, 6, 30, 12, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("time_format", "zone", "text", "instant"),
    [
        ("%d.%m.%Y %H:%M", "Europe/Berlin", "30.06.2026 14:00", "2026-06-30T12:00:00+00:00"),
        ("%Y-%m-%d %H:%M:%S %z", None, "2026-06-30 14:00:00 +0200", "2026-06-30T12:00:00+00:00"),
        ("%Y-%m-%d %H:%M:%S %Z", None, "2026-06-30 08:00:00 America/New_York", "2026-06-30T12:00:00+00:00"),
        ("epoch_s", None, "1782820800", "2026-06-30T12:00:00+00:00"),
        ("epoch_s", None, "1782820800.25", "2026-06-30T12:00:00.250000+00:00"),
        ("epoch_s", None, "-1", "1969-12-31T23:59:59+00:00"),
        ("epoch_ms", None, "1782820800123", "2026-06-30T12:00:00.123000+00:00"),
        ("epoch_us", None, "1782820800123456", "2026-06-30T12:00:00.123456+00:00"),
        ("epoch_ms", "Europe/Berlin", "1782820800000", "2026-06-30T12:00:00+00:00"),
    ],
)
def test_a_stated_format(
    account: Account, time_format: str, zone: str | None, text: str, instant: str
) -> None:
    """A pattern with its zone needs no --timezone; without one it uses it; epochs are always UTC."""
    assert times(account, [text], time_format=time_format, timezone=zone) == [instant]


def test_a_pattern_without_zone_is_asked_for(account: Account) -> None:
    """A strptime pattern needs the zone told, too."""
    with pytest.raises(IngestError, match="without a zone"):
        times(account, ["30.06.2026 14:00"], time_format="%d.%m.%Y %H:%M")


def test_a_pattern_that_is_none_is_told(account: Account) -> None:
    """A misspelt pattern is an error of the source, in a sentence."""
    with pytest.raises(IngestError, match='time format "%Q"'):
        times(account, ["2026"], time_format="%Q", timezone="UTC")


@pytest.mark.parametrize("text", ["99999999999999", "9e40", "-99999999999999", "abc", "2026-06-30T12:00:00Z"])
def test_an_epoch_out_of_range_is_a_reject(account: Account, text: str) -> None:
    """Milliseconds taken for seconds lie in the year 5138 or beyond all years: never a crash."""
    assert len(times(account, ["1782820800"] * 200 + [text], time_format="epoch_s")) == 200
    assert [line.split(",")[1] for line in rejects(account)] == ["202"]


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64])
def test_epochs_in_parquet(account: Account, kind: type[pl.DataType]) -> None:
    """Whole and fractional epoch columns are read; without the format they are unreadable, not guessed."""
    frame = pl.DataFrame({"user_id": ["1"], "event": ["A"], "ts": [1782820800]}).with_columns(
        pl.col("ts").cast(kind)
    )
    frame.write_parquet(account.home / "a.parquet")
    with pytest.raises(IngestError, match=r"1 of 1 rows are bad.*unreadable time"):
        account.ingest_file("events", account.home / "a.parquet")
    account.ingest_file("events", account.home / "a.parquet", time_format="epoch_s")
    assert values(account, "ts") == [datetime(2026, 6, 30, 12, tzinfo=UTC)]


def test_clock_changes(account: Account) -> None:
    """A time in the skipped hour moves on by it; one in the doubled hour is the later; both neighbours are plain."""
    texts = ["2026-03-08 01:59:59", "2026-03-08 02:30:00", "2026-03-08 03:00:00", "2026-11-01 00:59:59",
             "2026-11-01 01:30:00", "2026-11-01 02:00:00"]  # fmt: skip
    assert times(account, texts, timezone="America/New_York") == [
        "2026-03-08T06:59:59+00:00", "2026-03-08T07:30:00+00:00", "2026-03-08T07:00:00+00:00",
        "2026-11-01T04:59:59+00:00", "2026-11-01T06:30:00+00:00", "2026-11-01T07:00:00+00:00",
    ]  # fmt: skip


def test_the_span_of_the_lake_holds_every_year(account: Account) -> None:
    """The catalogue's first and last instants come back from the database as they went in."""
    times(account, ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
    catalogue = account.workspace.lake.at().catalogue
    assert catalogue.first_ts == datetime(1, 1, 1, tzinfo=UTC)
    assert catalogue.last_ts == datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
