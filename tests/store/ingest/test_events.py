"""Which events are the same: by event_id, else by content and ordinal among the equal rows of a file."""

import json
from collections import Counter
from typing import Any

import pytest
from accounts import NOW, Account, make_account
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from store.rows import rows, values, write

from workbench.settings import Source
from workbench.store.ingest import Summary, ingest

BUY = {"user_id": "1", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "n": 1}


def counts(summary: Summary) -> tuple[int, int, int]:
    """Read, added, duplicates; a summary always adds up."""
    assert summary.read == summary.added + summary.duplicates + summary.rejected
    return summary.read, summary.added, summary.duplicates


def test_the_same_file_twice_adds_nothing(account: Account) -> None:
    """By its digest under the same mapping, whatever its name; by its rows under another mapping."""
    text = json.dumps(BUY) + "\n"
    assert counts(account.ingest_file("events", write(account, "a.ndjson", text))) == (1, 1, 0)
    again = account.ingest_file("events", write(account, "copy.ndjson", text))
    assert (counts(again), again.known_files, again.version) == ((0, 0, 0), 1, 1)
    assert counts(account.ingest_file("events", account.home / "a.ndjson", timezone="UTC")) == (1, 0, 1)
    assert len(rows(account)) == 1


def test_equal_rows_of_one_file_are_all_kept(account: Account) -> None:
    """Three equal lines are three events; two of them in a later export are none."""
    assert counts(account.ingest("events", [BUY] * 3)) == (3, 3, 0)
    assert counts(account.ingest("events", [BUY, BUY])) == (2, 0, 2)
    assert counts(account.ingest("events", [BUY] * 4)) == (4, 1, 3)
    assert len(rows(account)) == 4


def test_an_overlapping_export_adds_only_what_is_new(account: Account) -> None:
    """Yesterday's rows come again beside today's, in another order."""
    days = [{**BUY, "ts": f"2026-06-{day}T12:00:00Z"} for day in (28, 29, 30)]
    account.ingest("events", days[:2])
    assert counts(account.ingest("events", [days[2], days[1], days[0], days[0]])) == (4, 2, 2)
    assert [found.day for found in values(account, "ts")] == [28, 28, 29, 30]


def test_two_files_of_one_ingest_overlap_too(account: Account) -> None:
    """Equal content in one call counts once; overlapping rows count as often as the file that has most."""
    text = json.dumps(BUY) + "\n"
    write(account, "in/a.ndjson", text * 2)
    write(account, "in/b.ndjson", text * 2)
    write(account, "in/c.ndjson", text * 3 + json.dumps({**BUY, "n": 2}))
    summary = account.ingest_file("events", account.home / "in")
    assert (counts(summary), summary.known_files) == ((6, 4, 2), 1)


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "2"}, {"event": "buy"}, {"ts": "2026-06-30T12:00:00.000001Z"}, {"n": 1.5}, {"n": None},
        {"t": "x"}, {"n": None, "m": 1}, {"l": ["a", "b"]}, {"l": ["a, b"]},
    ],
)  # fmt: skip
def test_any_difference_makes_another_event(account: Account, change: dict[str, Any]) -> None:
    """User, name, microsecond and every property are part of what an event is."""
    account.ingest("events", [BUY, {**BUY, "l": ["a", "b", "c"]}, {**BUY, "l": ["a b"]}])
    assert counts(account.ingest("events", [{**BUY, **change}, {**BUY, "t": "other", "l": ["x"]}])) == (
        2,
        2,
        0,
    )


def test_values_do_not_run_into_each_other(account: Account) -> None:
    """One value that looks like two, or a name that looks like a value, is not taken for them."""
    sign = "\x1f"
    account.ingest(
        "events", [{**BUY, "a": f"x{sign}p_b=y"}, {**BUY, "a": f"x{sign}p_b=1:y"}, {**BUY, "b": "z"}]
    )
    assert counts(account.ingest("events", [{**BUY, "a": "x", "b": "y"}])) == (1, 1, 0)
    assert counts(account.ingest("events", [{"a": f"x{sign}p_b=y", **BUY}])) == (1, 0, 1)


def test_a_later_column_does_not_make_old_rows_new(account: Account) -> None:
    """An export that gained a column repeats the old rows with nothing in it."""
    account.ingest("events", [BUY])
    wide = [{**BUY, "colour": None}, {**BUY, "colour": "red"}]
    assert counts(account.ingest("events", wide)) == (2, 1, 1)
    assert counts(account.ingest("events", [{"n": 1, **BUY}])) == (1, 0, 1)


def test_the_same_time_in_another_zone_is_the_same_row(account: Account) -> None:
    """Instants are compared, not their spelling."""
    account.ingest("events", [BUY])
    assert counts(account.ingest("events", [{**BUY, "ts": "2026-06-30 14:00:00+02:00"}])) == (1, 0, 1)


def test_event_ids_are_unique(account: Account) -> None:
    """Within a file, across files, across months, with another time or user: the first one stays."""
    first = {**BUY, "event_id": "x"}
    assert counts(account.ingest("events", [first, {**first, "n": 2}])) == (2, 1, 1)
    moved = {**first, "ts": "2026-01-01T12:00:00Z"}
    assert counts(
        account.ingest("events", [moved, {**moved, "event_id": "y"}, {**first, "event_id": "y"}])
    ) == (3, 1, 2)
    assert counts(account.ingest("events", [{**first, "user_id": "2"}])) == (1, 0, 1)
    assert values(account, "n") == [1, 1]


def test_event_ids_of_two_files_in_one_ingest(account: Account) -> None:
    """The first file in order keeps the id."""
    for name, n in (("a", 1), ("b", 2)):
        write(account, f"in/{name}.ndjson", json.dumps({**BUY, "event_id": "x", "n": n}))
    assert counts(account.ingest_file("events", account.home / "in")) == (2, 1, 1)
    assert values(account, "n") == [1]


def test_rows_without_an_id_beside_rows_with_one(account: Account) -> None:
    """Those without are compared by content with each other only; a null id is no id."""
    batch = [
        {**BUY, "event_id": None},
        {**BUY, "event_id": ""},
        {**BUY, "event_id": "x"},
        {**BUY, "event_id": "x"},
    ]
    assert counts(account.ingest("events", batch)) == (4, 3, 1)
    assert counts(account.ingest("events", [*batch, {**BUY, "event_id": "y"}])) == (5, 1, 4)
    assert counts(account.ingest("events", [BUY, BUY, BUY])) == (3, 1, 2)


def test_numeric_event_ids_are_texts(account: Account) -> None:
    """1 in JSON and "1" in CSV are the same id; "01" is another."""
    account.ingest("events", [{**BUY, "event_id": 1}])
    path = write(
        account,
        "a.csv",
        "user_id,event,ts,n,event_id\n" + "".join(f"1,Buy,2026-06-30T12:00:00Z,1,{n}\n" for n in ("1", "01")),
    )
    assert counts(account.ingest_file("events", path)) == (2, 1, 1)


def test_an_event_id_column_by_another_name(account: Account) -> None:
    """--event-id says which; a name that is not there is an error with the nearest."""
    assert counts(
        account.ingest("events", [{**BUY, "uuid": "x"}, {**BUY, "uuid": "x"}], event_id="uuid")
    ) == (2, 1, 1)


def test_event_name_for_a_whole_file(account: Account) -> None:
    """A table without an event column gets one name for all rows, signs included."""
    rows_ = [{"user_id": "1", "ts": BUY["ts"], "n": 1}]
    account.ingest("events", rows_, event_name="it's; -- one")
    assert values(account, "event") == ["it's; -- one"]


def test_received_at(account: Account) -> None:
    """Bulk history has no received_at; later ingests have now; a column says it itself."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    account.ingest("events", [{**BUY, "user_id": "3", "at": "2026-06-30T13:00:00Z"}], recorded="at")
    found = [value and value.isoformat() for value in values(account, "received_at")]
    assert found == [None, NOW.isoformat(), "2026-06-30T13:00:00+00:00"]
    assert account.workspace.lake.at().reconstructed


ROW = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(("1", "2")),
        "event": st.sampled_from(("A", "B")),
        "ts": st.sampled_from(("2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00")),
        "n": st.sampled_from((None, 0, 1)),
        "t": st.sampled_from((None, "", "x", "\x1f", "p_n=1")),
    }
)
FILES = st.lists(st.lists(ROW, min_size=1, max_size=12), min_size=1, max_size=5)


def union(files: list[list[dict[str, Any]]]) -> Counter[str]:
    """The events of some files: each row as often as the file that holds it most often."""

    def said(row: dict[str, Any]) -> str:
        ts = {"2026-07-01T02:00:00+02:00": "2026-07-01T00:00:00Z"}.get(row["ts"], row["ts"])
        return json.dumps({**{k: v for k, v in row.items() if v not in {None, ""}}, "ts": ts}, sort_keys=True)

    total: Counter[str] = Counter()
    for rows_ in files:
        total |= Counter(said(row) for row in rows_)
    return total


def check_union(account: Account, calls: list[list[list[dict[str, Any]]]]) -> None:
    """Ingest the files of each call together and compare the lake with the plain union."""
    workspace = account.workspace
    source = Source(kind="events", types={"n": "number", "t": "text"})
    for number, files in enumerate(calls):
        folder = account.home / f"call-{number}"
        for n, rows_ in enumerate(files):
            write(account, f"{folder.name}/{n}.ndjson", "".join(json.dumps(row) + "\n" for row in rows_))
        counts(ingest(workspace.lake, workspace.settings, source, [str(folder)], source_name="s", now=NOW))
    found = Counter(
        json.dumps(
            {
                **{k: v for k, v in row.items() if k != "received_at"},
                "ts": row["ts"].isoformat().replace("+00:00", "Z"),
            },
            sort_keys=True,
        ).replace(".0", "")
        for row in rows(account)
    )
    assert found == union([rows_ for files in calls for rows_ in files])


QUIET = {
    "deadline": None, "database": None, "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}  # fmt: skip


@settings(max_examples=6, derandomize=True, **QUIET)
@given(calls=st.lists(FILES, min_size=1, max_size=4))
def test_any_files_in_any_order_are_their_union(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[list[dict[str, Any]]]]
) -> None:
    """Random multisets of rows over random files in random calls."""
    check_union(make_account(tmp_path_factory.mktemp("union")), calls)


@pytest.mark.long
@settings(max_examples=300, **QUIET)
@given(calls=st.lists(FILES, min_size=1, max_size=4))
def test_any_files_in_any_order_are_their_union_300_times(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[list[dict[str, Any]]]]
) -> None:
    """The same, three hundred times."""
    check_union(make_account(tmp_path_factory.mktemp("union")), calls)
