"""Whom a run holds out is an event in the lake, once, whatever crashes or writes at the same time."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from accounts import BUYERS, NOW, Account, people, purchases
from store.rows import rows

from workbench import runs
from workbench.cli.sending import show_receipt
from workbench.display import SHOWN
from workbench.errors import DestinationError
from workbench.export.ledger import Purpose, Run, RunState
from workbench.export.sandbox import Receiver, parse_answers
from workbench.runs import Receipt
from workbench.runs.held_out import record
from workbench.segments import codec
from workbench.segments.check import check
from workbench.store import own
from workbench.store.compact import compact
from workbench.workspace import open_workspace

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAST_BUY = datetime(2026, 6, 30, 12, tzinfo=UTC)
SEND, WRITTEN = NOW + HOUR, NOW + 2 * HOUR
HELD_OUT = {
    "kind": "did", "events": ["Control Group"], "window": {"kind": "last", "count": 30},
    "where": [{"property": "Campaign ID", "operator": "=", "values": ["hello"]}],
}  # fmt: skip


def send(account: Account, occurrence: datetime | None = None, campaign: str = "hello") -> Receipt:
    """Send an hour after ``NOW``; the events are written two hours after it."""
    workspace = account.workspace
    plan = runs.plan(workspace, campaign, occurrence=occurrence, as_of=NOW, now=SEND)
    return runs.execute(workspace, plan, clock=lambda: WRITTEN)


def audience(account: Account, run: Run) -> pl.DataFrame:
    """The held-out rows of the frozen audience."""
    frame = pl.read_parquet(account.workspace.settings.directory / run.audience_path)
    return frame.filter(pl.col("verdict") == "holdout")


def asked(account: Account, condition: dict[str, object], as_of: datetime = WRITTEN) -> list[int]:
    """The user codes of a condition at the newest version."""
    workspace, version = account.workspace, account.workspace.lake.at()
    segment = codec.from_json({"name": "asked", "condition": condition})
    check(segment, workspace.scope(version), as_of)
    return workspace.ask(segment, version, as_of).users["user_code"].to_list()


def control(account: Account) -> list[dict[str, object]]:
    """The Control Group events of the lake."""
    return [row for row in rows(account) if row["event"] == "Control Group"]


SCRIPT = """
import sys
from datetime import datetime
from workbench import runs
from workbench.workspace import open_workspace

def report(label, done, total):
    if label == "held out" and not done:
        print("at the lake", flush=True)
        sys.stdin.readline()

now = datetime.fromisoformat(sys.argv[2])
workspace = open_workspace(sys.argv[1])
if len(sys.argv) > 3:
    receipt = runs.resume(workspace, sys.argv[3], report=report, clock=lambda: now)
    assert receipt.not_recorded is None, receipt.not_recorded
else:
    plan = runs.plan(workspace, "hello", as_of=now, now=now)
    runs.execute(workspace, plan, report=report, clock=lambda: now)
"""


def killed(account: Account) -> Run:
    """A run that was sent by a process which died right before it wrote to the lake."""
    command = [sys.executable, "-c", SCRIPT, str(account.config), NOW.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at the lake\n"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert control(account) == []
    (run,) = account.workspace.ledger.newest()
    assert run.state is RunState.COMPLETED
    return run


def test_the_held_out_are_a_segment(shop: Account, receiver: Receiver) -> None:
    """Control Group for this campaign is exactly who was held out; any event counts it too; again adds nothing."""
    before = shop.workspace.lake.at()
    receipt = send(shop)
    held = audience(shop, receipt.run)
    assert receipt.not_recorded is None
    assert 70 < held.height < 130
    assert asked(shop, HELD_OUT) == held["user_code"].to_list()
    other = {**HELD_OUT, "where": [{"property": "Campaign ID", "operator": "=", "values": ["bye"]}]}
    assert asked(shop, other) == []
    twice = {
        **BUYERS,
        "events": ["Any Event"],
        "measure": {"function": "count", "operator": ">=", "values": [2]},
    }
    assert asked(shop, twice) == held["user_code"].to_list()
    assert asked(shop, HELD_OUT, WRITTEN - timedelta(microseconds=1)) == []
    first = held.row(0, named=True)
    assert control(shop)[0] == {
        "user_id": first["user_id"], "event": "Control Group", "ts": SEND, "received_at": WRITTEN,
        "event_id": f"{receipt.run.run_id}/{first['user_id']}", "Campaign ID": "hello",
        "Run ID": receipt.run.run_id, "Control group": "campaign", "Environment": "development",
    }  # fmt: skip
    version = shop.workspace.lake.at()
    assert send(shop).was_complete
    assert shop.workspace.lake.at().version == version.version == before.version + 1
    assert shop.workspace.lake.at(before.version).catalogue.events["Control Group"].rows == 0
    assert version.catalogue.events["Control Group"].rows == held.height
    assert (version.rows("events"), version.rows("users")) == (1000 + held.height, 1000)


def test_who_could_not_be_sent_to_is_not_held_out(shop: Account, receiver: Receiver) -> None:
    """Of the control arm those have an event whose verdict is holdout: the unsubscribed have none."""
    changed = [{"user_id": f"{n:05d}", "unsubscribed": True} for n in range(300)]
    shop.ingest("profiles", changed, recorded="now")
    receipt = send(shop)
    arm = receipt.waterfall.filter(pl.col("arm") == "control")["users"].sum()
    held = audience(shop, receipt.run)
    assert held.height < arm
    assert [row["user_id"] for row in control(shop)] == held["user_id"].to_list()


def test_they_move_no_default_instant(shop: Account, receiver: Receiver) -> None:
    """The newest event of the data stays the purchase; what bounds a question reaches to the own events."""
    send(shop)
    version = shop.workspace.lake.at()
    assert (version.catalogue.first_ts, version.catalogue.last_ts) == (LAST_BUY, LAST_BUY)
    assert version.catalogue.span == (LAST_BUY, SEND)
    assert shop.workspace.scope(version).span(WRITTEN) == (LAST_BUY, SEND)
    assert version.as_it_happened(["Purchase"])
    assert not version.as_it_happened(["Control Group"])


def test_over_time_they_are_seen_from_when_they_were_written(shop: Account, receiver: Receiver) -> None:
    """At the send nobody knew yet; from the writing on all do; thirty days later none is in the window."""
    receipt = send(shop)
    workspace, version = shop.workspace, shop.workspace.lake.at()
    segment = codec.from_json({"name": "asked", "condition": HELD_OUT})
    instants = [SEND, WRITTEN, SEND + 29 * DAY, SEND + 32 * DAY]
    sizes = [found.users.height for found in workspace.ask_over_time(segment, version, instants)]
    held = audience(shop, receipt.run).height
    assert sizes == [0, held, held, 0]


def test_the_first_events_are_history_all_the_same(account: Account, receiver: Receiver) -> None:
    """A campaign was sent before any event was ingested: the first load counts as recorded at its own time."""
    account.ingest("profiles", people(1000))
    everybody = {"kind": "user", "predicate": {"property": "country", "operator": "=", "values": ["US"]}}
    account.save_segment("buyers", everybody)
    account.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500})
    send(account)
    assert len(control(account)) > 70
    assert account.workspace.lake.at().catalogue.last_ts is None
    summary = account.ingest("events", purchases(2))
    assert (summary.recorded, summary.added) == ("history", 2)


def test_each_run_has_its_own(shop: Account, receiver: Receiver) -> None:
    """Two occurrences: two events each, told apart by the run."""
    receipts = [send(shop, datetime(2026, 6, day, tzinfo=UTC)) for day in (1, 2)]
    held = audience(shop, receipts[0].run)
    assert len(control(shop)) == 2 * held.height
    assert {row["Run ID"] for row in control(shop)} == {receipt.run.run_id for receipt in receipts}


def test_a_group_of_the_account_is_named(shop: Account, receiver: Receiver) -> None:
    """The label is that of the group that held the user out."""
    shop.workspace.groups.add("system", share=0.05, now=NOW)
    receipt = send(shop)
    held = audience(shop, receipt.run)
    labels = {row["user_id"]: row["Control group"] for row in control(shop)}
    assert labels == dict(held.select("user_id", "held_by").iter_rows())
    assert set(labels.values()) == {"system", "campaign"}


def test_a_name_of_another_type_gets_a_suffix(shop: Account, receiver: Receiver) -> None:
    """The shop's own "Run ID" is a number; its rows and the workbench's keep apart."""
    shop.ingest("events", [{"user_id": "00000", "event": "Jog", "ts": "2026-06-01T00:00:00Z", "Run ID": 7}])
    run = send(shop).run
    assert {row["Run ID (workbench)"] for row in control(shop)} == {run.run_id}
    assert [row["Run ID"] for row in rows(shop) if row["event"] == "Jog"] == [7.0]


@pytest.mark.parametrize("last", ["resume", "another run"])
def test_a_kill_before_the_lake_loses_nobody(shop: Account, receiver: Receiver, last: str) -> None:
    """The run is complete, its process died before the lake's commit: the next call of any run writes, once."""
    run = killed(shop)
    shop.save_campaign("bye", "buyers", control={"share": None})
    for _ in range(2):
        if last == "resume":
            receipt = runs.resume(shop.workspace, run.run_id, clock=lambda: WRITTEN)
        else:
            receipt = send(shop, campaign="bye")
        assert receipt.not_recorded is None
    held = audience(shop, run)
    assert [row["user_id"] for row in control(shop)] == held["user_id"].to_list()
    assert {row["received_at"] for row in control(shop)} == {WRITTEN}


def test_two_processes_write_once(shop: Account, receiver: Receiver) -> None:
    """Both found the run without its events, and waited for the lake; the second one looks again."""
    run = killed(shop)
    command = [sys.executable, "-c", SCRIPT, str(shop.config), WRITTEN.isoformat(), run.run_id]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as other:
        for process in (one, other):
            assert process.stdout.readline() == "at the lake\n"
        for process in (one, other):
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(120) for process in (one, other)] == [0, 0]
    assert [row["user_id"] for row in control(shop)] == audience(shop, run)["user_id"].to_list()


def test_a_busy_lake_is_told_and_written_later(shop: Account, receiver: Receiver) -> None:
    """While an ingest holds the lock the run is named; once it is gone, the next call writes."""
    run = killed(shop)
    other = open_workspace(shop.config)
    with other.lake.writing():
        told = record(shop.workspace, now=NOW, wait=0)
    assert told == (
        f'the "Control Group" events of {run.run_id} are not in the lake yet: another ingest or compaction is '
        "writing to this lake; try again when it is done; the next send or resume writes them"
    )
    assert control(shop) == []
    assert record(shop.workspace, now=NOW) is None
    assert len(control(shop)) == audience(shop, run).height
    other.database.close()


def test_a_busy_lake_is_waited_for(shop: Account, receiver: Receiver) -> None:
    """The lock is given back while the run waits: no word of it."""
    held, wanted = threading.Event(), threading.Event()

    def hold() -> None:
        with open_workspace(shop.config).lake.writing():
            held.set()
            wanted.wait(30)
            threading.Event().wait(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=SEND)
    receipt = runs.execute(
        shop.workspace, plan, clock=lambda: WRITTEN,
        report=lambda label, done, total: wanted.set() if label == "held out" else None,
    )  # fmt: skip
    thread.join(30)
    assert receipt.not_recorded is None
    assert len(control(shop)) == audience(shop, receipt.run).height


def test_an_audience_that_was_changed_is_told(shop: Account, receiver: Receiver) -> None:
    """Its users are not believed; the run after it has its events all the same."""
    run = killed(shop)
    path = shop.workspace.settings.directory / run.audience_path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    later = send(shop, datetime(2026, 6, 1, tzinfo=UTC))
    assert later.not_recorded is not None
    assert later.not_recorded.startswith(
        f'the "Control Group" events of {run.run_id} are not in the lake yet: its audience is not what was frozen: '
    )
    assert later.not_recorded.endswith("; the next send or resume writes them")
    assert {row["Run ID"] for row in control(shop)} == {later.run.run_id}
    path.write_bytes(whole)
    assert record(shop.workspace, now=NOW) is None
    assert {row["Run ID"] for row in control(shop)} == {later.run.run_id, run.run_id}


def test_a_run_that_failed_on_the_way_holds_out_as_well(shop: Account, receiver: Receiver) -> None:
    """The receiver fails: the run is interrupted, its held-out users are known."""
    receiver.play(parse_answers("503*2"))
    with pytest.raises(DestinationError) as caught:
        send(shop)
    (run,) = shop.workspace.ledger.newest()
    assert run.state is RunState.INTERRUPTED
    assert not hasattr(caught.value, "__notes__")
    assert len(control(shop)) == audience(shop, run).height


def test_a_blocked_run_and_a_test_have_none(shop: Account, receiver: Receiver) -> None:
    """Nobody is held out by a run that sends to nobody, nor by a test send."""
    shop.save_campaign(
        "hello",
        "buyers",
        control={"share": 0.1},
        safety_check={"more_than": 10},
        alert_to=["json://127.0.0.1:9"],
    )
    receipt = send(shop)
    assert receipt.run.state is RunState.BLOCKED
    body = {name: getattr(receipt.run, name) for name in Run.__slots__}
    held = [{"verdict": "holdout", "reason": None, "arm": "control", "held_by": "campaign", "users": 3}]
    trial = Run(**body | {
        "run_id": "trial", "campaign_id": "trial", "occurrence": NOW.replace(microsecond=1), "state": RunState.COMPLETED, "purpose": Purpose.TEST, "verdicts": held,
    })  # fmt: skip
    assert shop.workspace.ledger.reserve(trial, []) == "done"
    assert record(shop.workspace, now=NOW) is None
    assert control(shop) == []
    assert not any(own.is_written(shop.workspace.lake, run) for run in (receipt.run.run_id, "trial"))


def test_a_compaction_keeps_them_apart(shop: Account, receiver: Receiver) -> None:
    """Ingested events of the same month are one file, the workbench's own another one; no answer moves."""
    shop.ingest("events", [{"user_id": "00001", "event": "View", "ts": "2026-07-01T00:00:00Z"}])
    shop.ingest("events", [{"user_id": "00002", "event": "View", "ts": "2026-07-01T01:00:00Z"}])
    receipt = send(shop, datetime(2026, 6, 1, tzinfo=UTC))
    send(shop, datetime(2026, 6, 2, tzinfo=UTC))
    before = control(shop)
    found = compact(shop.workspace.lake, shop.workspace.settings, now=WRITTEN)
    assert [(item.month, item.own, item.files_before) for item in found.merged if item.kind == "events"] == [
        ("2026-07", False, 2), ("2026-07", True, 2),
    ]  # fmt: skip
    assert control(shop) == before
    assert asked(shop, HELD_OUT) == audience(shop, receipt.run)["user_code"].to_list()
    catalogue = shop.workspace.lake.at().catalogue
    assert catalogue.last_ts == datetime(2026, 7, 1, 1, tzinfo=UTC)
    assert catalogue.span[1] == SEND


def test_rows_that_come_again_are_still_known(shop: Account, receiver: Receiver) -> None:
    """An export of the lake that comes back: the own events by their id, the others by content."""
    send(shop)
    mine = control(shop)[0]
    back = {name: mine[name] for name in ("user_id", "event", "event_id")} | {"ts": SEND.isoformat()}
    bought = {"user_id": "00000", "event": "Purchase", "ts": "2026-06-30T12:00:00Z", "price": 10}
    again = shop.ingest("events", [back, bought])
    assert (again.added, again.duplicates) == (0, 2)


def test_what_is_missing_is_shown(
    shop: Account, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line and a notebook say it beside the receipt."""
    receipt = replace(send(shop), not_recorded='the "Control Group" events of x are not in the lake yet')
    capsys.readouterr()
    show_receipt(shop.workspace, receipt)
    assert 'the "Control Group" events of x are not in the lake yet' in capsys.readouterr().out
    _, markup, _ = SHOWN[Receipt]
    assert "events of x are not in the lake yet" in markup(receipt)
