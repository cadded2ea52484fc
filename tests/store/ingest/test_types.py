"""What a column is: recognised where every value says so, asked for where most do, never guessed."""

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from accounts import SETTINGS, Account, make_account
from store.rows import rejects, rows, values, write

from workbench.errors import IngestError
from workbench.store.ingest import types


def column(account: Account, texts: list[str], name: str = "a.csv", **source: Any) -> Any:
    """Ingest one CSV column ``x``; return its type in the lake and its values in the order of the rows."""
    lines = [f'{n:04d},A,2026-06-30T12:00:00Z,"{text}"' for n, text in enumerate(texts)]
    account.ingest_file(
        "events", write(account, name, "user_id,event,ts,x\n" + "\n".join(lines) + "\n"), **source
    )
    found = account.workspace.lake.at().columns.get("events", {})
    return (found["x"].type if "x" in found else None), values(account, "x")


def json_column(account: Account, found: list[Any], **source: Any) -> Any:
    """The same from JSON values."""
    base = {"event": "A", "ts": "2026-06-30T12:00:00Z"}
    account.ingest(
        "events", [{"user_id": f"{n:04d}", **base, "x": value} for n, value in enumerate(found)], **source
    )
    return account.workspace.lake.at().columns["events"]["x"].type, values(account, "x")


TEXTS: list[tuple[list[str], str, list[Any]]] = [
    (["1", "-2.5", "+3", ".5", "1e3", "0", "0.10"], "number", [1.0, -2.5, 3.0, 0.5, 1000.0, 0.0, 0.1]),
    (["1", "", "2"], "number", [1.0, None, 2.0]),
    (["1", "02"], "text", ["1", "02"]),
    (["007"], "text", ["007"]),
    (["-01"], "text", ["-01"]),
    (["9007199254740992"], "number", [2.0**53]),
    (["9007199254740993"], "text", ["9007199254740993"]),
    (["-9007199254740993"], "text", ["-9007199254740993"]),
    (["1", "12345678901234567"], "text", ["1", "12345678901234567"]),
    (["NaN"], "text", ["NaN"]),
    (["inf", "-Infinity"], "text", ["inf", "-Infinity"]),
    (["0x10", "1_000"], "text", ["0x10", "1_000"]),
    (["1,5", "2,5"], "text", ["1,5", "2,5"]),
    (["\u0663"], "text", ["\u0663"]),
    ([" 5"], "text", [" 5"]),
    (["true", "False", "TRUE"], "boolean", [True, False, True]),
    (["yes", "no"], "text", ["yes", "no"]),
    (["t", "f"], "text", ["t", "f"]),
    (["2026-02-28", "1900-01-01"], "date", [date(2026, 2, 28), date(1900, 1, 1)]),
    (["20260228"], "number", [20260228.0]),
    (["2026-02-28T12:00:00Z"], "instant", [datetime(2026, 2, 28, 12, tzinfo=UTC)]),
    (["2026-02-28 12:00:00"], "text", ["2026-02-28 12:00:00"]),
    (["a|b"], "text", ["a|b"]),
    (["null", "None"], "text", ["null", "None"]),
]  # fmt: skip


def test_a_type_is_recognised_when_every_value_has_it(account: Account) -> None:
    """Leading zeros, whole numbers beyond 2^53, NaN and infinity are never numbers."""
    longest = max(len(texts) for texts, *_ in TEXTS)
    columns = {f"x{n}": [*texts, *[""] * (longest - len(texts))] for n, (texts, *_) in enumerate(TEXTS)}
    base = {"user_id": [f"{n:04d}" for n in range(longest)], "event": ["A"] * longest}
    frame = pl.DataFrame({**base, "ts": ["2026-06-30T12:00:00Z"] * longest, **columns})
    frame.write_csv(account.home / "a.csv")
    account.ingest_file("events", account.home / "a.csv")
    kinds = account.workspace.lake.at().columns["events"]
    found = rows(account)
    for n, (texts, kind, stored) in enumerate(TEXTS):
        told = [row.get(f"x{n}") for row in found[: len(texts)]]
        assert (texts, kinds[f"x{n}"].type, told) == (texts, kind, stored)


JSON: list[tuple[list[Any], str, list[Any]]] = [
    ([1, 2.5, -0.0], "number", [1.0, 2.5, 0.0]),
    (["1", "2"], "text", ["1", "2"]),
    (["true"], "text", ["true"]),
    ([True, False], "boolean", [True, False]),
    ([9007199254740993], "text", ["9007199254740993"]),
    ([1e16, 1e300], "number", [1e16, 1e300]),
    (["2026-02-28"], "date", [date(2026, 2, 28)]),
    ([["a", "b"], []], "list", [["a", "b"], []]),
    ([[1, None, {"k": 2}]], "list", [["1", None, '{"k":2}']]),
    ([1, "a"], "text", ["1", "a"]),
    ([None, 1], "number", [None, 1.0]),
]  # fmt: skip


def test_a_json_type_is_the_one_that_was_written(account: Account) -> None:
    """A JSON text is no number, however it looks."""
    base = {"event": "A", "ts": "2026-06-30T12:00:00Z"}
    lines = [
        {
            "user_id": str(row),
            **base,
            **{f"x{n}": found[row] for n, (found, *_) in enumerate(JSON) if row < len(found)},
        }
        for row in range(max(len(found) for found, *_ in JSON))
    ]
    account.ingest("events", lines)
    kinds = account.workspace.lake.at().columns["events"]
    told = rows(account)
    for n, (found, kind, stored) in enumerate(JSON):
        values_ = [row.get(f"x{n}") for row in told[: len(found)]]
        assert (found, kinds[f"x{n}"].type, values_) == (found, kind, stored)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (
            ["1"] * 9 + ["x"],
            r'"x": 1 of 10 values are not a number; --type x=number rejects those rows, --type x=text',
        ),
        (["1"] * 99 + ["NaN"], "1 of 100 values are not a number"),
        (["true"] * 9 + ["1"], "1 of 10 values are not a boolean"),
        (["2026-01-01"] * 9 + ["?"], "1 of 10 values are not a date"),
    ],
)
def test_an_almost_clean_column_is_asked_for(account: Account, texts: list[str], problem: str) -> None:
    """From nine in ten on a person decides; the message gives both answers."""
    with pytest.raises(IngestError, match=problem):
        column(account, texts)
    assert account.workspace.lake.version() == 0


def test_below_nine_in_ten_it_is_text(account: Account) -> None:
    """Eight numbers of ten do not make a number, nor a question."""
    assert column(account, ["1"] * 8 + ["x"] * 2)[0] == "text"


def test_one_leading_zero_makes_text(account: Account) -> None:
    """A column of codes is not asked for because most of them have no zero in front."""
    assert column(account, ["1"] * 19 + ["007"])[0] == "text"


def test_json_texts_among_numbers_are_asked_for(account: Account) -> None:
    """A text 1.10 and a text 1.1 would become one number: only a person may say so."""
    with pytest.raises(
        IngestError, match=r"some values are JSON texts, others not; --type x=number or x=text"
    ):
        json_column(account, [5, "1.10", "1.1"])
    assert json_column(account, [5, "1.10", "1.1"], types={"x": "text"}) == ("text", ["5", "1.10", "1.1"])


def test_the_answer_is_followed(account: Account) -> None:
    """As a number the odd row is rejected with its line; as text it stays."""
    texts = ["1"] * 299 + ["x"]
    kind, stored = column(account, texts, types={"x": "number"})
    assert (kind, len(stored)) == ("number", 299)
    assert rejects(account) == ["a.csv,301,x,not an exact number,x"]


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("number", ["x", "007", "9007199254740993", "1e999", "NaN", "1,5", "\u0663"]),
        ("boolean", ["2", "maybe"]),
        ("date", ["2026-02-30", "2026-2-3", "2026-02-28T00:00:00Z"]),
        ("instant", ["2026-02-28T25:00:00Z", "noon"]),
        ("list", ["[1", "[a]"]),
    ],
)
def test_what_does_not_fit_a_stated_type_is_rejected(account: Account, kind: str, bad: list[str]) -> None:
    """A value is never bent into the type that the user named."""
    source = {"types": {"x": kind}, "timezone": "UTC"}
    good = {
        "number": "1",
        "boolean": "true",
        "date": "2026-01-01",
        "instant": "2026-01-01T00:00:00Z",
        "list": "a",
    }[kind]
    lines = [f"{n},A,2026-06-30T12:00:00Z,{text}" for n, text in enumerate([good] * 1000)]
    lines += [
        f'b{n},A,2026-06-30T12:00:00Z,"{text.replace(chr(34), chr(34) * 2)}"' for n, text in enumerate(bad)
    ]
    path = write(account, "a.csv", "user_id,event,ts,x\n" + "\n".join(lines) + "\n")
    summary = account.ingest_file("events", path, **source)
    assert (summary.added, summary.rejected) == (1000, len(bad))


def test_lists_from_text(account: Account) -> None:
    """A stated list is split at bars or read as JSON."""
    assert column(account, ["a|b", "c", '[""d"", ""e|f""]'], types={"x": "list"}) == (
        "list", [["a", "b"], ["c"], ["d", "e|f"]],
    )  # fmt: skip


def test_a_column_without_values_has_no_type_yet(account: Account) -> None:
    """The first file's empty column does not make text of the numbers to come."""
    assert column(account, ["", ""])[0] is None
    assert column(account, ["1", "2"], name="b.csv")[0] == "number"


def test_a_property_keeps_its_type(account: Account) -> None:
    """Texts in a later file are rejects of a number; numbers in a later file are texts of a text."""
    assert column(account, ["1"])[0] == "number"
    with pytest.raises(IngestError, match=r"1 of 1 rows are bad.* 1 × x: not an exact number"):
        column(account, ["abc"], name="b.csv")
    with pytest.raises(IngestError, match=r"1 of 1 rows are bad.* 1 × x: not an exact number"):
        column(account, ["007"], name="c.csv")
    with pytest.raises(IngestError, match='"x" is already a number in the lake; a property keeps its type'):
        column(account, ["abc"], name="b.csv", types={"x": "text"})
    assert account.workspace.lake.version() == 1


@pytest.mark.parametrize(
    ("first", "then", "problem"),
    [
        ("a", 7.5, '"x" is a DOUBLE column and cannot be kept as text'),
        (7, True, '"x" is a BOOLEAN column and cannot be kept as number'),
        (True, 1, '"x" is a BIGINT column and cannot be kept as boolean'),
        (
            date(2026, 1, 1),
            datetime.fromisoformat("2026-01-01T05:00:00"),
            '"x" is a TIMESTAMP column and cannot be kept as date',
        ),
    ],
)
def test_a_parquet_column_of_another_type_is_refused(
    account: Account, first: Any, then: Any, problem: str
) -> None:
    """7.5 would become the text "7.5", true the number 1, an instant lose its hour."""
    row = {"user_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z"}
    pl.DataFrame([{**row, "x": first}]).write_parquet(account.home / "a.parquet")
    pl.DataFrame([{**row, "x": then}]).write_parquet(account.home / "b.parquet")
    account.ingest_file("events", account.home / "a.parquet", timezone="UTC")
    with pytest.raises(IngestError, match=problem):
        account.ingest_file("events", account.home / "b.parquet", timezone="UTC")


def test_parquet_types(account: Account) -> None:
    """Columns keep the type that the file declares; NaN and whole numbers beyond 2^53 are rejects of a number."""
    good = {
        "user_id": "1", "event": "A", "ts": datetime(2026, 6, 30, tzinfo=UTC), "i": 7, "f": 0.5, "b": True,
        "d": date(2026, 1, 2), "l": ["a"], "t": "007", "z": datetime(2026, 1, 2, tzinfo=UTC),
    }  # fmt: skip
    frame = pl.DataFrame(
        [{**good, "f": float(n)} for n in range(300)]
        + [{**good, "f": float("nan")}, {**good, "i": 2**53 + 1}]
    )
    frame.write_parquet(account.home / "a.parquet")
    summary = account.ingest_file("events", account.home / "a.parquet")
    assert (summary.added, summary.rejected) == (300, 2)
    assert [line.split(",")[:3] for line in rejects(account)] == [
        ["a.parquet", "301", "f"],
        ["a.parquet", "302", "i"],
    ]
    found = account.workspace.lake.at().columns["events"]
    assert {name: found[name].type for name in sorted(found)} == {
        "b": "boolean", "d": "date", "f": "number", "i": "number", "l": "list", "t": "text", "z": "instant",
    }  # fmt: skip
    assert rows(account)[0]["t"] == "007"


def test_nested_parquet_is_asked_for(account: Account) -> None:
    """A struct has no one value to compare."""
    row = {"user_id": "1", "event": "A", "ts": "2026-06-30T12:00:00Z", "x": {"a": 1}}
    pl.DataFrame([row]).write_parquet(account.home / "a.parquet")
    with pytest.raises(IngestError, match=r'"x" is a STRUCT.*: flatten it first, one value a column'):
        account.ingest_file("events", account.home / "a.parquet")


def test_declared_types_are_followed(account: Account) -> None:
    """[catalogue] in workbench.toml says what a name is before its first row."""
    settings = (
        SETTINGS + '\n[catalogue.events.A.properties]\nx = "text"\n[catalogue.attributes]\nvip = "text"\n'
    )
    declared = make_account(account.home.parent / "declared", settings)
    assert column(declared, ["1", "2"]) == ("text", ["1", "2"])
    declared.ingest("profiles", [{"user_id": "0000", "vip": 1}])
    assert declared.workspace.lake.at().catalogue.attributes["vip"].type == "text"


def test_a_stated_type_must_name_a_column(account: Account) -> None:
    """A misspelt --type is an error, not ignored."""
    with pytest.raises(IngestError, match="--type names no column of the file: pric"):
        column(account, ["1"], types={"pric": "number"})


def test_a_column_gets_one_new_name(account: Account) -> None:
    """Two names for one column, or one name for two, are refused; one for one is followed."""
    with pytest.raises(IngestError, match="--column gives two names to one column"):
        column(account, ["1"], columns={"a": "x", "b": "x"})
    assert column(account, ["1"], columns={"amount": "x"})[0] is None
    assert values(account, "amount") == [1.0]


def test_evidence_adds_up_over_chunks() -> None:
    """A leading zero in the second chunk undoes a number of the first."""
    evidence = types.Evidence()
    evidence.add(pl.Series(["1", "2", None]), set())
    assert evidence.decide() == "number"
    evidence.add(pl.Series(["03"]), set())
    assert (evidence.decide(), evidence.values) == ("text", 3)


def test_native_types() -> None:
    """What DuckDB calls a column of Parquet, and what it is here."""
    expected = {
        "VARCHAR": "text", "UUID": "text", "ENUM('a')": "text", "DECIMAL(18,2)": "number", "UBIGINT": "number",
        "TIMESTAMP_NS": "instant", "TIMESTAMP WITH TIME ZONE": "instant", "INTEGER[]": "list", "INTEGER[][]": None,
        "STRUCT(a INTEGER)": None, "BLOB": None, "TIME": None, "DATE": "date", "BOOLEAN": "boolean",
    }  # fmt: skip
    assert {native: types.of_native(native) for native in expected} == expected


def test_json_values_in_a_known_column(account: Account) -> None:
    """A text that is no number is a reject once the property is one."""
    assert json_column(account, [1, 2])[0] == "number"
    base = {"event": "A", "ts": "2026-06-30T12:00:00Z"}
    lines = [json.dumps({"user_id": str(n), **base, "x": n}) for n in range(200)]
    lines.append(json.dumps({"user_id": "1", **base, "x": "many"}))
    assert account.ingest_file("events", write(account, "b.ndjson", "\n".join(lines))).rejected == 1
