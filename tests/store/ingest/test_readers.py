"""Every way in which people write a table down becomes the same rows."""

import gzip
import json
from typing import Any

import polars as pl
import pytest
from accounts import NOW, Account
from store.rows import rejects, rows, values, write

from workbench.errors import IngestError
from workbench.settings import Source
from workbench.store.ingest import ingest

TABLE = [("00001", "Buy", "2026-06-30T12:00:00Z", "2.5"), ("2", "View", "2026-06-30T13:00:00Z", "")]
NAMES = ("user_id", "event", "ts", "price")


def table(separator: str) -> str:
    """The table as text."""
    return "".join(separator.join(row) + "\n" for row in (NAMES, *TABLE))


def ndjson(*objects: dict[str, Any]) -> str:
    """JSON lines."""
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects)


def said(account: Account) -> list[tuple[Any, ...]]:
    """The table as the lake has it."""
    return [(r["user_id"], r["event"], r["ts"].isoformat(), r.get("price")) for r in rows(account)]


EXPECTED = [
    ("00001", "Buy", "2026-06-30T12:00:00+00:00", 2.5),
    ("2", "View", "2026-06-30T13:00:00+00:00", None),
]
OBJECTS = [dict(zip(NAMES, ("00001", "Buy", "2026-06-30T12:00:00Z", 2.5), strict=True)),
           dict(zip(NAMES[:3], (2, "View", "2026-06-30T13:00:00Z"), strict=True))]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "fields"),
    [
        ("a.csv", table(","), {}),
        ("a.csv", table(";"), {}),
        ("a.tsv", table("\t"), {}),
        ("a.txt", table("|"), {}),
        ("a.txt", table("|"), {"sep": "pipe"}),
        ("a.csv", table("~"), {"sep": "~"}),
        ("a.csv", "\ufeff" + table(","), {}),
        ("a.csv", table(",").replace("\n", "\r\n"), {}),
        ("a.csv", table(",").rstrip("\n"), {}),
        ("a.csv", table(",").replace("\n", "\n\n"), {}),
        ("a.csv", '"user_id","event","ts","price"\n"00001","Buy","2026-06-30T12:00:00Z","2.5"\n2,View,2026-06-30T13:00:00Z,\n', {}),
        ("a.txt", "user_id  event ts\tprice\n00001 Buy 2026-06-30T12:00:00Z 2.5\n", {"sep": "whitespace"}),
        ("a.csv.gz", gzip.compress(table(",").encode(), mtime=0), {}),
        ("a.ndjson", ndjson(*OBJECTS), {}),
        ("a.jsonl", "\ufeff" + ndjson(*OBJECTS).replace("\n", "\r\n\r\n"), {}),
        ("a.json.gz", gzip.compress(ndjson(*OBJECTS).encode(), mtime=0), {}),
        ("a.ndjson", ndjson(*({"event": o.pop("event"), "properties": o} for o in map(dict, OBJECTS))),
         {"properties": "properties"}),
    ],
)  # fmt: skip
def test_one_table_in_many_formats(
    account: Account, name: str, content: str | bytes, fields: dict[str, Any]
) -> None:
    """Separator, BOM, line ends, quotes, compression and nesting do not change what is said."""
    summary = account.ingest_file("events", write(account, name, content), **fields)
    expected = EXPECTED[:1] if fields.get("sep") == "whitespace" else EXPECTED
    assert said(account) == expected
    assert (summary.read, summary.added, summary.rejected) == (len(expected), len(expected), 0)


@pytest.mark.parametrize("integer", [pl.Int64, pl.UInt32, pl.Int8])
def test_parquet_with_whole_numbers_as_ids(account: Account, integer: type[pl.DataType]) -> None:
    """Ids that are integers in Parquet are the texts that they read as."""
    frame = pl.DataFrame({"user_id": [7, 12], "event": ["A", "A"], "ts": ["2026-06-30T12:00:00Z"] * 2})
    frame.with_columns(pl.col("user_id").cast(integer)).write_parquet(account.home / "a.parquet")
    account.ingest_file("events", account.home / "a.parquet")
    assert values(account, "user_id") == ["12", "7"]


@pytest.mark.parametrize("column", ["user_id", "event_id"])
def test_fractions_are_no_ids(account: Account, column: str) -> None:
    """A DOUBLE column, or a JSON 7.0, would make "7.0" of user 7; each is refused before anything is read in."""
    row = {"user_id": "1", "event_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z"}
    pl.DataFrame([{**row, column: 7.0}]).write_parquet(account.home / "a.parquet")
    with pytest.raises(
        IngestError, match=f'"{column}" is a DOUBLE column: ids must be text or whole numbers'
    ):
        account.ingest_file("events", account.home / "a.parquet")
    with pytest.raises(IngestError, match=f'"{column}" is a JSON fraction in some rows: ids must be'):
        account.ingest_file("events", write(account, "a.ndjson", ndjson(row, {**row, column: 7.0})))
    assert account.workspace.lake.version() == 0


def test_fractions_are_no_ids_in_a_second_file_either(account: Account) -> None:
    """Text ids in one file do not turn the DOUBLE ids of the next one into "7.0"."""
    row = {"event": "A", "ts": "2026-06-30T12:00:00Z"}
    pl.DataFrame([{**row, "user_id": "x"}]).write_parquet(account.home / "a.parquet")
    pl.DataFrame([{**row, "user_id": 7.0}]).write_parquet(account.home / "b.parquet")
    with pytest.raises(
        IngestError, match=r'"b\.parquet": "user_id" is a DOUBLE, in a file before it a VARCHAR'
    ):
        account.ingest_file("events", account.home / "*.parquet")


def test_folder_and_glob(account: Account) -> None:
    """A folder gives its known formats at any depth, a glob what it matches, a file named twice counts once."""
    text = "user_id,event,ts\n{},A,2026-06-30T12:00:00Z\n"
    write(account, "in/a.csv", text.format(1))
    write(account, "in/deep/b.csv", text.format(2))
    write(account, "in/notes.md", "not data")
    write(account, "in/c[1].csv", text.format(3))
    assert account.ingest_file("events", account.home / "in").added == 3
    again = account.ingest_file("events", account.home / "in" / "**" / "*.csv")
    assert (again.read, again.known_files) == (0, 3)
    assert account.ingest_file("events", account.home / "in" / "c[1].csv").known_files == 1


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "", '"a.csv": the first line must name the columns'),
        ("a.csv", "\n\n", '"a.csv": the first line must name the columns'),
        ("a.csv", "user_id,event,ts\n", "the files hold no readable row"),
        ("a.csv", "user_id,event,ts\n1,2\n", "the files hold no readable row: 1 × 2 fields, the header has 3"),
        ("a.ndjson", "", "the files hold no readable row"),
        ("a.ndjson", "[1]\n", "the files hold no readable row: 1 × not a JSON object"),
        ("a.csv", "user_id,event,ts,ts\n1,A,2026-06-30T12:00:00Z,\n", '"a.csv": the header names ts twice'),
        ("a.csv", "user_id,event,,ts\n1,A,,2026-06-30T12:00:00Z\n", '"a.csv": a column of the header has no name'),
        ("a.csv", 'user_id,"ev"ent,ts\n1,A,2026-06-30T12:00:00Z\n', '"a.csv": the header cannot be read: malformed'),
        ("a.csv", "user_id event ts\n1 A 2026-06-30T12:00:00Z\n", '"a.csv": the header is one column'),
        ("a.csv", 'user_id,event,ts\n1,"A,2026-06-30T12:00:00Z\n', '"a.csv", line 2: a quote opens and never closes'),
        ("a.csv.gz", b"not gzip", '"a.csv.gz" cannot be read: Not a gzipped file'),
        ("a.csv.gz", gzip.compress(table(",").encode(), mtime=0)[:-12], '"a.csv.gz" cannot be read: '),
        ("a.parquet", b"not parquet", '"a.parquet" is not a readable Parquet file'),
        ("a.xlsx", b"", '"a.xlsx": unknown format'),
        ("a.csv", "user,event,ts\n1,A,2026-06-30T12:00:00Z\n", 'no column "user_id" \\(--user\\). Did you mean "user"'),
        ("a.ndjson", ndjson({"user_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z", "": 1}),
         'a column is called ""'),
        ("a.csv", f"user_id,event,ts,{'n' * 201}\n1,A,2026-06-30T12:00:00Z,x\n", 'a column is called "nnn'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_a_sentence(
    account: Account, name: str, content: str | bytes, problem: str
) -> None:
    """Nothing is ingested, and the message names the file."""
    with pytest.raises(IngestError, match=problem):
        account.ingest_file("events", write(account, name, content))
    assert account.workspace.lake.version() == 0


def test_no_file_and_an_empty_folder(account: Account) -> None:
    """A path that gives nothing is an error, not an empty ingest."""
    (account.home / "empty").mkdir()
    for path in ("empty", "missing.csv", "*.csv"):
        with pytest.raises(IngestError, match="no file at"):
            account.ingest_file("events", account.home / path)


def test_unusual_characters_survive(account: Account) -> None:
    """Line breaks in quotes, separators, emoji, NUL, control signs and a lone quote are kept as written."""
    texts = [
        'a "quoted", one',
        "two\nlines",
        "two\r\nlines",
        "🦆 ß",
        "nul\0byte",
        "tab\there",
        "\u2028\u0085\x1c",
        "'; --",
    ]
    body = "".join(
        f'{n},A,2026-06-30T12:00:00Z,"{text.replace(chr(34), chr(34) * 2)}"\n' for n, text in enumerate(texts)
    )
    account.ingest_file("events", write(account, "a.csv", "user_id,event,ts,note\n" + body))
    assert values(account, "note") == texts
    account.ingest(
        "events", [{"user_id": "9", "event": "A", "ts": "2026-06-30T12:00:00Z", "note": "nul\0byte"}]
    )
    assert values(account, "note")[-1] == "nul\0byte"


def test_names_may_hold_anything(account: Account) -> None:
    """Quotes, SQL, blanks and reserved words are names like others, and stay apart from the lake's own columns."""
    names = [
        'x"; DROP TABLE events; --', "order total", "select", "é", "user_code", "received_at", "__line", "__file",
        "month", "problem", "problem_value", "recorded", "valid_from", "file_row_number", "c1", "__raw1", "identity",
    ]  # fmt: skip
    row = {
        "user_id": "1",
        "event": "A",
        "ts": "2026-06-30T12:00:00Z",
        **{name: f"v{n}" for n, name in enumerate(names)},
    }
    account.ingest("events", [row])
    (found,) = rows(account)
    assert {name: found[name] for name in names if name != "received_at"} == {
        name: f"v{n}" for n, name in enumerate(names) if name != "received_at"
    }
    header = ",".join('"' + name.replace('"', '""') + '"' for name in row)
    account.ingest_file(
        "events", write(account, "b.csv", f"{header}\n" + ",".join(row.values()).replace("1,A", "2,A") + "\n")
    )
    pl.DataFrame([{**row, "user_id": "3"}]).drop("file_row_number").write_parquet(account.home / "c.parquet")
    account.ingest_file("events", account.home / "c.parquet")
    assert [values(account, name) for name in names[:5]] == [[f"v{n}"] * 3 for n in range(5)]


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.parquet"])
def test_names_that_differ_in_case_are_two(account: Account, name: str) -> None:
    """SQL folds case, files do not: Price and price never share a column."""
    row = {
        "user_id": "1",
        "event": "A",
        "ts": "2026-06-30T12:00:00Z",
        "Price": "one",
        "price": "two",
        "PRICE": "three",
    }
    path = account.home / name
    match path.suffix:
        case ".csv":
            pl.DataFrame([row]).write_csv(path)
        case ".ndjson":
            pl.DataFrame([row]).write_ndjson(path)
        case _:
            pl.DataFrame([row]).write_parquet(path)
    account.ingest_file("events", path)
    (found,) = rows(account)
    assert [found[key] for key in ("Price", "price", "PRICE")] == ["one", "two", "three"]


def test_names_that_differ_in_case_in_two_files(account: Account) -> None:
    """Read in one ingest, each file's column stays its own."""
    write(account, "a.csv", "user_id,event,ts,Price\n1,A,2026-06-30T12:00:00Z,one\n")
    write(account, "b.csv", "user_id,event,ts,price\n2,A,2026-06-30T12:00:00Z,two\n")
    account.ingest_file("events", account.home / "*.csv")
    assert values(account, "Price") == ["one", None]
    assert values(account, "price") == [None, "two"]


def test_nested_json_is_flattened(account: Account) -> None:
    """Objects become dotted names, arrays lists; ``properties`` is lifted only when asked."""
    row = {
        "user_id": "1",
        "event": "A",
        "ts": "2026-06-30T12:00:00Z",
        "cart": {"total": 5, "by": {"kind": "x"}},
    }
    account.ingest("events", [{**row, "tags": ["a", "b|c", 'd"'], "properties": {"z": 1}}])
    (found,) = rows(account)
    assert (found["cart.total"], found["cart.by.kind"], found["properties.z"]) == (5.0, "x", 1.0)
    assert found["tags"] == ["a", "b|c", 'd"']


def test_a_json_name_that_comes_twice_is_rejected(account: Account) -> None:
    """A property that would overwrite the time, or a key written twice, is a bad row and not a silent choice."""
    good = {"user_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z"}
    lines = [json.dumps({**good, "user_id": str(n)}) for n in range(400)]
    lines += [json.dumps({**good, "properties": {"ts": "2020-01-01T00:00:00Z"}}),
              json.dumps(good)[:-1] + ', "price": 1, "price": 2}',
              json.dumps({**good, "a": {"b": 1}, "a.b": 2})]  # fmt: skip
    summary = account.ingest_file(
        "events", write(account, "a.ndjson", "\n".join(lines)), properties="properties"
    )
    assert (summary.added, summary.rejected) == (400, 3)
    assert rejects(account) == [
        'a.ndjson,401,,"the key ""ts"" twice",',
        'a.ndjson,402,,"the key ""price"" twice",',
        'a.ndjson,403,,"the key ""a.b"" twice",',
    ]


def test_one_broken_line_is_one_reject(account: Account) -> None:
    """Invalid UTF-8, half an emoji, NaN, cut-off JSON: the other rows come in, the lines are exact."""
    good = json.dumps({"user_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z", "note": "x"}).encode()
    lines = [good] * 500 + [
        b'{"user_id": "\xff"}',
        b'{"note": "\\ud83d"}',
        b'{"n": NaN}',
        good[:-3],
        b"7",
        b"",
        good,
    ]
    lines.insert(0, b"")
    summary = account.ingest_file("events", write(account, "a.ndjson", b"\n".join(lines)))
    assert (summary.read, summary.added, summary.rejected) == (506, 501, 5)
    assert rejects(account) == [
        "a.ndjson,502,,not UTF-8,", "a.ndjson,503,,not UTF-8,", "a.ndjson,504,,not a JSON object,",
        "a.ndjson,505,,not a JSON object,", "a.ndjson,506,,not a JSON object,",
    ]  # fmt: skip


def test_ragged_and_badly_coded_csv_rows(account: Account) -> None:
    """Too few and too many fields, Latin-1 in UTF-8, a quote amid a field: each line is told."""
    good = b"1,A,2026-06-30T12:00:00Z,x\n"
    bad = b'1,A\n1,A,2026-06-30T12:00:00Z,x,y\n1,A,2026-06-30T12:00:00Z,caf\xe9\n1,A,2026-06-30T12:00:00Z,"x"y\n'
    quoted = b'1,A,2026-06-30T12:00:00Z,"two\nlines"\n'
    content = b"user_id,event,ts,note\n" + quoted + good * 500 + bad + good
    summary = account.ingest_file("events", write(account, "a.csv", content))
    assert (summary.read, summary.added, summary.rejected) == (506, 502, 4)
    assert [line.split(",")[1] for line in rejects(account)] == ["504", "505", "506", "507"]


def test_many_rows_cross_the_chunks(account: Account) -> None:
    """100,000 rows a chunk: a column that appears later, a reject after the border, the last row: all are right."""
    lines = [
        f'{{"user_id": "{n % 7}", "event": "A", "ts": "2026-06-30T12:00:00Z", "n": {n}}}'
        for n in range(100_001)
    ]
    lines += ['{"user_id": "8", "event": "A", "ts": "2026-06-30T12:00:00Z", "late": "x"}', "{", lines[5]]
    summary = account.ingest_file("events", write(account, "a.ndjson", "\n".join(lines)))
    assert (summary.read, summary.added, summary.duplicates, summary.rejected) == (100_004, 100_003, 0, 1)
    assert rejects(account) == ["a.ndjson,100003,,not a JSON object,"]
    assert [row.get("late") for row in rows(account) if row["user_id"] == "8"] == ["x"]


def test_progress_ends_at_the_total(account: Account) -> None:
    """The bytes told add up to the size of the files, compressed or not."""
    write(account, "a.csv", table(","))
    write(account, "b.csv.gz", gzip.compress(table(",").replace("00001", "3").encode()))
    told: list[tuple[str, int, int]] = []
    source = Source(kind="events")
    workspace = account.workspace
    ingest(
        workspace.lake, workspace.settings, source, [str(account.home / "*.csv*")], source_name="s", now=NOW,
        report=lambda *step: told.append(step),
    )  # fmt: skip
    reading = [step for step in told if step[0] == "reading"]
    assert (
        reading[-1][1]
        == reading[-1][2]
        == sum((account.home / n).stat().st_size for n in ("a.csv", "b.csv.gz"))
    )
    assert told[-1] == ("sorting", 3, 3)


def test_a_parquet_file_is_not_a_pattern(account: Account) -> None:
    """The file a[1].parquet is read, not its neighbour a1.parquet."""
    row = {"event": "A", "ts": "2026-06-30T12:00:00Z"}
    for name in ("a1", "a[1]", "a*"):
        pl.DataFrame([{**row, "user_id": name}]).write_parquet(account.home / f"{name}.parquet")
    account.ingest_file("events", account.home / "a[1].parquet")
    assert values(account, "user_id") == ["a[1]"]
