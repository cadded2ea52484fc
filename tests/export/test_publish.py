"""Many requests at a time: what arrives, what is recorded, and what stops it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts import Account, make_account
from export.recorder import ACCEPTED, Recorder, Reply
from export.sendable import CREDENTIALS, RUN_ID, reserve, send

from workbench.errors import BusyError, CredentialsError, DestinationError, StoreError
from workbench.export.client import Client
from workbench.export.crew import Crew
from workbench.export.frozen import Bodies
from workbench.export.hold import FRESH
from workbench.export.ledger import RequestState, RunState
from workbench.export.marks import Mark, Marks
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.settings import MParticle
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def team(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    """An empty account, its ledger in SQLite or PostgreSQL."""
    if request.param == "postgres":
        monkeypatch.setenv("WORKBENCH_DATABASE_URL", request.getfixturevalue("postgres_database"))
    account = make_account(tmp_path / "home")
    yield account
    account.workspace.database.close()


def users(account: Account) -> dict[str, int]:
    """How many users stand in each state that has any."""
    return {str(k): v for k, v in account.workspace.ledger.totals(RUN_ID).items() if v}


def state(account: Account) -> RunState:
    """Where the run stands."""
    return account.workspace.ledger.get(RUN_ID).state


def at(number: int, reply: Reply) -> "Recorder":
    """A receiver that answers one request in its own way and accepts all others, 20 ms after they came."""
    return Recorder(answer=lambda n: reply if n == number else ACCEPTED, seconds=0.02)


def test_every_request_arrives_once(team: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Forty requests over eight threads: forty arrive, each begun once and recorded as accepted."""
    run = reserve(team, 40)
    assert send(team, run, receiver.url) == 40
    found = report(tmp_path / "sandbox")
    assert (found.accepted, found.duplicates, found.requests) == (40, 0, 40)
    assert (state(team), users(team)) == (RunState.COMPLETED, {"accepted": 40})
    assert {r.attempts for r in team.workspace.ledger.requests(RUN_ID)} == {1}


def test_connections_are_kept(team: Account) -> None:
    """Forty requests, at most one connection a thread."""
    run = reserve(team, 40)
    with Recorder(seconds=0.01) as recorder:
        send(team, run, recorder.url)
    assert len(recorder.arrivals) == 40
    assert 2 <= recorder.connections <= 8


def test_everybody_pauses_after_one_refusal(account: Account) -> None:
    """The fifth request is refused for two seconds: nobody sends meanwhile, and most are sent afterwards."""
    run = reserve(account, 60)
    with at(5, (429, {"Retry-After": "2"})) as recorder:
        assert send(account, run, recorder.url) == 60
    times = sorted(when for when, _ in recorder.arrivals)
    gaps = [after - before for before, after in pairwise(times)]
    pause = gaps.index(max(gaps))
    assert gaps[pause] > 1
    assert len(times) == 61
    assert len(times) - pause > 40


def test_a_refused_key_stops_at_once(team: Account) -> None:
    """Of forty the tenth is refused: those in flight are recorded, nothing else was begun, none is in doubt."""
    run = reserve(team, 40)
    with at(10, (401, {})) as recorder, pytest.raises(CredentialsError, match="refused the key"):
        send(team, run, recorder.url)
    arrived = len(recorder.arrivals)
    assert arrived <= 24
    assert state(team) is RunState.INTERRUPTED
    assert users(team) == {"accepted": arrived - 1, "reserved": 41 - arrived}
    assert sum(r.attempts for r in team.workspace.ledger.requests(RUN_ID)) == arrived
    with Recorder() as recorder:
        assert send(team, run, recorder.url) == 41 - arrived


def test_a_wrong_key_costs_one_request(account: Account) -> None:
    """The first request goes alone, so that forty are not refused eight at a time."""
    run = reserve(account, 40)
    with Recorder(answer=lambda n: (403, {}), seconds=0.05) as recorder, pytest.raises(CredentialsError):
        send(account, run, recorder.url)
    assert len(recorder.arrivals) == 1


def test_what_was_taken_without_an_answer_arrives_once(
    team: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """Connections are dropped after their requests were stored; the same bytes again, and each is there once."""
    run = reserve(team, 40)
    receiver.play(parse_answers("ok*5, drop-after*20"))
    with pytest.raises(DestinationError, match="may or may not have taken"):
        send(team, run, receiver.url, attempts=1)
    doubtful = users(team)["unknown"]
    assert 1 <= doubtful <= 8
    assert state(team) is RunState.INTERRUPTED
    receiver.play(parse_answers("500"))
    while state(team) is not RunState.COMPLETED:
        try:
            send(team, run, receiver.url)
        except DestinationError:
            continue
    found = report(tmp_path / "sandbox")
    assert found.accepted == 40
    assert found.duplicates >= doubtful
    assert users(team) == {"accepted": 40}


def test_a_time_out_is_sent_again_with_the_same_bytes(account: Account, receiver: Receiver) -> None:
    """Two answers come too late: these requests are repeated, and all are accepted in one call."""
    run = reserve(account, 20)
    receiver.play(parse_answers("ok, late=8*2"))
    assert send(account, run, receiver.url, read_timeout=3, connect_timeout=1, attempts=4) == 20


def test_few_requests_are_marked_ahead(account: Account) -> None:
    """Never more than two a thread are marked as sent; with a slow pace one ahead, and what is not yet recorded."""
    run = reserve(account, 60)
    marked: list[int] = []

    def note(number: int) -> Reply:
        marked.append(account.workspace.ledger.totals(RUN_ID)[RequestState.SENT])
        return ACCEPTED

    with Recorder(answer=note, seconds=0.03) as recorder:
        send(account, run, recorder.url, in_flight=4)
    assert 4 <= max(marked) <= 8
    marked.clear()
    run = reserve_again(account)
    with Recorder(answer=note) as recorder:
        send(account, run, recorder.url, in_flight=4, batches_per_second=20)
    assert max(marked) <= 4


def reserve_again(account: Account):
    """Replace the run by a new one of ten requests."""
    with account.workspace.database.transaction() as sql:
        sql.execute(sa.text("DELETE FROM requests"))
        sql.execute(sa.text("DELETE FROM runs"))
    return reserve(account, 10)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_lets_what_is_in_flight_finish(
    account: Account, number: int, raised: type[BaseException]
) -> None:
    """At the tenth request a signal comes: what arrived is recorded, the rest is sent by the next call, once."""
    run = reserve(account, 60)

    def signalled(arrived: int) -> Reply:
        if arrived == 10:
            os.kill(os.getpid(), number)
        return ACCEPTED

    before = signal.getsignal(number)
    with Recorder(answer=signalled, seconds=0.05) as recorder:
        with pytest.raises(raised):
            send(account, run, recorder.url)
        arrived = len(recorder.arrivals)
        assert signal.getsignal(number) == before
        assert state(account) is RunState.INTERRUPTED
        assert users(account) == {"accepted": arrived, "reserved": 60 - arrived}
        assert send(account, run, recorder.url) == 60 - arrived
    assert len(set(recorder.digests)) == len(recorder.digests) == 60


def test_a_ledger_that_fails_leaves_doubt_and_no_loss(account: Account, tmp_path: Path) -> None:
    """Its table is gone in the middle: one error; what was out is doubtful, and is sent again as it was."""
    run = reserve(account, 40)
    other = open_workspace(account.config).database

    def rename(before: str, after: str) -> None:
        with other.transaction() as sql:
            sql.execute(sa.text(f"ALTER TABLE {before} RENAME TO {after}"))

    def broken(number: int) -> Reply:
        if number == 10:
            rename("requests", "gone")
        return ACCEPTED

    with Recorder(answer=broken, seconds=0.05) as recorder:
        with pytest.raises(StoreError, match="no such table"):
            send(account, run, recorder.url)
        rename("gone", "requests")
        found = users(account)
        assert found["sent"] >= 1
        assert "unknown" not in found
        send(account, run, recorder.url)
    assert users(account) == {"accepted": 40}
    assert len(set(recorder.digests)) == 40
    other.close()


@pytest.mark.postgres
@pytest.mark.parametrize("team", ["postgres"], indirect=True)
def test_a_lost_lock_takes_nothing_up(team: Account, postgres_database: str) -> None:
    """The server ends the connection with the lock: one error, and what had arrived is known or in doubt."""
    run = reserve(team, 200)
    engine = sa.create_engine(postgres_database)

    def cut(number: int) -> Reply:
        if number == 10:
            with engine.connect() as sql:
                sql.execute(
                    sa.text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
                )
        return ACCEPTED

    with Recorder(answer=cut, seconds=0.05) as recorder:
        with pytest.raises(StoreError):
            send(team, run, recorder.url)
        arrived = len(recorder.arrivals)
        found = users(team)
        assert arrived < 60
        assert found["accepted"] + found.get("sent", 0) >= arrived
        assert found["reserved"] <= 200 - arrived
        send(team, run, recorder.url)
    assert users(team) == {"accepted": 200}
    engine.dispose()


def test_a_request_of_a_stranger_is_not_taken(team: Account) -> None:
    """Another process marked the third request after this one had begun: nothing is taken, an error says so."""
    reserve(team, 5)
    ledger = team.workspace.ledger
    with ledger.hold(RUN_ID) as held:
        here, there = Marks(held, RUN_ID), Marks(held, RUN_ID)
        here.start()
        there.start()
        there.tick([], room=1, now=utc_now())
        with pytest.raises(BusyError, match="request 1 of many-1 was taken up by another process"):
            here.tick([], room=2, now=utc_now())
    assert [r.attempts for r in ledger.requests(RUN_ID)] == [1, 0, 0, 0, 0]


def test_nothing_is_taken_up_once_a_stop_is_committed(team: Account) -> None:
    """The outcome that comes with the tick is recorded, and no request is marked."""
    reserve(team, 5)
    ledger = team.workspace.ledger
    with ledger.hold(RUN_ID) as held:
        marks = Marks(held, RUN_ID)
        marks.start()
        marks.tick([], room=1, now=utc_now())
        ledger.ask_to_stop(RUN_ID, "stopped by tester")
        accepted = Mark(number=1, state=RequestState.ACCEPTED, answer="202")
        found = marks.tick([accepted], room=4, now=utc_now())
        assert (found.state, found.requests) == (RunState.STOPPING, ())
        assert users(team) == {"accepted": 1, "reserved": 4}
        assert marks.conclude(RunState.INTERRUPTED, now=utc_now(), note="no") is RunState.STOPPED
    assert ledger.get(RUN_ID).note == "stopped by tester"


def test_final_outcomes_stay(team: Account) -> None:
    """An accepted request is never made unknown; the outcome beside it is recorded all the same."""
    reserve(team, 2)
    ledger = team.workspace.ledger
    with ledger.hold(RUN_ID) as held:
        marks = Marks(held, RUN_ID)
        marks.start()
        marks.tick([], room=2, now=utc_now())
        accepted = [Mark(number=1, state=RequestState.ACCEPTED, answer="202")]
        marks.tick(accepted, room=0, now=utc_now())
        late = [
            Mark(number=1, state=RequestState.UNKNOWN, answer="500"),
            Mark(number=2, state=RequestState.REJECTED, answer="400"),
        ]
        with pytest.raises(BusyError):
            marks.tick(late, room=0, now=utc_now())
    found = [r.state for r in ledger.requests(RUN_ID)]
    assert found == [RequestState.ACCEPTED, RequestState.REJECTED]


def test_a_run_is_not_complete_while_requests_are_left(team: Account) -> None:
    """Whatever the coordinator believes, the ledger knows better."""
    reserve(team, 2)
    with team.workspace.ledger.hold(RUN_ID) as held, pytest.raises(StoreError, match="not complete"):
        Marks(held, RUN_ID).conclude(RunState.COMPLETED, now=utc_now())


def test_a_request_that_stays_in_doubt_keeps_nobody_waiting(team: Account) -> None:
    """The second may have been taken and is refused when it comes again: all others arrive; later it does, too."""
    run = reserve(team, 10)
    with Recorder(lambda number: ({2: 500, 3: 400}.get(number, 202), {})) as recorder:
        with pytest.raises(
            DestinationError, match=r"refuses a request that it may have taken before \(400\)"
        ):
            send(team, run, recorder.url, in_flight=1)
        assert len(set(recorder.digests)) == 10
    assert (state(team), users(team)) == (RunState.INTERRUPTED, {"accepted": 9, "unknown": 1})
    with (
        Recorder(lambda number: (400, {})) as recorder,
        pytest.raises(DestinationError, match="stays in doubt"),
    ):
        send(team, run, recorder.url)
    assert users(team) == {"accepted": 9, "unknown": 1}
    with Recorder() as recorder:
        assert send(team, run, recorder.url) == 1
    assert (state(team), users(team)) == (RunState.COMPLETED, {"accepted": 10})


def test_threads_end_with_the_sending(account: Account) -> None:
    """Neither the senders nor the watch outlive the call."""
    before = threading.active_count()
    with Recorder() as recorder:
        send(account, reserve(account, 20), recorder.url)
        names = {thread.name for thread in threading.enumerate()}
    assert not {"sender", "watch"} & names
    assert threading.active_count() <= before


def test_nothing_begins_while_the_ledger_is_silent(account: Account) -> None:
    """What was handed over waits when nobody has said lately that the run goes on, and begins when somebody does."""
    run = reserve(account, 4)
    requests = account.workspace.ledger.requests(RUN_ID)
    options = MParticle(in_flight=4, batches_per_second=100_000)
    with (
        Recorder() as recorder,
        Bodies(account.workspace.settings.directory / run.bodies_path) as bodies,
        Client(recorder.url, CREDENTIALS, options) as client,
        Crew(client, bodies.read) as crew,
    ):
        crew.hand(requests[:1])
        assert crew.collect(0.3) == []
        crew.renew(time.monotonic())
        assert [done.request.number for done in crew.collect(10)] == [1]
        time.sleep(2 * FRESH)
        crew.hand(requests[1:])
        assert crew.collect(0.3) == []
        assert len(recorder.arrivals) == 1
        crew.close()
        found = [*crew.collect(10), *crew.collect(1), *crew.collect(1)]
    assert [done.answer for done in found] == [None] * 3
    assert len(recorder.arrivals) == 1


def test_what_the_database_said_counts_from_before_it_was_asked(team: Account) -> None:
    """A commit that takes long makes nothing last longer: meanwhile the run may have become somebody else's."""
    reserve(team, 1)
    commits: list[float] = []

    def around(_: str, commit: Callable[..., object]) -> Callable[..., object]:
        def timed(*arguments: object) -> object:
            commits.append(time.monotonic())
            return commit(*arguments)

        return timed

    with team.workspace.ledger.hold(RUN_ID) as held:
        team.workspace.database.watch(around, lambda: None)
        before = time.monotonic()
        found = Marks(held, RUN_ID).tick([], room=1, now=utc_now())
        assert before < found.known_at < commits[-1]
