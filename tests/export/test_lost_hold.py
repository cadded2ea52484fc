"""PostgreSQL ends the lock of a process that lives on: who takes the run next begins, or says that it is stopped, after the other's last request."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts import Account, make_account
from export.cable import Cable
from export.recorder import ACCEPTED, Recorder, Reply
from export.sendable import RUN_ID, reserve, send

from workbench import runs
from workbench.errors import StoreError
from workbench.export.hold import FRESH
from workbench.export.ledger import RequestState, Run, RunState
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

pytestmark = pytest.mark.postgres

REQUESTS = 200
HOLDER = (
    "FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE locktype = 'advisory' AND datname = current_database()"
)


@pytest.fixture
def url(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the ledger is."""
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", postgres_database)
    return postgres_database


@pytest.fixture
def account(tmp_path: Path, url: str) -> Iterator[Account]:
    """An empty account, its ledger in PostgreSQL."""
    account = make_account(tmp_path / "home")
    yield account
    account.workspace.database.close()


@contextmanager
def another(
    account: Account, run: Run, url: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Cable, list[BaseException]]]:
    """Somebody who sends the run, whose database is behind a cable; what that ended with, once it has."""
    address = sa.make_url(url)
    ended: list[BaseException] = []
    with Cable(address.port or 5432) as cable:
        behind = address.set(port=cable.port).render_as_string(hide_password=False)
        monkeypatch.setenv("WORKBENCH_DATABASE_URL", behind)
        other = replace(account, workspace=open_workspace(account.config))

        def sends() -> None:
            try:
                send(other, run, recorder.url)
            except StoreError as error:
                ended.append(error)

        thread = threading.Thread(target=sends)
        thread.start()
        try:
            yield cable, ended
        finally:
            cable.cut()
            thread.join()
            other.workspace.database.close()


def take_the_lock_away(account: Account) -> None:
    """End the server's side of the connection that has the lock."""
    with account.workspace.database.reading() as sql:
        assert sql.scalars(sa.text(f"SELECT pg_terminate_backend(pid) {HOLDER}")).all() == [True]
        while sql.scalar(sa.text(f"SELECT count(*) {HOLDER}")):
            pass


def until_eight_wait(account: Account, wave: threading.Event) -> None:
    """Eight requests are out, answered 150 ms after they came, and eight more are marked to follow them."""
    assert wave.wait(30)
    while (found := account.workspace.ledger.totals(RUN_ID))[RequestState.ACCEPTED] < 25:
        pass
    assert found[RequestState.SENT] > 8


def at_the_fourth_wave(wave: threading.Event) -> Callable[[int], Reply]:
    """Eight come at a time, after the first one."""

    def answer(number: int) -> Reply:
        if number == 26:
            wave.set()
        return ACCEPTED

    return answer


@pytest.mark.parametrize("is_told", [True, False])
def test_nothing_begins_after_the_stop_of_whom_has_lost_the_lock(
    account: Account, url: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the process hears of its lost connection or not: once the run is stopped, nothing of it begins."""
    run, wave = reserve(account, REQUESTS), threading.Event()
    concluded: list[float] = []

    def clock() -> object:
        concluded.append(time.monotonic())
        return utc_now()

    with Recorder(answer=at_the_fourth_wave(wave), seconds=0.15) as recorder:
        with another(account, run, url, recorder, monkeypatch) as (cable, ended):
            until_eight_wait(account, wave)
            if not is_told:
                cable.silence()
            take_the_lock_away(account)
            stopped = runs.stop(account.workspace, RUN_ID, clock=clock)
            time.sleep(2 * FRESH)
        assert len(ended) == 1
        assert stopped.state is RunState.STOPPED
        assert max(at for at, _ in recorder.arrivals) < concluded[-1]
        assert len(set(recorder.digests)) == len(recorder.digests) < REQUESTS
    totals = account.workspace.ledger.totals(RUN_ID)
    assert totals[RequestState.ACCEPTED] + totals[RequestState.UNKNOWN] >= len(recorder.digests)
    assert totals[RequestState.SENT] == 0


@pytest.mark.parametrize("is_told", [True, False])
def test_who_goes_on_begins_after_whom_has_lost_the_lock(
    account: Account, url: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody is sent to, and what comes twice comes with the same bytes."""
    run, wave = reserve(account, REQUESTS), threading.Event()
    with (
        Recorder(answer=at_the_fourth_wave(wave), seconds=0.15) as first,
        Recorder(seconds=0.01) as second,
    ):
        with another(account, run, url, first, monkeypatch) as (cable, ended):
            until_eight_wait(account, wave)
            if not is_told:
                cable.silence()
            take_the_lock_away(account)
            send(account, run, second.url)
        assert len(ended) == 1
    assert max(at for at, _ in first.arrivals) < min(at for at, _ in second.arrivals)
    assert len(set(first.digests)) == len(first.digests)
    assert len(set(second.digests)) == len(second.digests)
    assert len({*first.digests, *second.digests}) == REQUESTS
    assert account.workspace.ledger.totals(RUN_ID)[RequestState.ACCEPTED] == REQUESTS
    assert account.workspace.ledger.get(RUN_ID).state is RunState.COMPLETED
