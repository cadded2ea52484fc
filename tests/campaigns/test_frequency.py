"""Frequency caps: counted from the ledger, over campaigns, processes and both arms."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import BUYERS, NOW, SETTINGS, Account, make_account, people, purchases
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import runs
from workbench.campaigns.frequency import Counted, Earlier, Rules, messages
from workbench.errors import CampaignError, SettingsError, StoreError
from workbench.export.sandbox import Receiver, accepted
from workbench.runs import Plan
from workbench.store import engine

# The receiver takes no event of over 30 days.
TODAY = datetime.now(UTC).replace(microsecond=0)
ONE_A_WEEK = SETTINGS + "\n[frequency]\nmessages = 1\ndays = 7\n"


def shop_with(home: Path, text: str, **first: Any) -> Account:
    """An account of 300 buyers, with the campaigns ``first`` and ``second``."""
    account = make_account(home / "home", text)
    account.ingest("profiles", people(300))
    account.ingest("events", purchases(300))
    account.save_segment("buyers", BUYERS)
    account.save_campaign("first", "buyers", **first)
    account.save_campaign("second", "buyers")
    return account


def planned(account: Account, campaign: str, at: datetime = NOW) -> Plan:
    """Plan the occurrence of an instant, asked and sent then."""
    return runs.plan(account.workspace, campaign, occurrence=at, as_of=NOW, now=at)


def sent(account: Account, campaign: str, at: datetime = NOW) -> set[int]:
    """Send it, and return the codes of those who were sent to."""
    receipt = runs.execute(account.workspace, planned(account, campaign, at), clock=lambda: at)
    audience = account.workspace.settings.directory / receipt.run.audience_path
    frame = pl.read_parquet(audience).filter(pl.col("verdict") == "send")
    return set(frame["user_code"])


def reasons(plan: Plan) -> dict[str | None, int]:
    """How many users of each reason."""
    return dict(plan.verdicts.group_by("reason").len().iter_rows())


def test_another_campaign_s_message_counts(tmp_path: Path, receiver: Receiver) -> None:
    """100 of 300 had a message: another campaign sends to the other 200, and a week later to all."""
    account = shop_with(tmp_path, ONE_A_WEEK, cap={"per_run": 100})
    had = sent(account, "first")
    now = planned(account, "second", NOW + timedelta(hours=1))
    capped = now.verdicts.filter(pl.col("reason") == "global frequency cap")
    assert set(capped["user_code"]) == had
    assert reasons(now) == {"global frequency cap": 100, None: 200}
    assert reasons(planned(account, "second", NOW + timedelta(days=7) - timedelta(seconds=1))) == {
        "global frequency cap": 100, None: 200,
    }  # fmt: skip
    assert reasons(planned(account, "second", NOW + timedelta(days=7))) == {None: 300}


def test_whoever_is_capped_uses_no_place(tmp_path: Path, receiver: Receiver) -> None:
    """Places go to those who can be sent to: 100 coupons, 100 users without a message."""
    account = shop_with(tmp_path, ONE_A_WEEK, cap={"per_run": 100})
    had = sent(account, "first")
    account.save_campaign("second", "buyers", cap={"per_run": 100})
    assert not sent(account, "second", NOW + timedelta(hours=1)) & had
    assert planned(account, "first", NOW + timedelta(hours=2)).to_send == 100
    assert reasons(planned(account, "first", NOW + timedelta(hours=2))) == {
        "global frequency cap": 200, None: 100,
    }  # fmt: skip


def test_both_arms_are_thinned_alike(tmp_path: Path, receiver: Receiver) -> None:
    """Up to one message ever: in the second run all are capped, the held out by the message they would have had."""
    account = shop_with(tmp_path, SETTINGS, control={"share": 0.5}, frequency={"up_to": 1})
    first = planned(account, "first")
    assert reasons(first) == {None: 300}
    sent(account, "first")
    second = planned(account, "first", NOW + timedelta(days=400))
    assert reasons(second) == {"campaign frequency cap": 300}
    arms = second.verdicts.group_by("arm").len().sort("arm")["len"].to_list()
    assert arms == first.verdicts.group_by("arm").len().sort("arm")["len"].to_list()
    assert min(arms) > 100


def test_the_held_out_of_another_campaign_had_no_message(tmp_path: Path, receiver: Receiver) -> None:
    """Only those who were sent to are capped elsewhere."""
    account = shop_with(tmp_path, ONE_A_WEEK, control={"share": 0.5})
    had = sent(account, "first")
    second = planned(account, "second", NOW + timedelta(hours=1))
    assert reasons(second) == {"global frequency cap": len(had), None: 300 - len(had)}


def test_one_per_interval(tmp_path: Path, receiver: Receiver) -> None:
    """An hour between two messages of one campaign: not a second less."""
    account = shop_with(tmp_path, SETTINGS, frequency={"every_minutes": 60})
    sent(account, "first")
    early = planned(account, "first", NOW + timedelta(minutes=59, seconds=59))
    assert reasons(early) == {"campaign frequency cap": 300}
    assert reasons(planned(account, "first", NOW + timedelta(minutes=60))) == {None: 300}
    assert reasons(planned(account, "second", NOW + timedelta(minutes=1))) == {None: 300}


def test_a_minimum_gap_and_an_exempt_campaign(tmp_path: Path, receiver: Receiver) -> None:
    """The gap holds over campaigns; an exempt one is left alone, and its messages count for others."""
    account = shop_with(tmp_path, SETTINGS + "\n[frequency]\nminimum_gap_minutes = 60\n")
    account.save_campaign("first", "buyers", frequency={"ignore_global": True})
    sent(account, "second")
    assert reasons(planned(account, "first", NOW + timedelta(minutes=1))) == {None: 300}
    sent(account, "first", NOW + timedelta(minutes=30))
    assert reasons(planned(account, "second", NOW + timedelta(minutes=61))) == {"global frequency cap": 300}
    assert reasons(planned(account, "second", NOW + timedelta(minutes=90))) == {None: 300}


def test_a_rejected_message_does_not_count(tmp_path: Path, receiver: Receiver) -> None:
    """Of three requests of 100 one was rejected: its users had nothing."""
    account = shop_with(tmp_path, ONE_A_WEEK)
    plan = planned(account, "first")
    receiver.stop()
    with pytest.raises(Exception, match="did not take"):
        runs.execute(account.workspace, plan, clock=lambda: NOW)
    assert reasons(planned(account, "second", NOW + timedelta(hours=1))) == {"global frequency cap": 300}
    with account.workspace.database.transaction() as sql:
        sql.exec_driver_sql("UPDATE requests SET state = 'rejected' WHERE number = 2")
    assert reasons(planned(account, "second", NOW + timedelta(hours=1))) == {
        "global frequency cap": 200, None: 100,
    }  # fmt: skip


def test_what_a_stopped_run_never_began_does_not_count(tmp_path: Path, receiver: Receiver) -> None:
    """Interrupted it may still go on and counts; stopped it never will."""
    account = shop_with(tmp_path, ONE_A_WEEK)
    plan = planned(account, "first")
    receiver.stop()
    with pytest.raises(Exception, match="did not take"):
        runs.execute(account.workspace, plan, clock=lambda: NOW)
    later = NOW + timedelta(hours=1)
    assert reasons(planned(account, "second", later)) == {"global frequency cap": 300}
    runs.stop(account.workspace, plan.run_id)
    assert reasons(planned(account, "second", later)) == {None: 300}


def test_a_rehearsal_uses_nothing_up(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages to another receiver do not count."""
    account = shop_with(tmp_path, ONE_A_WEEK)
    sent(account, "first")
    later = NOW + timedelta(hours=1)
    assert reasons(planned(account, "second", later)) == {"global frequency cap": 300}
    monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", "https://s2s.mparticle.com/v2")
    assert reasons(planned(account, "second", later)) == {None: 300}


def test_a_run_does_not_cap_itself(tmp_path: Path, receiver: Receiver) -> None:
    """The plan of an occurrence that was sent is the one that was sent."""
    account = shop_with(tmp_path, ONE_A_WEEK)
    sent(account, "first")
    again = planned(account, "first")
    assert reasons(again) == {None: 300}
    assert again.already is not None


def test_two_campaigns_that_were_planned_together(tmp_path: Path, receiver: Receiver) -> None:
    """Both were planned before either was sent: the second one is planned again, and nobody gets two."""
    account = shop_with(tmp_path, ONE_A_WEEK, cap={"per_run": 100})
    plans = [planned(account, "first", TODAY), planned(account, "second", TODAY)]
    assert [plan.to_send for plan in plans] == [100, 300]
    receipts = [runs.execute(account.workspace, plan) for plan in plans]
    assert [receipt.sent_now for receipt in receipts] == [100, 200]
    assert len(list(accepted(tmp_path / "sandbox"))) == 300
    folders = [path for path in (account.workspace.settings.directory / "runs").glob("*/*") if path.is_dir()]
    assert len(folders) == 2


def race(account: Account) -> Sequence[set[int]]:
    """Send four campaigns at the same time, each planned before any was sent."""
    names = ["first", "second", "third", "fourth"]
    for name in names:
        account.save_campaign(name, "buyers", cap={"per_run": 100})
    plans = [planned(account, name, TODAY) for name in names]
    threads = [threading.Thread(target=runs.execute, args=(account.workspace, plan)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    directory = account.workspace.settings.directory
    found = []
    for run in account.workspace.ledger.newest():
        frame = pl.read_parquet(directory / run.audience_path).filter(pl.col("verdict") == "send")
        found.append(set(frame["user_code"]))
    return found


def check_race(account: Account, tmp_path: Path) -> None:
    """Three of the four use up all 300 users; nobody is in two."""
    found = race(account)
    assert sorted(map(len, found)) == [0, 100, 100, 100]
    assert len(set.union(*found)) == 300
    assert len(list(accepted(tmp_path / "sandbox"))) == 300
    assert sorted(run.number for run in account.workspace.ledger.newest()) == [1, 2, 3, 4]


def test_four_campaigns_at_once(tmp_path: Path, receiver: Receiver) -> None:
    """Whoever reserves later sees the messages of whoever was earlier."""
    check_race(shop_with(tmp_path, ONE_A_WEEK), tmp_path)


@pytest.mark.postgres
def test_four_campaigns_at_once_on_postgres(
    tmp_path: Path, receiver: Receiver, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, where only a lock of the server keeps two reservations apart."""
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", postgres_database)
    account = shop_with(tmp_path, ONE_A_WEEK)
    check_race(account, tmp_path)
    account.workspace.database.close()


def test_without_its_audience_a_run_cannot_be_counted(tmp_path: Path, receiver: Receiver) -> None:
    """What is not known is not guessed: the plan stops."""
    account = shop_with(tmp_path, ONE_A_WEEK)
    sent(account, "first")
    run = account.workspace.ledger.newest()[0]
    (account.workspace.settings.directory / run.audience_path).unlink()
    with pytest.raises(StoreError, match=f"the audience of {run.run_id} is gone"):
        planned(account, "second", NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("frequency", "message"),
    [
        ({"up_to": 0}, "0 is outside 1 to 250 messages"),
        ({"up_to": 251}, "251 is outside 1 to 250 messages"),
        ({"every_minutes": 14}, "14 is outside 15 minutes to a year"),
        ({"every_minutes": 525_601}, "525,601 is outside 15 minutes to a year"),
    ],
)
def test_limits_of_a_campaign(shop: Account, frequency: dict[str, int], message: str) -> None:
    """A rule outside the limits is refused when the campaign is saved."""
    with pytest.raises(CampaignError, match=message):
        shop.save_campaign("often", "buyers", frequency=frequency)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("messages = 3", "messages and days belong together"),
        ("days = 3", "messages and days belong together"),
        ("messages = 0\ndays = 1", "greater than or equal to 1"),
        ("minimum_gap_minutes = 14", "greater than or equal to 15"),
        ("minimum_gap_minutes = 43201", "less than or equal to 43200"),
        ("mesages = 3", 'unknown key. Did you mean "messages"'),
    ],
)
def test_limits_of_the_account(tmp_path: Path, text: str, message: str) -> None:
    """A rule of the account outside the limits is refused with its key."""
    with pytest.raises(SettingsError, match=message):
        make_account(tmp_path / "home", f"{SETTINGS}\n[frequency]\n{text}\n")


ADDRESSES = {"user_code": pl.UInt32, "digest_0": pl.Int64}
minutes = st.integers(0, 300)
rows = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["send", "holdout", "not sent"]), minutes, st.integers(1, 3)),
    max_size=6, unique_by=lambda row: row[0],
)  # fmt: skip
histories = st.lists(st.tuples(rows, st.booleans(), st.sets(st.integers(1, 3), max_size=2)), max_size=5)
some = st.one_of(st.none(), st.integers(1, 4))
spans = st.one_of(st.none(), st.integers(1, 300))


def naive(history: Any, rules: Rules, user: int, address: dict[int, int]) -> str | None:
    """The rules as they are written: for a user alone, and for all who have the address."""
    same = {other for other in range(6) if user in address and address.get(other) == address[user]}
    found = {broken(history, rules, {user}), broken(history, rules, same)}
    return next((why for why in ("global frequency cap", "campaign frequency cap") if why in found), None)


def broken(history: Any, rules: Rules, who: set[int]) -> str | None:
    """The first rule that the messages to some users break."""
    everything, own_ones = [], []
    for users, own, rejected in history:
        for code, verdict, ago, request in users:
            at = NOW - timedelta(minutes=ago)
            if code not in who:
                continue
            was_sent = verdict == "send" and request not in rejected
            if was_sent or (own and verdict == "holdout"):
                everything.append(at)
                own_ones += [at] if own else []
    if rules.messages and rules.within:
        recent = [at for at in everything if at > NOW - rules.within]
        if len(recent) >= rules.messages:
            return "global frequency cap"
    if rules.gap and any(NOW - at < rules.gap for at in everything):
        return "global frequency cap"
    if rules.up_to and len(own_ones) >= rules.up_to:
        return "campaign frequency cap"
    if rules.every and any(NOW - at < rules.every for at in own_ones):
        return "campaign frequency cap"
    return None


@settings(max_examples=60, deadline=None)
@given(histories, some, spans, spans, some, spans, st.dictionaries(st.integers(0, 5), st.integers(1, 2)))
def test_the_engine_counts_as_the_rules_say(
    tmp_path_factory: pytest.TempPathFactory,
    history: Any,
    most: int | None,
    within: int | None,
    gap: int | None,
    up_to: int | None,
    every: int | None,
    address: dict[int, int],
) -> None:
    """Whatever the runs before and the rules: the same users for the same reason as plain Python finds."""
    folder = tmp_path_factory.mktemp("history")
    earlier = []
    for number, (users, own, rejected) in enumerate(history):
        frame = pl.DataFrame(
            [
                {"user_code": code, "verdict": verdict, "send_at": NOW - timedelta(minutes=ago), "request": request}
                for code, verdict, ago, request in users
            ],
            schema={"user_code": pl.UInt32, "verdict": pl.String, "send_at": pl.Datetime("us", "UTC"), "request": pl.UInt32},
        )  # fmt: skip
        frame.write_parquet(folder / f"{number}.parquet")
        earlier.append(
            Earlier(
                run_id=f"run-{number}",
                audience=folder / f"{number}.parquet",
                own=own,
                not_sent=tuple(rejected),
            )
        )
    both = most is not None and within is not None
    span = {name: value and timedelta(minutes=value) for name, value in {"gap": gap, "every": every}.items()}
    rules = Rules(
        messages=most if both else None, within=timedelta(minutes=within or 0) if both else None,
        gap=span["gap"], up_to=up_to, every=span["every"],
    )  # fmt: skip
    connection = engine.connect()
    engine.execute(connection, "CREATE TABLE users AS SELECT unnest(range(6))::UINTEGER AS user_code")
    addresses = [address.get(code) for code in range(6)]
    connection.register(
        "addresses", pl.DataFrame({"user_code": range(6), "digest_0": addresses}, schema=ADDRESSES)
    )
    engine.execute(connection, "CREATE TABLE known AS FROM addresses")
    engine.execute(
        connection, "CREATE TABLE qualified AS SELECT user_code FROM addresses WHERE user_code < 5"
    )
    found = {}
    if earlier:
        counted = Counted(runs=earlier, rules=rules, now=NOW)
        counted.tally(connection, "users", 0, 5)
        kept = counted.of_users(connection), counted.of_addresses(connection, "known", ["digest_0"])
        found = dict(sorted(row for part in kept for row in part.iter_rows()))
    assert found == {user: why for user in range(5) if (why := naive(history, rules, user, address))}
    told = messages(connection, earlier, [0])
    assert told.height == sum(
        code == 0 and ((verdict == "send" and request not in rejected) or (own and verdict == "holdout"))
        for users, own, rejected in history
        for code, verdict, _, request in users
    )
    connection.close()


def test_an_address_is_capped_whichever_profile_has_it(tmp_path: Path, receiver: Receiver) -> None:
    """Pairs of profiles share an address: after one of the two was sent to, neither is, now or as the only one left."""
    account = make_account(tmp_path / "home", ONE_A_WEEK)
    pairs = [{**row, "email": f"User{n // 2}@example.com"} for n, row in enumerate(people(300))]
    account.ingest("profiles", pairs)
    account.ingest("events", purchases(300))
    account.save_segment("buyers", BUYERS)
    account.save_campaign("first", "buyers")
    account.save_campaign("second", "buyers")
    had = sent(account, "first")
    assert len(had) == 150
    second = planned(account, "second", NOW + timedelta(hours=1))
    assert reasons(second) == {"global frequency cap": 150, "duplicate identity": 150}
    left = sorted(set(range(300)) - had)
    account.ingest(
        "events", [{**row, "event": "Search"} for row in purchases(300) if int(row["user_id"]) in left]
    )
    account.save_segment("searchers", {"kind": "did", "events": ["Search"]})
    account.save_campaign("third", "searchers")
    third = planned(account, "third", NOW + timedelta(hours=1))
    assert reasons(third) == {"global frequency cap": 150}
    assert reasons(planned(account, "third", NOW + timedelta(days=7))) == {None: 150}
