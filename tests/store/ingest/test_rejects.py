"""Bad rows: written down one by one, and too many of them stop everything."""

import csv
from datetime import timedelta

import pytest
from accounts import NOW, SETTINGS, Account, make_account
from store.rows import values, write

from workbench.errors import IngestError

GOOD = "1,A,2026-06-30T12:00:00Z,1\n"
HEAD = "user_id,event,ts,n\n"


def test_the_rejects_file_says_everything(account: Account) -> None:
    """File, line, column, reason and the value, readable as CSV whatever the value holds."""
    bad = ',A,2026-06-30T12:00:00Z,1\n1,  ,2026-06-30T12:00:00Z,1\n1,A,"so,on\n""",1\n1,A,2026-06-30T12:00:00Z,x,9\n'
    summary = account.ingest_file("events", write(account, "a.csv", HEAD + GOOD * 400 + bad))
    assert summary.rejects_path is not None
    with summary.rejects_path.open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["file", "line", "column", "reason", "value"],
            ["a.csv", "406", "", "5 fields, the header has 4", ""],
            ["a.csv", "402", "user_id", "no user", ""],
            ["a.csv", "403", "event", "no event name", "  "],
            ["a.csv", "404", "ts", "unreadable time (expected ISO 8601)", 'so,on\n"'],
        ]
    assert summary.reasons == (
        ("5 fields, the header has 4", 1), ("user_id: no user", 1), ("event: no event name", 1),
        ("ts: unreadable time (expected ISO 8601)", 1),
    )  # fmt: skip


def test_a_row_is_rejected_once(account: Account) -> None:
    """Without user, event and time it is still one row."""
    summary = account.ingest_file("events", write(account, "a.csv", HEAD + GOOD * 200 + ",,,\n"))
    assert (summary.read, summary.added, summary.rejected) == (201, 200, 1)


def test_a_long_value_is_cut(account: Account) -> None:
    """200 characters of a bad value are enough."""
    path = write(account, "a.csv", HEAD + GOOD * 200 + f"1,A,{'x' * 5000},1\n")
    summary = account.ingest_file("events", path)
    assert summary.rejects_path is not None
    assert summary.rejects_path.read_text().splitlines()[1].endswith("," + "x" * 200)


@pytest.mark.parametrize(("bad", "passes"), [(1, True), (2, False)])
def test_the_share_of_bad_rows(account: Account, bad: int, passes: bool) -> None:
    """One in a hundred passes, two do not: then nothing is there, and the file can be ingested again."""
    path = write(account, "a.csv", HEAD + GOOD * (100 - bad) + "1,A,never,1\n" * bad)
    if passes:
        assert account.ingest_file("events", path).added == 99
        return
    with pytest.raises(
        IngestError, match=r"2 of 100 rows are bad, more than the 1%.*nothing was ingested\. 2 × ts: unr"
    ):
        account.ingest_file("events", path)
    assert account.workspace.lake.version() == 0
    assert list(account.workspace.lake.directory.rglob("*.parquet")) == []
    assert list(account.workspace.lake.temporary.iterdir()) == []
    write(account, "a.csv", HEAD + GOOD * 100)
    assert account.ingest_file("events", path).added == 100


def test_unreadable_rows_count_like_untypable_ones(account: Account) -> None:
    """Half of a percent of each kind is one percent; a row more stops the ingest."""
    body = GOOD * 396 + "1,A\n" * 2 + "1,A,never,1\n" * 2
    assert account.ingest_file("events", write(account, "a.csv", HEAD + body)).rejected == 4
    with pytest.raises(IngestError, match="5 of 400 rows are bad"):
        account.ingest_file("events", write(account, "b.csv", HEAD + body.replace(GOOD, "1,A\n", 1)))


def test_all_rows_may_be_bad_when_told_so(account: Account) -> None:
    """With a share of 1 a file of untypable rows adds nothing and says so."""
    settings = SETTINGS + "\n[store]\nbad_row_share = 1.0\n"
    patient = make_account(account.home.parent / "patient", settings)
    summary = patient.ingest_file("events", write(patient, "a.csv", HEAD + "1,A,never,1\n"))
    assert (summary.read, summary.added, summary.rejected) == (1, 0, 1)
    assert values(patient, "ts") == []


def test_two_ingests_of_one_second_have_two_files(account: Account) -> None:
    """The rejects of the first are not overwritten by the second."""
    paths = [
        account.ingest_file(
            "events", write(account, f"{n}.csv", HEAD + GOOD * 200 + f"1,A,{n},1\n"), now=NOW
        ).rejects_path
        for n in range(3)
    ]
    assert len(set(paths)) == 3
    assert [path.read_text().splitlines()[1][-1] for path in paths if path] == ["0", "1", "2"]


def test_no_rejects_no_file(account: Account) -> None:
    """A clean ingest leaves no file and names none."""
    summary = account.ingest_file("events", write(account, "a.csv", HEAD + GOOD), now=NOW + timedelta(days=1))
    assert (summary.rejects_path, summary.reasons) == (None, ())
    assert not (account.workspace.settings.directory / "rejects").exists()
