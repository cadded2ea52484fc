import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from accounts import NOW, make_account

from workbench.errors import BusyError, NotFoundError
from workbench.export.ledger import Ledger, Request, RequestState, Run, RunState
from workbench.export.marks import Mark, Marks
from workbench.workspace import open_workspace

RUN = Run(
    run_id="hello-1", campaign_id="hello", campaign_version=1, occurrence=NOW, as_of=NOW, lake_version=1,
    environment="development", state=RunState.RUNNING, audience_path="a", audience_digest="d",
    bodies_path="b", receiver="localhost", key_digest="k", salt_digest="s", qualified=3, created_at=NOW, created_by="tester",
    verdicts=[{"verdict": "send", "reason": None, "arm": "target", "users": 3}],
)  # fmt: skip
REQUESTS = [
    Request(number=n, state=RequestState.RESERVED, offset=0, length=1, digest="d", users=n, batches=n)
    for n in (1, 2)
]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return make_account(tmp_path / "home").workspace.ledger


def test_an_occurrence_is_reserved_once(ledger: Ledger) -> None:
    """The second reservation writes nothing, not even its requests."""
    assert ledger.reserve(RUN, REQUESTS) == "done"
    assert ledger.reserve(replace(RUN, run_id="hello-2"), REQUESTS) == "taken"
    assert [run.run_id for run in ledger.newest()] == ["hello-1"]
    assert ledger.requests("hello-2") == []


def test_what_is_written_is_read(ledger: Ledger) -> None:
    """A run comes back as it was, its instants aware."""
    ledger.reserve(RUN, REQUESTS)
    assert ledger.get("hello-1") == replace(RUN, number=1)
    assert ledger.find("hello", NOW) == replace(RUN, number=1)
    assert ledger.find("hello", datetime(2026, 7, 2, tzinfo=UTC)) is None


def test_marks_add_up(ledger: Ledger) -> None:
    """Users move between states and none is lost; an attempt is counted when it begins."""
    ledger.reserve(RUN, REQUESTS)
    with ledger.hold("hello-1") as held:
        marks = Marks(held, "hello-1")
        marks.start()
        marks.tick([], room=1, now=NOW)
        accepted = Mark(number=1, state=RequestState.ACCEPTED, answer="202")
        marks.tick([accepted], room=1, now=NOW)
    assert ledger.totals("hello-1") == {
        RequestState.RESERVED: 0, RequestState.SENT: 2, RequestState.ACCEPTED: 1,
        RequestState.REJECTED: 0, RequestState.UNKNOWN: 0,
    }  # fmt: skip
    assert [(r.attempts, r.answer) for r in ledger.requests("hello-1")] == [(1, "202"), (1, None)]


def test_an_unknown_run_names_the_nearest(ledger: Ledger) -> None:
    """A typing error is answered with the run that was meant."""
    ledger.reserve(RUN, REQUESTS)
    with pytest.raises(NotFoundError, match=r'unknown run "helo-1"\. Did you mean "hello-1"'):
        ledger.get("helo-1")


def _hold(config: str, answer: "multiprocessing.Queue[str]") -> None:
    try:
        with open_workspace(config).ledger.hold("hello-1"):
            answer.put("held")
    except BusyError:
        answer.put("busy")


def test_a_run_is_held_across_processes(tmp_path: Path) -> None:
    """Another process is refused while this one holds the run, and gets it afterwards."""
    account = make_account(tmp_path / "home")
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()

    def other() -> str:
        process = context.Process(target=_hold, args=(str(account.config), answers))
        process.start()
        found = answers.get(timeout=60)
        process.join()
        return found

    with account.workspace.ledger.hold("hello-1"):
        assert other() == "busy"
    assert other() == "held"


def _reserve(config: str, number: int, answer: "multiprocessing.Queue[str]") -> None:
    ledger = open_workspace(config).ledger
    answer.put(ledger.reserve(replace(RUN, run_id=f"hello-{number}"), REQUESTS))


def test_of_four_processes_one_reserves(tmp_path: Path) -> None:
    """Four processes reserve one occurrence at the same time: one wins, three are told."""
    account = make_account(tmp_path / "home")
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    processes = [
        context.Process(target=_reserve, args=(str(account.config), number, answers)) for number in range(4)
    ]
    for process in processes:
        process.start()
    found = sorted(answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert found == ["done", "taken", "taken", "taken"]
    assert len(account.workspace.ledger.newest()) == 1


def test_a_failure_inside_a_hold_is_its_own(ledger: Ledger) -> None:
    """What fails while a run is held is not blamed on the lock, and the lock is free afterwards."""
    with pytest.raises(ConnectionResetError, match="gone"), ledger.hold("hello-1"):
        raise ConnectionResetError("gone")
    with ledger.hold("hello-1"):
        pass
