import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from accounts import Account, make_account

from workbench.errors import StoreError
from workbench.segments import codec
from workbench.segments.vectors.cache import Key, Vectors

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
TWICE = codec.from_json({
    "name": "twice",
    "condition": {
        "kind": "did", "events": ["Bought"], "measure": {"function": "count", "operator": ">=", "values": [2]},
    },
})  # fmt: skip


@dataclass
class Bytes:
    nbytes: int


def key(query: str) -> Key:
    return Key(lake="lake", data="files", query=query)


def bought(user: str, day: int) -> dict[str, str]:
    return {"user_id": user, "event": "Bought", "ts": f"2026-02-{day:02}T10:00:00Z"}


@pytest.fixture
def shop(tmp_path: Path) -> Account:
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": user} for user in ("ann", "ben", "cem")], recorded="history")
    account.ingest("events", [bought("ann", 1), bought("ann", 2), bought("ben", 3)], recorded="history")
    return account


def test_the_least_recently_asked_goes_first() -> None:
    """Three answers of 40 bytes into 100: the one that was asked again stays."""
    vectors = Vectors(limit=100)
    for name in ("a", "b", "a", "c"):
        vectors.get(key(name), lambda: Bytes(40))
    asked: list[str] = []
    for name in ("a", "c", "b"):
        vectors.get(key(name), lambda name=name: asked.append(name) or Bytes(40))  # type: ignore[misc]
    assert asked == ["b"]
    assert vectors.nbytes == 80


def test_an_answer_larger_than_the_limit_is_given_and_not_kept() -> None:
    """It is right all the same."""
    vectors = Vectors(limit=10)
    assert vectors.get(key("large"), lambda: Bytes(11)).nbytes == 11
    assert len(vectors) == 0


def test_two_who_ask_the_same_wait_for_one_answer() -> None:
    """Eight threads, one computation."""
    vectors, calls, started = Vectors(), [], threading.Event()

    def compute() -> Bytes:
        calls.append(1)
        started.wait(5)
        return Bytes(1)

    threads = [threading.Thread(target=lambda: vectors.get(key("same"), compute)) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_failed_answer_is_not_kept() -> None:
    """The next one who asks computes it."""
    vectors = Vectors()
    with pytest.raises(StoreError):
        vectors.get(key("broken"), lambda: (_ for _ in ()).throw(StoreError("damaged")))
    assert vectors.get(key("broken"), lambda: Bytes(3)).nbytes == 3


def test_a_threshold_reads_nothing_again(shop: Account) -> None:
    """Twice, once, three times: the first is a scan and its comparison, the others are a comparison each."""
    lake, workspace = shop.workspace.lake.at(), shop.workspace
    sizes, misses = [], []
    from workbench.workspace import VECTORS  # noqa: PLC0415  the one of the process

    for times in (2, 1, 3):
        measure = replace(TWICE.condition.measure, values=(times,))  # type: ignore[union-attr]
        moved = replace(TWICE, condition=replace(TWICE.condition, measure=measure))  # type: ignore[type-var]
        before = VECTORS.misses
        sizes.append(workspace.ask(moved, lake, AS_OF).users.height)
        misses.append(VECTORS.misses - before)
    assert sizes == [1, 2, 0]
    assert misses == [2, 1, 1]


def test_an_entry_never_answers_for_another_version(shop: Account) -> None:
    """While events come in, each version is asked by four threads; each gives its own number."""
    versions = [shop.workspace.lake.at()]
    for day in range(10, 14):
        shop.ingest("events", [bought("ben", day), bought("cem", day)], recorded="history")
        versions.append(shop.workspace.lake.at())
    found: list[list[int]] = [[] for _ in range(4)]

    def ask(answers: list[int]) -> None:
        answers += [
            shop.workspace.ask(TWICE, lake, AS_OF).users.height for lake in (*versions, *versions[::-1])
        ]

    threads = [threading.Thread(target=ask, args=(answers,)) for answers in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[1, 2, 3, 3, 3, 3, 3, 3, 2, 1]] * 4


def test_a_truncated_file_is_an_error_even_where_the_answer_is_known(shop: Account) -> None:
    """The number was right; the lake is not, and whoever asks must hear of it."""
    lake = shop.workspace.lake.at()
    assert shop.workspace.ask(TWICE, lake, AS_OF).users.height == 1
    path = next(lake.lake / file.path for file in lake.files if file.kind == "events")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StoreError, match="is damaged"):
        shop.workspace.ask(TWICE, lake, AS_OF)


def test_before_all_data_nobody_qualifies(shop: Account) -> None:
    """A true zero."""
    asked = shop.workspace.ask(TWICE, shop.workspace.lake.at(), datetime(2020, 1, 1, tzinfo=UTC))
    assert asked.users.height == 0
    assert not np.any(asked.conditions[-1].holds)
