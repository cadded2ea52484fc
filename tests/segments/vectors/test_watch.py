import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import Account, make_account

from workbench.errors import CancelledError
from workbench.segments import codec, vectors
from workbench.segments.vectors import Watch, opened
from workbench.store.reader import Reader, stream

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
BOTH = codec.from_json({
    "name": "both",
    "condition": {
        "kind": "all",
        "conditions": [{"kind": "did", "events": ["Viewed"]}, {"kind": "did", "events": ["Bought"]}],
    },
})  # fmt: skip
ENDLESS = "SELECT count(*) FROM range(1000000000000) a WHERE hash(a.range) = 7"


@pytest.fixture
def shop(tmp_path: Path) -> Account:
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": "ann"}], recorded="history")
    rows = [{"user_id": "ann", "event": name, "ts": "2026-02-01T10:00:00Z"} for name in ("Viewed", "Bought")]
    account.ingest("events", [*rows, {**rows[0], "ts": "2026-02-03T10:00:00Z"}], recorded="history")
    return account


def test_progress_ends_at_the_rows_of_all_conditions(shop: Account) -> None:
    """Two views and one purchase: three rows, never backwards, and again when all is known already."""
    for _ in range(2):
        told: list[tuple[str, int, int]] = []
        watch = Watch(lambda *step: told.append(step))  # noqa: B023
        shop.workspace.ask(BOTH, shop.workspace.lake.at(), AS_OF, watch=watch)
        assert told[0] == ("reading events", 0, 3)
        assert told[-1] == ("reading events", 3, 3)
        assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_history_tells_its_days(shop: Account) -> None:
    """After the rows, one step a day."""
    told: list[tuple[str, int, int]] = []
    watch = Watch(lambda *step: told.append(step))
    instants = [AS_OF - timedelta(days=days) for days in (2, 1, 0)]
    lake = shop.workspace.lake.at()
    assert len(list(shop.workspace.ask_over_time(BOTH, lake, instants, watch=watch))) == 3
    assert [step for step in told if step[0] == "days"] == [("days", done, 3) for done in range(4)]


def test_a_question_that_is_stopped_leaves_nothing_behind(shop: Account) -> None:
    """It is an error for whoever asked; the next one gets the whole answer."""
    workspace, lake = shop.workspace, shop.workspace.lake.at()
    kept = vectors.Vectors()
    reader = Reader(lake)
    stopped = Watch(lambda _label, done, _total: stopped.cancel() if done else None)
    with pytest.raises(CancelledError):
        vectors.ask(BOTH, AS_OF, workspace.scope(lake), reader=reader, vectors=kept, watch=stopped)
    assert len(kept) <= 2
    answer = vectors.ask(BOTH, AS_OF, workspace.scope(lake), reader=reader, vectors=kept)
    assert answer.users.height == 1


@pytest.mark.parametrize("wait", [0, 0.3])
def test_an_engine_that_is_at_work_is_interrupted(shop: Account, wait: float) -> None:
    """A query of days ends within seconds, whether it was stopped before it began or after."""
    lake = shop.workspace.lake.at()
    watch = Watch()
    question = opened(
        AS_OF, shop.workspace.scope(lake), reader=Reader(lake), vectors=vectors.Vectors(), watch=watch
    )
    threading.Timer(wait, watch.cancel).start()
    with pytest.raises(CancelledError, match="stopped before the answer was there"):
        question.arrays(ENDLESS, {})


def test_a_stream_that_has_begun_is_interrupted(shop: Account) -> None:
    """After the first of many batches."""
    lake = shop.workspace.lake.at()
    with Reader(lake).cursor() as cursor:
        batches = stream(cursor, "SELECT range FROM range(1000000000000)", {}, 100_000)
        assert next(batches).num_rows == 100_000
        cursor.interrupt()
        with pytest.raises(CancelledError, match="stopped before the answer was there"):
            list(batches)
